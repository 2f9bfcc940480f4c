from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from probes.errors import ProbeError
from probes.reports.leaderboard import measure_leaderboard
from probes.tasks.outcome_schema import MAX_LEVELS
from probes.tasks.results import check_same, read_results

SCHEMA = "docs/probing.md has the schema of outcomes"


def make_rows(n: int = 6, **columns: object) -> pd.DataFrame:
    """Return outcomes with only what the schema requires."""
    right = [number % 2 == 0 for number in range(n)]
    keys = [f"k{number}" for number in range(n)]
    rows = pd.DataFrame(
        {"key": keys, "task": "words", "word": keys, "factor": "", "k": 10, "guess": "x",
         "correct": right, "rank": [1 if each else 2 for each in right]}
    )  # fmt: skip
    return rows.assign(**columns)


def make_design(**columns: object) -> pd.DataFrame:
    rows = make_rows(
        baseline="easy", factor=["baseline", "baseline", *["size_px"] * 4],
        level=["baseline", "baseline", "8.0", "8.0", "20.0", "20.0"],
        size_px=20.0, x_height_seen_px=[9.0, 9.0, 4.0, 4.0, 9.0, 9.0], x_height_patches=np.nan,
    )  # fmt: skip
    return rows.assign(**columns)


def write(folder: Path, rows: pd.DataFrame, summary: object = None) -> Path:
    folder.mkdir()
    rows.to_parquet(folder / "outcomes.parquet", index=False)
    if summary is not None:
        (folder / "summary.json").write_text(json.dumps(summary))
    return folder


@pytest.mark.parametrize("rows", [make_rows(), make_design()])
def test_outcomes_of_the_schema_alone_are_read(rows: pd.DataFrame, tmp_path: Path) -> None:
    paths = [write(tmp_path / name, rows) for name in "ab"]
    results = read_results([paths[0], paths[1] / "outcomes.parquet"])
    board = measure_leaderboard(results)
    assert [model["name"] for model in board.models] == ["a", "outcomes"]
    assert board.condition == ("easy" if "level" in rows else "all images")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (make_rows(0), "has no rows"),
        (make_rows(k=range(2, 8)), "has rows of several K, and outcomes are about one"),
        (make_rows(look=2), "has no rows of the coarse scan, whose look is 1"),
        (make_rows(key="k"), "has the key 'k' more than once, and a key names one row"),
        (make_rows(rank=11), "has a rank that is not one of 1 to K, or a K below 2, for the key 'k0'"),
        (make_rows(rank=0), "has a rank that is not one of 1 to K, or a K below 2, for the key 'k0'"),
        (make_rows(k=1), "has a rank that is not one of 1 to K, or a K below 2, for the key 'k0'"),
        (make_rows(correct=True), "has a rank and a correct that contradict each other for the key 'k1'"),
        (make_rows(rank_at_x=1), "does not hold ranks or chances in its column rank_at_x"),
        (make_rows(rank_at_10=0), "does not hold ranks or chances in its column rank_at_10"),
        (make_rows(rank_at_10="1"), "does not hold ranks or chances in its column rank_at_10"),
        (make_rows(chance_at_10=1.5), "does not hold ranks or chances in its column chance_at_10"),
        (make_rows(confidence=np.inf), "does not hold 0 to 1 in its column confidence"),
        (make_rows(factor="size_px"), "is of a design and lacks the columns baseline, level, size_px, x_height_seen_px, x_height_patches"),
        (make_design(x_height_seen_px="x"), "does not hold numbers in its column x_height_seen_px"),
        (make_design(x_height_seen_px=np.inf), "does not hold numbers in its column x_height_seen_px"),
        (
            make_rows(70, baseline="", level="", factor=[f"f{k}" for k in range(70)]),
            "varies 70 factors; the limit is 64",
        ),
        (
            make_rows(2 * MAX_LEVELS, baseline="", factor="f", f=1, level=[f"{k}" for k in range(2 * MAX_LEVELS)]),
            "has 2,000 levels of one factor in 1 curves, and the limits are 1,000 in 128",
        ),
    ],
)  # fmt: skip
def test_outcomes_that_break_the_schema_are_one_sentence(
    rows: pd.DataFrame, sentence: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "a", rows)
    with pytest.raises(ProbeError) as caught:
        read_results([path])
    assert str(caught.value) == f"{path} {sentence}; {SCHEMA}"


