"""The command that compares results: compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from synthtext.storage import parse_local
from synthtext_cli.console import fail, print_table
from synthtext_cli.options import need_probes, parse_file
from synthtext_cli.runs import RESULT
from synthtext_cli.sweep import compare_many

if TYPE_CHECKING:
    from probes.tasks.results import Result


OTHER_FILES = (".html", ".json", ".parquet", ".tsv", ".txt", ".xlsx")
"""Extensions of other file types, which are refused as names of folders."""


def _parse_target(text: str) -> Path:
    """Return a CSV file to write, or a folder."""
    if text.lower().endswith((".csv", *OTHER_FILES)):
        return parse_file(text, ".csv")
    folder = parse_local(text)
    if folder.is_file():
        fail(f"{folder} is a file; give a folder, or a name with .csv")
    if (folder / RESULT).exists():
        fail(f"{folder} has the results of a probe; give another --out")
    return folder


def compare(
    results: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of results on the same images, or files of outcomes.",
            metavar="A B ...",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            parser=_parse_target,
            metavar="DIR",
            help="Folder for a leaderboard and its page or, for two results, a CSV file.",
        ),
    ] = None,
) -> None:
    """Compare probes image by image: exact McNemar tests and paired differences.

    Two are compared level by level. For more, or with a folder, there is a leaderboard:
    accuracy and thresholds with intervals, all pairs tested, and all curves in the same plots.

    synthtext compare results/b32 results/l14

    synthtext compare results/* --out leaderboard
    """
    need_probes()
    from probes.tasks.results import check_same, read_results

    is_table = out is not None and out.suffix.lower() == ".csv"
    if len(results) < 2:
        fail(f"there is one result, {results[0]}; give two or more")
    if len(results) > 2 and is_table:
        fail(
            f"{out} would be a table of two results, but there are {len(results)}; give a"
            " folder"
        )
    found = read_results(results)
    if len(found) > 2 or (out is not None and not is_table):
        compare_many(found, out)
        return
    check_same(found)
    _compare_two(found[0], found[1], out)


def _compare_two(one: Result, other: Result, out: Path | None) -> None:
    from probes.metrics.breakdown import list_factors, take_scan
    from probes.metrics.leaderboard import list_shared
    from probes.metrics.paired import compare as compare_rows
    from synthtext.storage import replace_file

    # Added levels differ between readers.
    tables = first, second = take_scan(one.outcomes), take_scan(other.outcomes)
    table = compare_rows(first, second, list_shared(tables, list_factors(first)))
    if out:
        replace_file(out, table.to_csv(index=False).encode())
    rows = [
        (
            row["factor"], row["baseline"], row["level"], row["n_seen"],
            f"{row['accuracy_a']:.3f}", f"{row['accuracy_b']:.3f}",
            f"{row['difference']:+.3f}",
            f"{row['low']:+.3f} to {row['high']:+.3f}", f"{row['p_holm']:.2g}",
        )
        for row in table.to_dict("records")
    ]  # fmt: skip
    names = ("factor", "baseline", "level", "n", "A", "B", "B - A", "95 % interval", "p (Holm)")
    print_table(names, rows)
