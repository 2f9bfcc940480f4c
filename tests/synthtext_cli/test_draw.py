from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from command_line import run
from synthtext.dataset.verify import spread_renderings
from synthtext_cli import balance


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "out"
    assert run("render", "--words", "en", "--count", "40", "--out", folder).returncode == 0
    return folder


def test_help_fits_one_screen() -> None:
    shown = run("--help").stdout
    assert len(shown.splitlines()) <= 50
    for name in ("render", "draw", "recipe", "fonts", "preview", "show", "verify"):
        assert name in shown


def test_help_loads_nothing_that_draws_or_measures() -> None:
    script = (
        "import sys\nfrom synthtext_cli import app\nsys.argv = ['synthtext', '--help']\n"
        "try:\n    app.main()\nfinally:\n    print('loaded', *sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    loaded = set(said.stdout.splitlines()[-1].split())
    assert loaded & {"numpy", "PIL", "cv2", "torch", "pandas", "open_clip"} == set()


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version").stdout == f"synthtext {version('synthtext')}\n"


def test_drawing_loads_no_torch(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom synthtext_cli import app\n"
        f"sys.argv = ['synthtext', 'render', '--words', 'en', '--count', '5', '--out', '{tmp_path / 'o'}']\n"
        "try:\n    app.main()\nfinally:\n    print('torch' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    assert said.stdout.split()[-1] == "False"


@pytest.mark.parametrize(
    "command", ["render", "draw", "recipe", "words", "fonts", "preview", "show", "verify"]
)
def test_every_command_has_help_with_an_example(command: str) -> None:
    assert f"synthtext {command}" in run(command, "--help").stdout


def test_a_render_says_what_it_did(tmp_path: Path) -> None:
    done = run(
        "render", "--words", "en", "--count", "30", "--out", tmp_path / "o", "--size", "20"
    )
    assert done.returncode == 0
    assert "30 of 30" in done.stdout
    assert "images/s" in done.stdout
    assert done.stderr == ""
    again = run(
        "render", "--words", "en", "--count", "30", "--out", tmp_path / "o", "--size", "20"
    )
    assert "30 of 30" in again.stdout
    assert "images/s" not in again.stdout


def test_every_factor_has_an_option(out: Path, tmp_path: Path) -> None:
    options = ["--case", "upper", "--rotation", "-5:5", "--background", "plain", "--ink", "black",
               "--paper", "white", "--blur", "0", "--noise", "0", "--font-category", "mono",
               "--format", "png", "--splits", "1,0,0", "--shard-size", "10"]  # fmt: skip
    done = run("render", "--words", "en", "--count", "20", "--out", tmp_path / "o", *options)
    assert done.returncode == 0
    plan = json.loads((tmp_path / "o/dataset.json").read_text())["plan"]
    assert plan["recipe"]["rotation_deg"] == "-5:5"
    assert len(list((tmp_path / "o/train").glob("*.tar"))) == 2


def test_words_and_reviews_are_mixed_by_weight(tmp_path: Path) -> None:
    done = run("render", "--words", "en", "--sentences", "reviews", "--kind", "word=3,sentence",
               "--count", "40", "--out", tmp_path / "o")  # fmt: skip
    assert done.returncode == 0
    assert set(json.loads((tmp_path / "o/dataset.json").read_text())["plan"]["texts"]) == {
        "word", "sentence",
    }  # fmt: skip


def test_photographs_that_are_given_are_drawn_on(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (60, 50), "#406080").save(tmp_path / "photos/sky.png")
    done = run("render", "--words", "en", "--count", "60", "--out", tmp_path / "o",
               "--backgrounds", tmp_path / "photos")  # fmt: skip
    assert done.returncode == 0
    papers = {r.spec.background for r in spread_renderings(tmp_path / "o", 60)}
    assert papers == {"plain", "gradient", "noise", "texture", "photo"}


def test_a_sheet_is_drawn_of_a_dataset_and_without_one(out: Path, tmp_path: Path) -> None:
    assert run("preview", out, "--sheet", tmp_path / "a.png", "--boxes").returncode == 0
    fresh = run("preview", "--words", "en", "--n", "4", "--sheet", tmp_path / "b.png")
    assert fresh.returncode == 0
    assert (tmp_path / "a.png").stat().st_size > (tmp_path / "b.png").stat().st_size > 1000


def test_an_image_is_shown_with_its_factors(out: Path, tmp_path: Path) -> None:
    done = run("show", out, "000000007", "--out", tmp_path / "seven.png")
    assert done.returncode == 0
    assert "x_height_px" in done.stdout
    assert (tmp_path / "seven.png").exists()


def test_an_image_is_drawn_again_with_one_factor_changed(out: Path, tmp_path: Path) -> None:
    done = run(
        "draw", "000000007", "--from", out, "--set", "blur_px=4", "--out", tmp_path / "b.png"
    )
    assert done.returncode == 0
    assert [
        line.split() for line in done.stdout.splitlines() if line.startswith("blur_px")
    ] == [["blur_px", "4.0"]]


def test_a_whole_dataset_verifies(out: Path) -> None:
    done = run("verify", out)
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "",
        f"{out} is complete and undamaged\n",
    )


def test_a_fault_is_a_line_and_ends_with_1(tmp_path: Path) -> None:
    run("render", "--words", "en", "--count", "5", "--out", tmp_path / "o")
    shard = next((tmp_path / "o").glob("*/*.tar"))
    shard.write_bytes(shard.read_bytes()[:1000])
    done = run("verify", tmp_path / "o")
    assert done.returncode == 1
    name = shard.relative_to(tmp_path / "o")
    assert done.stdout.splitlines()[0] == (
        f"{name} is not the file that was written; delete it and render again"
    )


def test_a_printed_recipe_can_be_rendered(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(run("recipe", "ocr-crops", "--size", "20:40").stdout)
    done = run(
        "render", "--recipe", tmp_path / "mine.toml", "--count", "5", "--out", tmp_path / "o"
    )
    assert done.returncode == 0


def test_words_are_printed_for_a_file(tmp_path: Path) -> None:
    listed = run("words", "--pattern", "[A-Z]{2}-\\d{4}", "--top", "30").stdout
    assert len(listed.splitlines()) == 30
    (tmp_path / "plates.txt").write_text(listed)
    drawn = run("render", "--words", tmp_path / "plates.txt", "--out", tmp_path / "o")
    assert drawn.returncode == 0
    assert run("words").stderr == "synthtext: give either --lang or --pattern\n"


def test_texts_of_a_pattern_are_drawn(tmp_path: Path) -> None:
    options = ("render", "--pattern", "dates", "--count", "12", "--out", tmp_path / "o")
    assert run(*options).returncode == 0
    texts = json.loads((tmp_path / "o" / "dataset.json").read_text())["plan"]["texts"]
    assert (texts["word"]["name"], texts["word"]["n_texts"]) == ("pattern:dates", 12)
    assert run(*options).returncode == 0


def test_fonts_are_listed_and_drawn(tmp_path: Path) -> None:
    done = run("fonts", "--sheet", tmp_path / "fonts.png")
    assert "DejaVuSans.ttf" in done.stdout
    assert (tmp_path / "fonts.png").exists()


def test_a_part_of_an_image_is_drawn(out: Path, tmp_path: Path) -> None:
    file = tmp_path / "letters.png"
    done = run("draw", "--from", out, "000000007", "--layer", "letters", "--out", file)
    assert (done.returncode, done.stderr) == (0, f"wrote {file}\n")
    with Image.open(file) as image:
        assert len(np.unique(np.asarray(image))) > 2
    refused = run("draw", "--from", out, "000000007", "--layer", "mask", "--out", file)
    assert refused.returncode == 2
    assert "an image has no layer 'mask'; it is one of background," in refused.stderr


def test_every_factor_is_drawn_at_its_levels(tmp_path: Path) -> None:
    done = run("gallery", "--out", tmp_path / "all.png")
    assert (done.returncode, done.stderr) == (0, f"wrote {tmp_path}/all.png\n")
    two = run(
        "gallery", "--factors", "blur,shadow", "--text", "sphinx", "--out", tmp_path / "2.png"
    )
    assert two.returncode == 0
    assert (tmp_path / "all.png").stat().st_size > (tmp_path / "2.png").stat().st_size > 1000
    refused = run("gallery", "--factors", "blur,latin", "--out", tmp_path / "no.png")
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--words", "none.txt"], "none.txt is neither a file nor a bundled list; there is en"),
        (["--words", "en", "--pattern", "a"], "give either --words or --pattern, not both"),
        (["--pattern", "a*"], "the pattern 'a*' matches texts of unlimited length; write {0,8} for * or +"),
        (["--words", "en", "--size", "64:12"], "size_px is 64:12; put the lower end first, as in 12:64"),
        (["--words", "en", "--count", "0"], "count is 0; it must be 1 or more"),
        (["--words", "en", "--background", "nois"], "background is 'nois'; did you mean noise"),
        (["--words", "en", "--workers", "0"], "workers is 0; it must be 1 or more"),
        (["--words", "en", "--fonts", "none"], "none is not a folder of fonts; give one that contains .ttf or .otf files"),
        (["--words", "en", "--backgrounds", "none"], "none is not a folder; give one that contains photographs"),
        (["--recipe", "none"], "no recipe 'none'; give a file or one of default, clip-224, ocr-crops, rendered-sst2, street"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_and_exit_code_2(
    tmp_path: Path, options: list[str], sentence: str
) -> None:
    done = run("render", "--out", tmp_path / "o", *options)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"synthtext: {sentence}\n")


def test_an_unknown_option_is_named(tmp_path: Path) -> None:
    done = run("render", "--out", tmp_path / "o", "--blurr", "3")
    assert done.returncode == 2
    assert "--blur" in done.stderr


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("render", "--words", "en", "--count", "3", "--out", tmp_path / "file")
    assert done.returncode == 2
    assert (
        done.stderr
        == f"synthtext: {tmp_path / 'file'} contains something else; give a new or an empty folder\n"
    )


def test_a_promise_about_an_alphabet_is_kept_counted_and_shown(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ("render", "--pattern", "[a-c][a-c][a-c]", "--case", "as-is", "--out", out)
    ran = run(*command, "--cover", "3", "--alphabet", "[ab7]", "--splits", "0.5,0.5,0")
    assert ran.returncode == 0
    found = json.loads((out / "balance.json").read_text())
    assert found["at_least"] == 3
    assert set(found["counts"]) == {"train", "val"}
    assert all(min(each.values()) >= 3 for each in found["counts"].values())
    assert all(
        list(each.values()) == sorted(each.values()) for each in found["counts"].values()
    )
    row = next(line.split() for line in ran.stdout.splitlines() if line.startswith("val "))
    assert row[1:3] == ["3", str(min(found["counts"]["val"].values()))]
    shown = run("stats", out).stdout
    count = [str(each["7"]) for each in found["counts"].values()]
    assert ["7", *count] in [line.split() for line in shown.splitlines()]


def test_a_broken_promise_ends_with_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(balance, "warn", said.append)
    fields = {"at_least": 5, "counts": {"train": {"a": 5}, "val": {"b": 0, "a": 4, "c": 7}}}
    (tmp_path / "balance.json").write_text(json.dumps(fields))
    with pytest.raises(typer.Exit) as left:
        balance.report_balance(tmp_path, {"complete": True})
    assert left.value.exit_code == 1
    assert said == [
        "val has fewer than 5 of some characters ('b' 0 times, 'a' 4 times); render into another"
        " folder with a higher --cover"
    ]


def test_an_alphabet_without_a_promise_is_refused(tmp_path: Path) -> None:
    ran = run("render", "--alphabet", "abc", "--out", tmp_path / "out")
    assert ran.returncode == 2
    assert "--alphabet works only with --cover; add --cover 10, or leave it out" in ran.stderr
