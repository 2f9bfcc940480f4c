"""A dataset of several shards in each split, to be changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harming import plan_words
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.plan import Plan
from synthtext.drawing.fonts import Catalogue


@pytest.fixture(scope="module")
def plan(fonts: Catalogue) -> Plan:
    return plan_words(fonts)


@pytest.fixture(scope="module")
def whole(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished dataset; copy it before damaging it."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    render_dataset(plan, folder)
    return folder


@pytest.fixture
def harmed(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "out"))
