from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from probes.fitting.stages import Stages

ARRAYS = {"a": np.arange(6.0).reshape(2, 3)}


@pytest.fixture
def stages(tmp_path: Path) -> Stages:
    made = Stages(tmp_path, lambda *_: None)
    made.write("one", ARRAYS)
    return made


def test_what_was_kept_is_read_back(stages: Stages) -> None:
    assert (stages.require("one")["a"] == ARRAYS["a"]).all()
    assert stages.read("two") is None


def _flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-40] ^= 1
    path.write_bytes(bytes(raw))


def _become_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _take_another(path: Path) -> None:
    other = Stages(path.parent, lambda *_: None)
    other.write("two", {"b": np.zeros(3)})
    path.with_name("two.stage").replace(path)


@pytest.mark.parametrize(
    "harm",
    [_flip, _become_a_pipe, _take_another, lambda path: path.write_bytes(b"")],
)
def test_what_is_not_as_it_was_written_is_computed_again(
    stages: Stages, harm: Callable[[Path], None]
) -> None:
    harm(stages.folder / "one.stage")
    assert stages.read("one") is None
    assert (stages.keep("one", lambda: ARRAYS)["a"] == ARRAYS["a"]).all()
    assert stages.read("one") is not None
