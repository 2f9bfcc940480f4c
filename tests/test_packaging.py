"""What is built holds all that drawing needs, and drawing needs neither torch nor this folder."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ALONE = """
import sys
sys.modules.update(dict.fromkeys(("torch", "open_clip", "webdataset", "pandas", "scipy")))
import synthtext
assert synthtext.__file__.startswith({folder!r}), synthtext.__file__
from synthtext_cli.app import main
main()
"""
"""The command line, from a folder of its own, where nothing of `[probe]` can be imported."""

WINDOWS = """
import sys
sys.modules["fcntl"] = None
from synthtext_cli import app
sys.platform = "win32"
app.main()
"""
"""The command line as it starts on Windows, which lacks the module `fcntl`."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", folder], cwd=ROOT, check=True,
        capture_output=True,
    )  # fmt: skip
    return folder


def test_a_wheel_draws_by_itself(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    command = ["render", "--words", "en", "--recipe", "ocr-crops", "--count", "20"]
    done = subprocess.run(
        [sys.executable, "-P", "-c", ALONE.format(folder=str(site)), *command, "--out", "out"],
        cwd=tmp_path, env={"PYTHONPATH": str(site)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out/train/000000.tar").is_file()


def test_what_is_built_holds_fonts_lists_and_licences(built: Path) -> None:
    (wheel,), (source,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as packed:
        names = {name for name in packed.namelist() if not name.endswith("/")}
    fonts = {path.name for path in (ROOT / "fonts").rglob("*") if path.is_file()}
    assert fonts == {Path(name).name for name in names if "/_fonts/" in name}
    assert {
        "synthtext/py.typed",
        "synthtext/texts/lists/en.txt",
        "synthtext_cli/app.py",
    } <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any("tests/" in name or "benchmarks/" in name for name in names)
    with tarfile.open(source) as packed_source:
        inner = {name.partition("/")[2] for name in packed_source.getnames()}
    pages = {"README.md", "CHANGELOG.md", "SECURITY.md"}
    assert pages | {"pyproject.toml", "fonts/fonts.toml"} <= inner


def test_a_wheel_claims_linux_and_no_other_system(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        (metadata,) = (name for name in packed.namelist() if name.endswith("/METADATA"))
        lines = packed.read(metadata).decode().splitlines()
    systems = [line for line in lines if line.startswith("Classifier: Operating System")]
    assert systems == ["Classifier: Operating System :: POSIX :: Linux"]


def test_the_start_on_windows_is_refused_in_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WINDOWS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert (done.stdout, done.stderr) == (
        "",
        "synthtext: Windows is not supported; use Linux, or WSL on Windows\n",
    )
