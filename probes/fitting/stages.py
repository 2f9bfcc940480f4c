"""Results of the stages of a fit, kept in a folder so that a run that was killed continues."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.errors import ProbeError
from synthtext.dataset.plan import Plan, describe_plan
from synthtext.files import read_file
from synthtext.storage import write_whole

Arrays = Mapping[str, NDArray[Any]]

MAX_BYTES = 256 << 20
"""Maximum size of the file of a stage; usual ones have a few MB."""

DIGEST_BYTES = 32
"""Length of the SHA-256 at the start of a file, over the stage's name and the NumPy archive."""


@dataclass(frozen=True)
class Stages:
    """The folder of finished results, and a callback for progress.

    Attributes:
        folder: folder of the files.
        advance: called with what is counted, how many are done, and of how many.
    """

    folder: Path
    advance: Callable[..., None]

    def name_of(self, plan: Plan, *further: object) -> str:
        """Return a hash of what a plan draws."""
        return hash_all(describe_plan(plan), *map(str, further))

    def read(self, name: str) -> Arrays | None:
        """Return what was kept under a name; None if there is no intact file."""
        try:
            raw = read_file(self._place(name), MAX_BYTES, kind=ProbeError, remedy="")
        except ProbeError:
            return None
        digest, packed = raw[:DIGEST_BYTES], raw[DIGEST_BYTES:]
        if digest != _digest(name, packed):  # Nothing is parsed before this check.
            return None
        with np.load(io.BytesIO(packed), allow_pickle=False) as file:
            return {key: file[key] for key in file.files}

    def require(self, name: str) -> Arrays:
        """Return what was kept under a name.

        Raises:
            ProbeError: the file is missing or damaged.
        """
        arrays = self.read(name)
        if arrays is None:
            raise ProbeError(f"{self._place(name)} cannot be read; run the same command again")
        return arrays

    def write(self, name: str, arrays: Arrays) -> None:
        """Keep arrays under a name, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        packed, path = buffer.getvalue(), self._place(name)
        if path.is_symlink() or (path.exists() and not path.is_file()):
            # A link would be followed, and a pipe would block until it has a reader.
            path.unlink()
        with write_whole(path) as file:
            file.write(_digest(name, packed))
            file.write(packed)

    def _place(self, name: str) -> Path:
        return self.folder / f"{name}.stage"

    def keep(self, name: str, compute: Callable[[], Arrays]) -> Arrays:
        """Return what was kept under a name, or compute and keep it."""
        arrays = self.read(name)
        if arrays is None:
            arrays = compute()
            self.write(name, arrays)
        return arrays


def _digest(name: str, packed: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + packed).digest()


def hash_all(*parts: object) -> str:
    """Return a hash of these values, 20 hexadecimal digits."""
    written = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(written.encode()).hexdigest()[:20]