@pytest.mark.parametrize(("column", "value", "what"), [("level", 3, "texts"), ("protocol", "2", "whole numbers")])  # fmt: skip
def test_a_column_of_another_kind_is_named(
    column: str, value: object, what: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "a", make_design(**{column: value}))
    with pytest.raises(ProbeError) as caught:
        read_results([path])
    assert str(caught.value) == (
        f"{path} does not have {what} in its column {column}; run the probe again"
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "is not JSON"),
        ("[" * 5000, "is not JSON"),
        ("[]", "does not hold a JSON object"),
    ],
)
def test_a_broken_summary_is_one_sentence(content: str, sentence: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a", make_rows())
    (path / "summary.json").write_text(content)
    with pytest.raises(ProbeError) as caught:
        read_results([path])
    assert str(caught.value) == (
        f"{path / 'summary.json'} {sentence}; delete it, or run the probe again"
    )


def test_a_summary_may_hold_anything(tmp_path: Path) -> None:
    contents: list[Any] = [{"model": 3}, {"model": {"name": ["x"], "tag": 4}}, {"question": []}]
    for number, content in enumerate(contents):
        (result,) = read_results([write(tmp_path / f"r{number}", make_rows(), content)])
        assert result.name == f"r{number}"
        assert result.find("question", "seed", "deeper") is None


def test_names_are_told_apart(tmp_path: Path) -> None:
    model = {"model": {"name": "ViT\n-B", "tag": "openai"}}
    (tmp_path / "c").mkdir()
    places = [tmp_path / "a", tmp_path / "b", tmp_path / "c/a"]
    paths = [write(place, make_rows(), model) for place in places]
    assert [result.name for result in read_results([*paths, paths[0]])] == [
        "ViT -B openai (a)", "ViT -B openai (b)", "ViT -B openai (a) #3", "ViT -B openai (a) #4",
    ]  # fmt: skip


WAY_OUT = "; compare those that agree, or probe again with the options of one (--config and its run.toml)"
SHOWN_WAY_OUT = (
    "; probe both with the same --design, --n and --data, or compare those that agree"
)


@pytest.mark.parametrize(
    ("other", "summary", "sentence"),
    [
        (make_rows(protocol=2), {}, "IN/b (2) and IN/a (1) differ in the protocol" + WAY_OUT),
        (make_rows(task="where"), {}, "IN/b (where) and IN/a (words) differ in the task" + WAY_OUT),
        (make_rows(k=100), {}, "IN/b (100) and IN/a (10) differ in the number of candidates, K" + WAY_OUT),
        (make_rows(), {"question": {"seed": 1}}, "IN/b (1) and IN/a (0) differ in the seed" + WAY_OUT),
        (make_rows(), {"question": {"rivals": "any"}}, "IN/b (any) and IN/a (matched) differ in the rivals" + WAY_OUT),
        (make_rows(), {"question": {"vocabulary": {"sha256": "b"}}}, "IN/b (b) and IN/a (a) differ in the vocabulary" + WAY_OUT),
        (make_rows(8), {}, "IN/a (6 images) and IN/b (8) differ in 2 images that only one of them was shown" + SHOWN_WAY_OUT),
        (make_rows(word="w"), {}, "IN/a and IN/b differ in word of the image 'k0'" + SHOWN_WAY_OUT),
    ],
)  # fmt: skip
def test_results_of_another_question_are_refused(
    other: pd.DataFrame, summary: object, sentence: str, tmp_path: Path
) -> None:
    own = {"question": {"seed": 0, "rivals": "matched", "vocabulary": {"sha256": "a"}}}
    paths = [
        write(tmp_path / "a", make_rows(), own), write(tmp_path / "same", make_rows(), own),
        write(tmp_path / "b", other, summary),
    ]  # fmt: skip
    results = read_results(paths)
    check_same(results[:2])
    with pytest.raises(ProbeError) as caught:
        check_same(results)
    assert str(caught.value) == sentence.replace("IN", str(tmp_path))


def test_columns_of_an_imported_table_are_factors(tmp_path: Path) -> None:
    rows = make_rows(area=["x", "y"] * 3, gap=[1.0, np.nan] * 3)
    summary = {"columns": {"by": ["area", "gap", "none", 3, [1]]}}
    paths = [write(tmp_path / name, rows, summary) for name in "ab"]
    board = measure_leaderboard(read_results(paths))
    assert list(board.factors) == ["area"]
    assert board.factors["area"]["n_seen"].tolist() == [3, 3, 3, 3]


def test_many_that_differ_are_counted(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{k}", make_rows(k=10 + k)) for k in range(6)]
    with pytest.raises(ProbeError) as caught:
        check_same(read_results(paths))
    assert "2 (12) and" in str(caught.value)
    assert " and 2 more and " in str(caught.value)


def test_levels_that_were_added_need_not_agree(tmp_path: Path) -> None:
    more = make_design(look=[1, 1, 1, 1, 2, 2])
    other = more.assign(key=[*more["key"][:4], "x", "y"])
    check_same(read_results([write(tmp_path / "a", more), write(tmp_path / "b", other)]))
