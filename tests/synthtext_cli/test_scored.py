from __future__ import annotations

from pathlib import Path

from command_line import run

TINY = Path(__file__).parents[1] / "helpers/tiny.json"


def test_a_dataset_is_scored_and_what_is_left_out_is_named(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("\n".join(f"{a}{b}ord" for a in "bcdf" for b in "aeiou"))
    data, out = tmp_path / "data", tmp_path / "scored"
    assert run("render", "--words", words, "--count", 20, "--out", data).returncode == 0
    done = run(
        "score", data, "--model", TINY, "--pretrained", "random", "--out", out,
        "--keep", "p_read>0.11",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    counts = {
        " ".join(line[:-1]): int(line[-1]) for line in lines if line and line[-1].isdigit()
    }
    assert counts["kept"] + counts["left out by p_read"] == counts["images"] == 20
    assert counts["left out by p_read"] > 0
    assert "left out: 0000" in done.stderr + done.stdout
    assert run("verify", out).returncode == 0


def test_wrong_options_are_one_sentence_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    given = ("score", tmp_path / "data", "--model", "bundled", "--out")
    done = run(*given, tmp_path / "out", "--keep", "read>1")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--keep is 'read>1'; compare the score with a number from 0 to 1" in done.stderr
    done = run(*given, tmp_path / "data" / "inside")
    assert done.returncode == 2
    assert "lies in the dataset" in done.stderr
    done = run(*given, tmp_path / "out")
    assert done.returncode == 2
    assert "has no dataset.json" in done.stderr
