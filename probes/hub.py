"""Hub: files of a repository on the Hugging Face hub, from this machine's cache where they are.

The only user of huggingface_hub. Whether the hub answers is asked once and briefly, since its
own client tries for 20 seconds and more before it gives up.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from probes.errors import ProbeError

REACH_TIMEOUT_S = 5.0
"""How long the hub may take to answer at all before it counts as unreachable."""


def find_cached(repo: str, files: Sequence[str]) -> Path | None:
    """Return the first of the files that the cache of the hub holds, None if it holds none.

    Raises:
        ProbeError: the hub allows no repository of this name.
    """
    for file in files:
        try:
            cached = try_to_load_from_cache(repo, file)
        except HFValidationError as error:
            raise ProbeError(
                f"{repo!r} is no repository of the hub; write it as 'org/name'"
            ) from error
        if isinstance(cached, str):
            return Path(cached)
    return None


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
    if not _is_reachable():
        raise ProbeError(
            f"{files[0]} is not cached here and the hub cannot be reached;"
            f" fetch it from {address} on another machine and {remedy}"
        )
    for file in files:
        try:
            return Path(hf_hub_download(repo, file, etag_timeout=REACH_TIMEOUT_S))
        except RepositoryNotFoundError as error:
            raise ProbeError(
                f"the hub shows no {address}; check the name, or log in if it is private"
            ) from error
        except LocalEntryNotFoundError as error:
            raise ProbeError(_say_broken(file, address, remedy)) from error
        except EntryNotFoundError:
            continue
        except Exception as error:  # Its transport's errors change class with its version.
            raise ProbeError(_say_broken(file, address, remedy)) from error
    raise ProbeError(f"{address} holds no {' and no '.join(files)}; check the name")


def _say_broken(file: str, address: str, remedy: str) -> str:
    return (
        f"the download of {file} failed; try again, or fetch it from {address}"
        f" on another machine and {remedy}"
    )


def _is_reachable() -> bool:
    if constants.HF_HUB_OFFLINE:
        return False
    request = urllib.request.Request(constants.ENDPOINT, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=REACH_TIMEOUT_S):
            return True
    except urllib.error.HTTPError:
        return True  # It answered, if only to complain.
    except (OSError, ValueError):
        return False
