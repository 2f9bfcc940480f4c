from __future__ import annotations

import json
from pathlib import Path

import open_clip
import pytest

from command_line import run

TINY = Path(__file__).parents[1] / "helpers/tiny.json"

SMALL = ["--n", "20", "--k", "2,10", "--design", "size"]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("probe") / "a"
    done = run("probe", "--model", TINY, "--pretrained", "random", "--out", out, *SMALL)
    assert done.returncode == 0, done.stderr
    assert "1 of 10" in done.stdout
    return out


def test_a_probe_leaves_rows_figures_and_a_page(results: Path) -> None:
    assert {path.name for path in results.iterdir()} == {
        "outcomes.parquet", "run.json", "run.toml", "summary.json", "report.html", "plots",
    }  # fmt: skip


def test_a_summary_says_what_was_measured_how(results: Path) -> None:
    model = json.loads((results / "summary.json").read_text())["model"]
    assert (model["name"], model["tag"], model["precision"]) == ("tiny", "random", "fp32")
    assert len(model["weights_sha256"]) == 64
    assert model["preprocessing"]
    assert model["versions"]


def test_random_weights_are_said_to_be_at_chance(results: Path) -> None:
    headline = json.loads((results / "summary.json").read_text())["headline"]
    assert all(row["at_chance"] for row in headline)
    assert "that is chance" in (results / "report.html").read_text()


def test_a_probe_compared_with_itself_gains_nothing(results: Path, tmp_path: Path) -> None:
    done = run("compare", results, results, "--out", tmp_path / "c.csv")
    assert done.returncode == 0, done.stderr
    overall = done.stdout.splitlines()[1].split()
    assert overall[0] == "overall"
    assert "+0.000" in overall
    assert (tmp_path / "c.csv").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--model", "ViT-B-33"],
            "there is no model and no folder 'ViT-B-33'; did you mean ViT-B-32",
        ),
        (["--model", str(TINY), "--pretrained", "none.pt"], "none.pt"),
        (
            ["--model", str(TINY), "--pretrained", "random", "--task", "reading"],
            "no task 'reading'",
        ),
        (
            ["--model", str(TINY), "--pretrained", "random", "--data", "none"],
            "none has no dataset.json",
        ),
    ],
)
def test_what_cannot_be_probed_is_one_sentence(
    tmp_path: Path, options: list[str], sentence: str
) -> None:
    done = run("probe", "--out", tmp_path / "o", *SMALL, *options)
    assert done.returncode == 2
    assert done.stderr.startswith("synthtext: ")
    assert len(done.stderr.splitlines()) == 1
    assert sentence in done.stderr


def test_images_are_exported_and_their_answers_probed(tmp_path: Path) -> None:
    done = run("probe", "--export-pictures", tmp_path / "show", *SMALL)
    assert done.returncode == 0, done.stderr
    table = tmp_path / "show/responses.csv"
    table.write_text(table.read_text().replace(",,", ",a,"))
    done = run("probe", "--model", f"responses:{table}", "--out", tmp_path / "o", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "character error rate" in done.stdout
    assert json.loads((tmp_path / "o/summary.json").read_text())["faults"] == []


def test_a_probe_without_a_model_says_what_to_give() -> None:
    done = run("probe", *SMALL)
    assert done.returncode == 2
    assert done.stderr == (
        "synthtext: give --model and --out, or --export-pictures DIR to have the images read"
        " elsewhere\n"
    )


def test_a_corrupt_shard_is_one_sentence(tmp_path: Path) -> None:
    run("render", "--words", "en", "--count", "40", "--out", tmp_path / "d")
    shard = tmp_path / "d/test/000000.tar"
    shard.write_bytes(shard.read_bytes()[:3000])
    done = run("probe", "--model", TINY, "--pretrained", "random", "--data", tmp_path / "d",
               "--k", "2", "--out", tmp_path / "o")  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(f"synthtext: {shard} ")


def test_comparing_what_is_missing_is_one_sentence(tmp_path: Path) -> None:
    done = run("compare", tmp_path, tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"synthtext: {tmp_path / 'outcomes.parquet'} is missing; `synthtext probe` writes it\n"
    )


def test_models_are_listed_with_their_cost() -> None:
    lines = run("models", "--find", "ViT-L-14").stdout.splitlines()
    row = next(line.split() for line in lines if line.startswith("ViT-L-14 "))
    assert row[:5] == ["ViT-L-14", "224", "14", "427.6", "162.0"]


def test_a_tag_is_never_cut() -> None:
    done = run("models", "--find", "ViT-B-32", env={"COLUMNS": "40"})
    rows = [line.split() for line in done.stdout.splitlines()]
    tags = {row[1] for row in rows if len(row) == 2}
    assert set(open_clip.list_pretrained_tags_by_model("ViT-B-32")) <= tags
