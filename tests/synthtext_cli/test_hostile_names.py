"""Every command, with hostile text in everything that it prints."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer

from synthtext.drawing.fonts import bundled_folder
from synthtext_cli import app

NAME = "[red]$x_{\x1b[2J\u202e\n"
"""Markup, the beginning of a formula, and terminal control sequences."""

MARKUP = "x[/b]"
"""A path of two parts with an unmatched closing tag."""

TEXTS = ["[/b]", "$x_{", "\x1b[2J", "\u202ex", "猫"]

MODEL = ["--model", "bundled", "--pretrained", "random"]

OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Run:
    """Run the command line in this process, since loading torch takes longer than the work."""

    def invoke(*options: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["synthtext", *map(str, options)])
        monkeypatch.chdir(tmp_path)
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            app.main()
        said = capfd.readouterr()
        assert not OBEYED.search(said.out + said.err)
        return int(ended.value.code or 0), said.out, said.err

    return invoke


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of hostile files, and of datasets made of them."""
    folder = tmp_path_factory.mktemp("names") / NAME / MARKUP
    folder.mkdir(parents=True)
    picture = cv2.imencode(".png", np.full((20, 30, 3), 99, np.uint8))[1].tobytes()
    for name in (NAME, "$\\frac{"):
        (folder / "classes" / name).mkdir(parents=True)
        (folder / "pictures").mkdir(exist_ok=True)
        (folder / "classes" / name / f"{name}.png").write_bytes(picture)
        (folder / "pictures" / f"{name}.png").write_bytes(picture)
    (folder / "fonts").mkdir()
    shutil.copy(bundled_folder() / "VT323_400Regular.ttf", folder / "fonts" / f"{NAME}.ttf")
    (folder / "fonts" / "broken\x1b[2J.ttf").write_bytes(b"nothing")
    words = ["[/b]", "[red]", "$x_{", ":smile:", "<b>x</b>", "a|b", "\\frac{"]
    words += [f"{first}{last}ord" for first in "bcdfglmnps" for last in "aeiou"]
    (folder / "words.txt").write_text("\n".join(words))
    (folder / "texts.txt").write_text("\n".join(words))
    return folder


@pytest.fixture
def data(home: Path, run: Run) -> Path:
    """A dataset of hostile words in a font with a hostile name."""
    out = home / "data"
    if not out.exists():
        code, _, said = run(
            "render", "--words", home / "words.txt", "--fonts", home / "fonts", "--out", out
        )
        assert (code, "left out: " in said) == (0, True), said
    return out


@pytest.fixture
def signs(home: Path, run: Run) -> Path:
    out = home / "signs"
    if not out.exists():
        options = ("--words", home / "words.txt", "--count", "12", "--out", out)
        code, _, said = run("render-vqa", *options)
        assert code == 0, said
    return out


def test_rendering_and_looking(home: Path, data: Path, run: Run, tmp_path: Path) -> None:
    again = ("render", "--words", home / "words.txt", "--fonts", home / "fonts", "--out", data)
    for options in (
        again,
        ("verify", data),
        ("stats", data),
        ("preview", data, "--sheet", tmp_path / f"{NAME}.png"),
        ("show", data, "000000000", "--out", tmp_path / f"{NAME}.png"),
        (
            "draw",
            "000000001",
            "--from",
            data,
            "--fonts",
            home / "fonts",
            "--set",
            f"font_family={NAME}",
        ),
        ("export", data, "--to", "folder", "--out", tmp_path / NAME),
        ("index", data),
        (
            "merge",
            shutil.copytree(data, tmp_path / f"{NAME}copy"),
            "--out",
            tmp_path / f"{NAME}all",
        ),
    ):
        code, out, said = run(*options)
        assert code == 0, said
        assert "\\x1b[2J" in out + said, options


def test_fonts_and_recipes(home: Path, run: Run, tmp_path: Path) -> None:
    code, out, said = run(
        "fonts", "--fonts", home / "fonts", "--sheet", tmp_path / f"{NAME}.png"
    )
    assert code == 0, said
    assert "[red]$x_{\\x1b[2J\\u202e\\n.ttf" in out
    code, out, _ = run("recipe")
    (tmp_path / f"{NAME}.toml").write_text(out)
    assert run("recipe", tmp_path / f"{NAME}.toml") == (0, out, "")


