"""Results of the stages of a fit, kept in a folder, so that a killed run goes on after them."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.errors import ProbeError
from synthtext.dataset.plan import Plan, describe_plan
from synthtext.storage import write_whole

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Stages:
    """Where results are kept, and who is told how far the work is.

    Attributes:
        folder: of the files.
        advance: is told what is counted, how many are done, and of how many.
    """

    folder: Path
    advance: Callable[..., None]

    def name_of(self, plan: Plan, *further: object) -> str:
        """Return what tells what a plan draws from anything else."""
        return hash_all(describe_plan(plan), *map(str, further))

    def read(self, name: str) -> Arrays | None:
        """Return what was kept under a name, None if nothing whole was."""
        path = self.folder / f"{name}.npz"
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                return {key: file[key] for key in file.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None

    def require(self, name: str) -> Arrays:
        """Return what was kept under a name.

        Raises:
            ProbeError: it is gone or broken.
        """
        arrays = self.read(name)
        if arrays is None:
            raise ProbeError(
                f"{self.folder / name}.npz cannot be read; run the same command again"
            )
        return arrays

    def write(self, name: str, arrays: Arrays) -> None:
        """Keep arrays under a name, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with write_whole(self.folder / f"{name}.npz") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    def keep(self, name: str, compute: Callable[[], Arrays]) -> Arrays:
        """Return what was kept under a name, or compute and keep it."""
        arrays = self.read(name)
        if arrays is None:
            arrays = compute()
            self.write(name, arrays)
        return arrays


def hash_all(*parts: object) -> str:
    """Return 20 digits that tell these values from others."""
    written = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(written.encode()).hexdigest()[:20]
