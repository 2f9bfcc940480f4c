from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from probes import table_files
from probes.errors import ProbeError
from probes.metrics.breakdown import tabulate_headline
from probes.metrics.paired import compare
from probes.reports.imported import write_imported
from probes.tasks.imported import ImportConfig, import_outcomes, tabulate_by
from probes.tasks.outcomes import read_outcomes, write_outcomes

CONFIG = ImportConfig(by=("area", "kind"), clusters=("object", "attack"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a table of a hundred rows; those with small notes are right."""
    rows = ["key,truth,guess,area,kind,object,attack,note"]
    for number in range(100):
        area = 0.01 * number
        object_, attack = f"o{number % 10}", f"a{number // 10}"
        guess = object_.upper() if area < 0.6 else attack
        kind = "paper" if number % 2 else "photo"
        rows.append(f'k{number},{object_},{guess},{area:.2f},{kind},{object_},{attack},"x, y"')
    path = tmp_path / "scores.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_table_becomes_outcomes_that_are_read_again(table: Path, tmp_path: Path) -> None:
    outcomes = import_outcomes(table, CONFIG)
    write_outcomes(tmp_path / "outcomes.parquet", outcomes)
    again = read_outcomes(tmp_path)
    assert len(again) == 100
    assert again["correct"].mean() == 0.6
    assert (again["k"] == 14).all()  # Ten truths, and four other answers.
    assert again["area"].dtype == float
    assert again["kind"].tolist()[:2] == ["photo", "paper"]
    assert tabulate_headline(again)["accuracy"].tolist() == [0.6]
    assert compare(again, again, ["kind"])["difference"].eq(0).all()


def test_accuracy_is_broken_down_by_a_column(table: Path) -> None:
    outcomes = import_outcomes(table, CONFIG)
    area = tabulate_by(outcomes, "area", CONFIG)
    assert area.is_number
    assert area.table["accuracy"].tolist()[0] == 1
    assert area.table["accuracy"].tolist()[-1] == 0
    assert (area.table["low"] <= area.table["accuracy"]).all()
    kind = tabulate_by(outcomes, "kind", CONFIG)
    assert kind.table["label"].tolist() == ["paper", "photo"]
    assert kind.table["n_seen"].tolist() == [50, 50]


def test_a_summary_and_a_page_are_written(table: Path, tmp_path: Path) -> None:
    config = ImportConfig(by=("area", "kind"), clusters=("object", "attack"), k=2)
    summary, tables = write_imported(
        import_outcomes(table, config), config, table, tmp_path / "out"
    )
    held = json.loads((tmp_path / "out/summary.json").read_text())
    assert held["headline"] == summary["headline"]
    assert held["headline"]["accuracy"] == 0.6
    assert held["headline"]["low"] < 0.6 < held["headline"]["high"]
    assert held["headline"]["chance"] == 0.5
    assert [each.title for each in tables] == [
        "Headline",
        "area",
        "kind",
        "Most frequent mistakes",
    ]
    assert (tmp_path / "out/plots/area.png").stat().st_size > 5000
    assert "60.0 % of the answers are correct" in (tmp_path / "out/report.html").read_text()


def test_without_columns_there_is_a_headline_by_truth(table: Path, tmp_path: Path) -> None:
    config = ImportConfig()
    summary, _ = write_imported(import_outcomes(table, config), config, table, tmp_path)
    assert summary["columns"]["clusters"] == ["truth"]
    assert summary["headline"]["n"] == 100


def test_parquet_is_read_as_well(table: Path, tmp_path: Path) -> None:
    pd.read_csv(table).to_parquet(tmp_path / "scores.parquet")
    assert import_outcomes(tmp_path / "scores.parquet", CONFIG)["correct"].mean() == 0.6


@pytest.mark.parametrize(
    ("text", "config", "sentence"),
    [
        (
            "key,truth\na,b\n",
            ImportConfig(),
            "{}: the rows have no column 'guess'; use one of key, truth",
        ),
        ("key,truth,guess\n", ImportConfig(), "{} has no rows to import"),
        ("key,truth,guess\na,b,c\na,b,c\n", ImportConfig(), "{} has the key 'a' twice"),
        ("key,truth,guess\na,,c\n", ImportConfig(), "{} has no truth for 'a'"),
        (
            "key,truth,guess,o\na,b,c,\n",
            ImportConfig(clusters=("o",)),
            "{} has rows without o, so they belong to no cluster",
        ),
        (
            "key,truth,guess,word\na,b,c,d\n",
            ImportConfig(clusters=("word",)),
            "{} has the column 'word', which is the name of a column of outcomes; rename it",
        ),
        ("key,truth,guess\na,b,c\n", ImportConfig(k=1), "K is 1; it must be 2 or more"),
    ],
)
def test_a_table_that_cannot_be_imported_is_one_sentence(
    tmp_path: Path, text: str, config: ImportConfig, sentence: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(ProbeError) as caught:
        import_outcomes(path, config)
    assert str(caught.value) == sentence.format(path)


def test_a_table_may_have_as_many_rows_as_are_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_files, "MAX_ROWS", 5)
    monkeypatch.setattr(table_files, "N_AT_ONCE", 2)
    path = tmp_path / "t.csv"
    path.write_text("key,x\n" + "".join(f"{k},\n" for k in range(5)) + "\n")
    found = table_files.read_table_file(path)
    assert (found["key"].tolist(), found["x"].tolist()) == (list("01234"), [""] * 5)
    path.write_text("key,x\n" + "".join(f"{k},\n" for k in range(6)))
    with pytest.raises(ProbeError) as caught:
        table_files.read_table_file(path)
    assert (
        str(caught.value) == f"{path} has more than 5 rows; give a table with as many at most"
    )
    path.write_text("key,x\n1,2\n3,4\n5\n")
    with pytest.raises(ProbeError, match="has 1 cells in row 4, but 2 columns"):
        table_files.read_table_file(path)
