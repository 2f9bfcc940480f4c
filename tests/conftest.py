from __future__ import annotations

import signal
from pathlib import Path

import pytest

from synthtext.drawing.fonts import Catalogue, read_catalogue
from synthtext.spec import Spec
from synthtext.texts.words import Texts, read_words

SANS = "DejaVuSans.ttf"


def pytest_configure() -> None:
    """Let Ctrl-C reach the commands that tests start, however the tests were started."""
    # A shell ignores it for what runs in the background, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def fonts() -> Catalogue:
    return read_catalogue()


@pytest.fixture
def spec() -> Spec:
    """A neutral spec: black on white, nothing done to the pixels."""
    return Spec(seed=0, index=7, split="train", kind="word", text="quartz", font=SANS)


@pytest.fixture
def words(tmp_path: Path) -> Texts:
    path = tmp_path / "words.txt"
    path.write_text("\n".join(f"{a}{b}ord" for a in "bcdfglmnpstw" for b in "aeiou"))
    return read_words(path)
