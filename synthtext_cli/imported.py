"""The command for outcomes from other programs: import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synthtext_cli.console import print_table, say
from synthtext_cli.options import Results, need_probes
from synthtext_cli.runs import Overwrite, check_run, note_run, read_line


def import_table(
    context: typer.Context,
    *,
    table: Annotated[Path, typer.Argument(help="CSV, TSV or Parquet file.", metavar="TABLE")],
    out: Results,
    by: Annotated[
        str, typer.Option(metavar="COLUMNS", help="Columns by which to break accuracy down.")
    ] = "",
    cluster: Annotated[
        str,
        typer.Option(
            metavar="COLUMNS",
            help="Columns to cluster by; several may be crossed. [the truth]",
        ),
    ] = "",
    key: Annotated[str, typer.Option(help="Column that names each row.")] = "key",
    truth: Annotated[str, typer.Option(help="Column of the correct answers.")] = "truth",
    guess: Annotated[str, typer.Option(help="Column of the given answers.")] = "guess",
    k: Annotated[
        int | None,
        typer.Option("--k", help="Number of possible answers. [as many as the table has]"),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Turn a table of truths and guesses into outcomes, a summary and a report.

    `compare` takes the results like those of a probe.

    synthtext import answers.csv --by note_area --cluster object,attack --out results/theirs
    """
    need_probes()
    from probes.reports.imported import write_imported
    from probes.tasks.imported import ImportConfig, check_names, import_outcomes
    from probes.tasks.outcomes import write_outcomes

    config = ImportConfig(
        by=check_names(by.split(",")),
        clusters=check_names(cluster.split(",")),
        key=key,
        truth=truth,
        guess=guess,
        k=k,
    )
    check_run(context, out, overwrite=overwrite)
    outcomes = import_outcomes(table, config)
    note_run(context, out)
    write_outcomes(out / "outcomes.parquet", outcomes)
    _, tables = write_imported(outcomes, config, table, out, read_line())
    for each in tables:
        print_table(each.columns, each.rows, each.title)
    say(f"wrote {out / 'report.html'}")
