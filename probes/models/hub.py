"""Hub: files of a repository on the Hugging Face hub, from the local cache if possible.

This is the only module of probes that uses huggingface_hub. It checks once, briefly, whether
the hub answers, since the hub's own client tries for 20 seconds or more before it gives up. The
metadata of a file is checked before the download, its size is limited by its type, and the
result is compared with the stated checksum.
"""

from __future__ import annotations

import hashlib
import http.client
import inspect
import re
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs
from huggingface_hub import (
    constants,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    EntryNotFoundError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils.tqdm import tqdm

from probes.errors import ProbeError
from synthtext.errors import shorten

REACH_TIMEOUT_S = 5.0
"""Time after which a silent hub counts as unreachable, in seconds."""

MAX_BYTES = {".json": 128 << 20, ".txt": 128 << 20}
"""Maximum size of a file, by its extension."""

MAX_WEIGHTS_BYTES = 200 << 30
"""Maximum size of any other file."""

WEB = ("http", "https")
"""Allowed URL schemes; a server must not redirect to files on this machine."""

COMMIT = re.compile(r"[0-9a-f]{40}")
ETAG = re.compile(r"[0-9A-Za-z_-]{1,128}")
"""Allowed etags, which become names of files in the cache."""

CHECKSUM = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
"""Etags that are a SHA-256, or a SHA-1 of git or of the bytes alone."""

READ_BYTES = 1 << 20


def find_cached(repo: str, files: Sequence[str]) -> Path | None:
    """Return the first of the files that exists on this machine, None if there is none.

    They may be in the cache of the hub, or in the folder of `find_place`.

    Raises:
        ProbeError: the hub allows no repository of this name.
    """
    for file in files:
        try:
            cached = try_to_load_from_cache(repo, file)
        except HFValidationError as error:
            raise ProbeError(
                f"{repo!r} is not the name of a repository on the hub; write it as 'org/name'"
            ) from error
        if isinstance(cached, str):
            return Path(cached)
        # The name is valid on the hub, so it cannot lead outside the folder.
        if (find_place(repo) / file).is_file():
            return find_place(repo) / file
    return None


def find_place(repo: str) -> Path:
    """Return the folder for files of a repository that were downloaded by hand."""
    return platformdirs.user_cache_path("synthtext") / "hub" / repo.replace("/", "--")


def fetch_file(repo: str, files: Sequence[str], remedy: str) -> Path:
    """Return the first of the files that the repository has, downloaded if it is not cached.

    Args:
        repo: such as "org/name".
        files: names to try, the best first.
        remedy: end of the error on a machine without network: what to pass instead.

    Raises:
        ProbeError: nothing is cached and nothing can be downloaded.
    """
    cached = find_cached(repo, files)
    if cached is not None:
        return cached
    address = f"{constants.ENDPOINT}/{repo}"
    if obstacle := _find_obstacle():
        raise ProbeError(
            f"{files[0]} is not in the cache, and the hub cannot be reached ({obstacle});"
            f" download it from {address} on another machine and {remedy}"
        )
    for file in files:
        found = _download(repo, file, remedy)
        if found is not None:
            return found
    raise ProbeError(f"{address} has no {' and no '.join(files)}; check the name")


def find_file(repo: str, file: str) -> Path | None:
    """Return an optional file of a repository, or None if it has none.

    Raises:
        ProbeError: it cannot be downloaded, though the hub can be reached.
    """
    if find_cached(repo, (file,)) is None and _find_obstacle():
        return None
    return find_cached(repo, (file,)) or _download(repo, file, "put it into the cache")


def _download(repo: str, file: str, remedy: str) -> Path | None:
    """Return a file from the hub, or None if the repository has none of this name."""
    address = f"{constants.ENDPOINT}/{repo}"
    limit = MAX_BYTES.get(Path(file).suffix, MAX_WEIGHTS_BYTES)
    options: Any = {"tqdm_class": _limit_bar(limit)} if _TAKES_BAR else {}
    try:
        etag = _check_metadata(repo, file, limit)
        found = Path(hf_hub_download(repo, file, etag_timeout=REACH_TIMEOUT_S, **options))
        _check_arrived(found, etag, f"{file} from {address}")
    except ProbeError:
        raise
    except RepositoryNotFoundError as error:
        raise ProbeError(
            f"the hub has no {address}; check the name, or log in if it is private"
        ) from error
    except LocalEntryNotFoundError as error:
        raise ProbeError(_say_broken(file, address, remedy, error)) from error
    except EntryNotFoundError:
        return None
    except Exception as error:  # The classes of its network errors depend on its version.
        raise ProbeError(_say_broken(file, address, remedy, error)) from error
    return found


def _check_metadata(repo: str, file: str, limit: int) -> str:
    """Return the etag of a file, after refusing harmful metadata."""
    said = get_hf_file_metadata(hf_hub_url(repo, file), timeout=REACH_TIMEOUT_S)
    address = f"{constants.ENDPOINT}/{repo}"
    if not COMMIT.fullmatch(said.commit_hash or "") or not ETAG.fullmatch(said.etag or ""):
        raise ProbeError(
            f"{address} does not answer like a hub about {file}; check HF_ENDPOINT"
        )
    if urlsplit(said.location).scheme not in WEB:
        raise ProbeError(
            f"{address} redirects {file} to an address that is not on the web; do not use it"
        )
    if said.size is not None and not 0 <= said.size <= limit:
        raise ProbeError(
            f"{file} of {address} has {said.size:,} bytes according to the hub, and the limit"
            f" is {limit:,}; check the name"
        )
    return str(said.etag)


def _check_arrived(path: Path, etag: str, origin: str) -> None:
    """Delete and refuse a file that has another checksum than its etag states.

    Source: etags are SHA-256 of large files, SHA-1 of git blobs otherwise, as the documentation
    of `hf_hub_url` says; a mirror may state the SHA-1 of the bytes alone.
    """
    # The file may have changed since the request; the cache names it by its etag.
    blob = path.parent / path.readlink() if path.is_symlink() else path
    stated = blob.name if path.is_symlink() else etag
    if not CHECKSUM.fullmatch(stated):
        return
    of_git = hashlib.sha1(b"blob %d\0" % blob.stat().st_size)
    known = [hashlib.sha256()] if len(stated) == 64 else [of_git, hashlib.sha1()]
    with blob.open("rb") as file:
        while part := file.read(READ_BYTES):
            for digest in known:
                digest.update(part)
    if stated not in [digest.hexdigest() for digest in known]:
        path.unlink()
        blob.unlink(missing_ok=True)
        raise ProbeError(
            f"{origin} does not have the checksum that the hub states, and was deleted;"
            " try again"
        )


_TAKES_BAR = "tqdm_class" in inspect.signature(hf_hub_download).parameters
"""Whether a download can be monitored; older versions of the client do not allow it."""


def _limit_bar(limit: int) -> type[tqdm]:
    """Return a progress bar that stops a download that exceeds its limit."""

    class LimitedBar(tqdm):
        def update(self, n: float | None = 1) -> Any:  # noqa: ANN401 - as its base.
            # A bar that is not shown, for example without a terminal, does not count.
            self.n_bytes = getattr(self, "n_bytes", 0) + (n or 0)
            shown = super().update(n)
            if self.n_bytes > limit:
                raise ProbeError(
                    f"the hub sends more than {limit:,} bytes, where a few are expected;"
                    f" check the name"
                )
            return shown

    return LimitedBar


def _say_broken(file: str, address: str, remedy: str, cause: Exception) -> str:
    return (
        f"the download of {file} failed ({_name_cause(cause)}); try again, or download it"
        f" from {address} on another machine and {remedy}"
    )


def _name_cause(error: BaseException) -> str:
    """Return the cause of an error, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return shorten(str(error) or type(error).__name__, 200)


def _find_obstacle() -> str:
    """Return why the hub cannot be reached; empty if it can."""
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    if urlsplit(constants.ENDPOINT).scheme not in WEB:
        return f"HF_ENDPOINT is {shorten(constants.ENDPOINT)!r}, which is not a web address"
    request = urllib.request.Request(constants.ENDPOINT, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=REACH_TIMEOUT_S):
            return ""
    except urllib.error.HTTPError:
        return ""  # It answered, even if with an error.
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        return getattr(reason, "strerror", None) or _name_cause(error)
