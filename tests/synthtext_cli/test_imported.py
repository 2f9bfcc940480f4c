from __future__ import annotations

from pathlib import Path

from command_line import run

TABLE = "key,truth,guess,area,object\n" + "".join(
    f"k{n},o{n % 3},{'o' if n < 7 else 'x'}{n % 3},{n},b{n % 4}\n" for n in range(12)
)


def test_a_table_is_imported_and_compared(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    options = ["--by", "area", "--cluster", "truth,object", "--out", tmp_path / "out"]
    done = run("import", tmp_path / "t.csv", *options)
    assert done.returncode == 0, done.stderr
    assert "58.3 %" in done.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "outcomes.parquet", "run.json", "run.toml", "summary.json", "report.html", "plots",
    }  # fmt: skip
    done = run("compare", tmp_path / "out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "+0.000" in done.stdout


def test_a_column_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    done = run("import", tmp_path / "t.csv", "--by", "aera", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr == (
        f"synthtext: {tmp_path / 't.csv'}: the rows have no column 'aera'; use one of area\n"
    )
    assert not (tmp_path / "out").exists()
