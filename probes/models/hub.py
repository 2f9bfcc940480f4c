"""Hub: files of a repository on the Hugging Face hub, from this machine's cache where they are.

The only user of huggingface_hub. Whether the hub answers is asked once and briefly, since its
own client tries for 20 seconds and more before it gives up. What it says about a file is
checked before the file is fetched, the file is not let grow beyond its kind, and what has
arrived is compared with the checksum that was stated.
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
"""How long the hub may take to answer at all before it counts as unreachable."""

MAX_BYTES = {".json": 128 << 20, ".txt": 128 << 20}
"""The most that a file may hold, by the end of its name."""

MAX_WEIGHTS_BYTES = 200 << 30
"""The most that any other file may hold."""

WEB = ("http", "https")
"""How files may be fetched; not from this machine's disk by the word of another."""

COMMIT = re.compile(r"[0-9a-f]{40}")
ETAG = re.compile(r"[0-9A-Za-z_-]{1,128}")
"""Names of folders and files in the cache, which the hub chooses."""

CHECKSUM = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
"""Etags that are a SHA-256, or a SHA-1 of git or of the bytes alone."""

READ_BYTES = 1 << 20


def find_cached(repo: str, files: Sequence[str]) -> Path | None:
    """Return the first of the files that this machine has, None if it has none.

    They may lie in the cache of the hub, or where `find_place` says.

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
        # The hub has allowed the name, so it leads nowhere else.
        if (find_place(repo) / file).is_file():
            return find_place(repo) / file
    return None


def find_place(repo: str) -> Path:
    """Return the folder for files of a repository that were fetched by hand."""
    return platformdirs.user_cache_path("synthtext") / "hub" / repo.replace("/", "--")


def fetch_file(repo: str, files: Sequence[str], remedy: str) -> Path:
    """Return the first of the files that the repository has, downloaded if it is not cached.

    Args:
        repo: such as "org/name".
        files: names to try, the best first.
        remedy: ends the error of a machine without network: what to pass instead.

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
    """Return a file that a repository need not have, None where it has none.

    Raises:
        ProbeError: it cannot be downloaded, though the hub can be reached.
    """
    if find_cached(repo, (file,)) is None and _find_obstacle():
        return None
    return find_cached(repo, (file,)) or _download(repo, file, "put it into the cache")


def _download(repo: str, file: str, remedy: str) -> Path | None:
    """Return a file from the hub, None if the repository has none of this name."""
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
    except Exception as error:  # Its transport's errors change class with its version.
        raise ProbeError(_say_broken(file, address, remedy, error)) from error
    return found


def _check_metadata(repo: str, file: str, limit: int) -> str:
    """Return the etag of a file; what the hub says about it is refused if it could do harm."""
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
    # The file may have been replaced since it was asked for: the cache names it by its etag.
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
"""Whether a download can be watched; older versions of the client have no place for it."""


def _limit_bar(limit: int) -> type[tqdm]:
    """Return a progress bar that ends a download which is larger than it may be."""

    class LimitedBar(tqdm):
        def update(self, n: float | None = 1) -> Any:  # noqa: ANN401 - as its base.
            # A bar that is not shown, as without a terminal, does not count.
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
    """Return what an error goes back to, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return shorten(str(error) or type(error).__name__, 200)


def _find_obstacle() -> str:
    """Return why the hub cannot be reached, nothing where it can."""
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    if urlsplit(constants.ENDPOINT).scheme not in WEB:
        return f"HF_ENDPOINT is {shorten(constants.ENDPOINT)!r}, which is not a web address"
    request = urllib.request.Request(constants.ENDPOINT, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=REACH_TIMEOUT_S):
            return ""
    except urllib.error.HTTPError:
        return ""  # It answered, if only to complain.
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        return getattr(reason, "strerror", None) or _name_cause(error)
