"""A hub on 127.0.0.1 that takes dataset repositories, as the Hugging Face hub does."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote

from model_hub import hash_blob

TOKEN = "hf_secretsecretsecret"

OID = "0123456789abcdef0123456789abcdef01234567"

API = re.compile(r"/api/datasets/(?P<repo>[^/]+/[^/]+)(?:/(?P<what>[^/]+)/(?P<at>[^/?]+))?")
BATCH = re.compile(r"/datasets/[^/]+/[^/]+\.git/info/lfs/objects/batch")


@dataclass
class Shelf:
    """What a hub holds and was told.

    Attributes:
        files: content by repository and branch, and name.
        private: the repositories that are private.
        objects: large files by their SHA-256, whether or not they are committed.
        uploads: SHA-256 of each large file, every time that it was sent.
        commits: how many files each commit had.
        refuse: status by the path that ends so.
    """

    url: str = ""
    files: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    objects: dict[str, bytes] = field(default_factory=dict)
    uploads: list[str] = field(default_factory=list)
    commits: list[list[str]] = field(default_factory=list)
    refuse: dict[str, int] = field(default_factory=dict)


@contextmanager
def serve_datasets() -> Iterator[Shelf]:
    """Serve an empty hub, and give what it holds; its `url` is the value of HF_ENDPOINT."""
    shelf = Shelf()

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(b"")

        def do_POST(self) -> None:
            self._reply(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def do_PUT(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

        def _reply(self, raw: bytes) -> None:
            is_known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            path = unquote(self.path)
            refused = [code for end, code in shelf.refuse.items() if end in path]
            if refused:
                status, answer = refused[0], {"error": "refused"}
            elif not is_known and self.command != "PUT":
                status, answer = 401, {"error": "Invalid credentials"}
            else:
                status, answer = _answer(shelf, self.command, path, raw)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    shelf.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield shelf
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(shelf: Shelf, method: str, path: str, raw: bytes) -> tuple[int, Any]:
    if path.startswith("/store/"):
        oid = path.rpartition("/")[2]
        assert hashlib.sha256(raw).hexdigest() == oid
        shelf.uploads.append(oid)
        shelf.objects[oid] = raw
        return 200, {}
    if path == "/api/repos/create":
        return _create(shelf, json.loads(raw))
    if path == "/api/validate-yaml":
        assert json.loads(raw)["content"].startswith("---\n")
        return 200, {"warnings": [], "errors": []}
    if BATCH.fullmatch(path):
        rows = json.loads(raw)["objects"]
        return 200, {"transfer": "basic", "objects": [_place(shelf, row) for row in rows]}
    asked = API.match(path)
    assert asked is not None, path
    repo = asked["repo"]
    if (repo, "main") not in shelf.files:
        return 404, {"error": "Repository not found"}
    if asked["what"] is None:
        return 200, {"id": repo, "siblings": []}
    return _answer_about(shelf, repo, asked["what"], asked["at"], raw)


def _create(shelf: Shelf, said: dict[str, Any]) -> tuple[int, Any]:
    repo = f"{said['organization']}/{said['name']}"
    assert said["type"] == "dataset"
    if (repo, "main") in shelf.files:
        return 409, {"error": "You already created this", "url": f"{shelf.url}/datasets/{repo}"}
    shelf.files[repo, "main"] = {".gitattributes": b"*.tar filter=lfs\n"}
    if said.get("private") or said.get("visibility") == "private":
        shelf.private.add(repo)
    return 200, {"url": f"{shelf.url}/datasets/{repo}"}


def _place(shelf: Shelf, row: dict[str, Any]) -> dict[str, Any]:
    if row["oid"] in shelf.objects:
        return row
    return row | {"actions": {"upload": {"href": f"{shelf.url}/store/{row['oid']}"}}}


def _answer_about(shelf: Shelf, repo: str, what: str, at: str, raw: bytes) -> tuple[int, Any]:
    if what == "branch":
        is_new = shelf.files.setdefault((repo, at), dict(shelf.files[repo, "main"]))
        return (200 if is_new else 409), {}
    files = shelf.files[repo, at]
    if what == "preupload":
        return 200, {
            "files": [
                {"path": row["path"], "shouldIgnore": False,
                 "uploadMode": "lfs" if row["path"].endswith((".tar", ".jpg")) else "regular"}
                for row in json.loads(raw)["files"]
            ]
        }  # fmt: skip
    if what == "paths-info":
        names = parse_qs(raw.decode())["paths"]
        return 200, [_describe(name, files[name]) for name in names if name in files]
    if what == "tree":
        return 200, [_describe(name, content) for name, content in files.items()]
    assert what == "commit", what
    rows = [json.loads(line) for line in raw.splitlines()][1:]
    for row in rows:
        value = row["value"]
        if row["key"] == "lfsFile":
            files[value["path"]] = shelf.objects[value["oid"]]
        else:
            files[value["path"]] = base64.b64decode(value["content"])
    shelf.commits.append([row["value"]["path"] for row in rows])
    return 200, {
        "commitUrl": f"{shelf.url}/datasets/{repo}/commit/{OID}", "commitOid": OID,
    }  # fmt: skip


def _describe(name: str, content: bytes) -> dict[str, Any]:
    row = {"type": "file", "path": name, "size": len(content), "oid": hash_blob(content)}
    if name.endswith((".tar", ".jpg")):
        oid = hashlib.sha256(content).hexdigest()
        row["lfs"] = {"oid": oid, "size": len(content), "pointerSize": 134}
    return row
