"""A server on 127.0.0.1 that serves folders as repositories, like the Hugging Face hub."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

COMMIT = "0123456789abcdef0123456789abcdef01234567"

LARGE = (".safetensors", ".bin", ".pt")
"""Extensions of files that are stored elsewhere, to which the hub redirects."""

FILE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/[^/]+/(?P<file>.+)")


@dataclass
class Answer:
    """The response of the hub to one request.

    Attributes:
        method: method of the request, HEAD or GET.
        file: the requested file, within its repository.
        status: HTTP status.
        headers: by name; those without a value are left out. Without a Content-Length, that of
            the body is sent.
        body: not sent to HEAD.
    """

    method: str
    file: str
    status: int
    headers: dict[str, str]
    body: bytes = b""


@contextmanager
def serve(folder: Path, spoil: Callable[[Answer], object] = lambda _: None) -> Iterator[str]:
    """Serve the repositories in a folder, and yield the address, for HF_ENDPOINT.

    Args:
        folder: holds "org/name/file" for each file of each repository.
        spoil: changes an answer before it is sent, for example to a false one.
    """

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._reply("HEAD")

        def do_GET(self) -> None:
            self._reply("GET")

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

        def _reply(self, method: str) -> None:
            answer = _answer(folder, method, self.path, self.headers.get("Range", ""))
            spoil(answer)
            self.send_response(answer.status)
            size = {"Content-Length": str(len(answer.body))}
            for name, value in (size | answer.headers).items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            if method == "GET":
                self.wfile.write(answer.body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def cut_always(answer: Answer) -> None:
    """Send half of a file to the first request, and nothing to requests for the rest."""
    if answer.method == "GET" and answer.body:
        answer.headers["Content-Length"] = str(len(answer.body))
        answer.body = b"" if answer.status == 206 else answer.body[: len(answer.body) // 2]


def flip(answer: Answer) -> None:
    """Send a file with its last bit changed."""
    if answer.method == "GET" and answer.body:
        answer.body = answer.body[:-1] + bytes([answer.body[-1] ^ 1])


def use_hub(monkeypatch: pytest.MonkeyPatch, url: str, cache: Path) -> None:
    """Make this process use a hub and a cache, as a new one would with HF_ENDPOINT and
    HF_HUB_CACHE, which are read only once.
    """  # fmt: skip
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


def hash_blob(content: bytes) -> str:
    """Return the SHA-1 by which git and the hub identify a small file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _answer(folder: Path, method: str, path: str, wanted: str) -> Answer:
    is_moved = path.startswith("/moved/")
    asked = FILE.fullmatch(path.removeprefix("/moved"))
    if asked is None:
        return Answer(method, "", 200, {})
    repo, file = asked["repo"], asked["file"]
    if not (folder / repo).is_dir():
        return Answer(method, file, 401, {"X-Error-Code": "RepoNotFound"})
    if not (folder / repo / file).is_file():
        return Answer(method, file, 404, {"X-Error-Code": "EntryNotFound"})
    content = (folder / repo / file).read_bytes()
    headers = {"X-Repo-Commit": COMMIT}
    if file.endswith(LARGE) and not is_moved:
        name = hashlib.sha256(content).hexdigest()
        headers |= {
            "X-Linked-Etag": f'"{name}"', "X-Linked-Size": str(len(content)),
            "Location": f"/moved{path}",
        }  # fmt: skip
        return Answer(method, file, 302, headers)
    headers |= {"ETag": f'"{hash_blob(content)}"', "Accept-Ranges": "bytes"}
    begin = re.fullmatch(r"bytes=(\d+)-", wanted)
    if begin is not None:
        at = int(begin[1])
        headers["Content-Range"] = f"bytes {at}-{len(content) - 1}/{len(content)}"
        return Answer(method, file, 206, headers, content[at:])
    if method == "HEAD":
        headers["Content-Length"] = str(len(content))
    return Answer(method, file, 200, headers, content)
