from __future__ import annotations

import logging
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from synthtext.drawing.fonts import Catalogue, read_catalogue
from synthtext.spec import Spec
from synthtext.texts.words import Texts, read_words

SANS = "DejaVuSans.ttf"


# No test is timed, because the machines that run them are noisy.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_configure() -> None:
    """Let Ctrl-C reach the commands that tests start, however the tests were started."""
    # A shell ignores SIGINT for background jobs, and their children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _loggers() -> Iterator[None]:
    """Let a test see log records, whatever commands were run in this process before it."""
    sources = [logging.getLogger(name) for name in ("synthtext", "probes", "synthtext_cli")]
    before = [(source.handlers, source.propagate, source.level) for source in sources]
    yield
    for source, (handlers, propagate, level) in zip(sources, before, strict=True):
        source.handlers, source.propagate = handlers, propagate
        source.setLevel(level)


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


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless browser without network access."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("there is no chromium with its chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    profile = tmp_path_factory.mktemp("profile")
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-sync",
                 "--disable-background-networking", f"--user-data-dir={profile}"):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield found
    found.quit()