def test_pictures_of_ones_own(home: Path, run: Run, tmp_path: Path) -> None:
    options = (home / "pictures", *MODEL, "--out", tmp_path / NAME, "--texts", *TEXTS)
    code, out, said = run("match", *options)
    assert code == 0, said
    assert "x[/b]/pictures/[red]$x_{\\x1b[2J\\u202e\\n.png\n" in out
    shown = {line.split(" %  ")[1].strip() for line in out.splitlines() if " %  " in line}
    assert shown == {"[/b]", "$x_{", "\\x1b[2J", "\\u202ex", "猫"}
    code, out, said = run("matrix", *options)
    assert code == 0, said
    code, out, said = run(
        "classify", home / "classes", *MODEL, "--out", tmp_path / NAME / MARKUP
    )
    assert code == 0, said
    assert (tmp_path / NAME / MARKUP / "report.html").exists()


def test_probing(data: Path, run: Run, tmp_path: Path) -> None:
    folder, other = tmp_path / NAME / MARKUP, tmp_path / "b"
    code, out, said = run("probe", *MODEL, "--data", data, "--k", "2", "--out", folder)
    assert code == 0, said
    assert "Most frequent mistakes" in out
    shutil.copytree(folder, other)
    code, out, said = run("compare", folder, other, "--out", tmp_path / f"{NAME}.csv")
    assert code == 0, said


def test_questions(signs: Path, run: Run, tmp_path: Path) -> None:
    code, _, said = run(
        "vqa", *MODEL, "--annotations", signs / "train.json", "--val", signs / "val.json",
        "--images", signs / "images", "--no-heads", "--no-windows", "--out", tmp_path / NAME,
    )  # fmt: skip
    assert code == 0, said


def test_lists_that_print_no_text_of_others(run: Run) -> None:
    assert run("models", "--find", NAME)[0] == 0
    assert run("experiments")[0] == 0
    assert run("bench", "--n", "2")[0] == 0


MISSING = {
    "render": ["--words", "?", "--out", "o"],
    "render-vqa": ["--words", "?", "--out", "o"],
    "merge": ["?", "--out", "o"],
    "draw": ["1", "--from", "?"],
    "recipe": ["?"],
    "words": ["--lang", "?"],
    "fonts": ["--fonts", "?"],
    "preview": ["?"],
    "show": ["?", "1"],
    "stats": ["?"],
    "gallery": ["--fonts", "?", "--out", "g.png"],
    "fit": ["?", "--out", "r.toml"],
    "score": ["?", *MODEL, "--out", "o"],
    "verify": ["?"],
    "probe": ["--model", "?", "--out", "o"],
    "compare": ["?", "?"],
    "match": ["?", "--texts", "x"],
    "matrix": ["?", "--texts", "x"],
    "classify": ["?", *MODEL, "--out", "o"],
    "vqa": ["--annotations", "?", "--val", "?", "--images", "?", *MODEL, "--out", "o"],
    "finetune": ["--model", "?", "--data", "?", "--out", "o"],
    "export": ["?", "--to", "lmdb", "--out", "o"],
    "index": ["?"],
    "push": ["o", "?"],
    "import": ["?", "--by", "x", "--out", "o"],
    "bench": ["--probe", "--model", "?", "--n", "1"],
    "models": ["?"],
    "experiments": ["?"],
}
"""Options of each command, with a question mark for each hostile name."""


def test_every_command_is_tried() -> None:
    assert set(MISSING) == set(typer.main.get_command(app.app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", MISSING)
@pytest.mark.parametrize("name", [NAME, MARKUP, "[/b]", "http://x[/b]\x1b", "x" * 300 + "[/b]"])
def test_a_hostile_name_is_named_in_one_sentence(command: str, name: str, run: Run) -> None:
    options = [name if option == "?" else option for option in MISSING[command]]
    code, out, said = run(command, *options)
    assert (code, out) == (2, ""), said
    assert said.startswith("synthtext: ")
    assert said.count("\n") == 1
    assert ("\\x1b" in said) == ("\x1b" in name)
