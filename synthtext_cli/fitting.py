"""The command that estimates a recipe from crops without labels: fit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from synthtext.storage import parse_local
from synthtext_cli.config_file import ConfigFile
from synthtext_cli.console import (
    fail,
    print_table,
    print_text,
    say,
    show_progress,
    warn_broken,
    warn_some,
)
from synthtext_cli.options import Device, FontFolder, PhotoFolder, Seed, need_probes, parse_file
from synthtext_cli.runs import APART as APART_ALWAYS
from synthtext_cli.runs import Overwrite, check_run, note_run

WORK = ".fit"
"""Folder for intermediate results, inside the folder of the report."""


APART = APART_ALWAYS | {"report"}
"""Options that do not change what is estimated."""


def parse_toml(text: str) -> Path:
    """Return the path of a TOML file to write, checked before any work is done."""
    return parse_file(text, ".toml")


def fit(
    context: typer.Context,
    real: Annotated[
        Path, typer.Argument(help="Folder of word crops; no labels are read.", metavar="REAL")
    ],
    *,
    out: Annotated[
        Path, typer.Option(parser=parse_toml, metavar="FILE", help="Recipe to write, .toml.")
    ],
    report: Annotated[
        Path | None,
        typer.Option(
            parser=parse_local,
            metavar="DIR",
            help="Folder for report.html and words.txt. [--out without its extension]",
        ),
    ] = None,
    words: Annotated[
        str | None,
        typer.Option(
            help="Words to draw, from which words.txt is chosen by length: a file with one word"
            " per line, en, or lang:de:20000. [English words mixed with numbers, prices and"
            " punctuation, as on signs]"
        ),
    ] = None,
    fonts: FontFolder = None,
    backgrounds: PhotoFolder = None,
    count: Annotated[
        int,
        typer.Option(help="Crops to draw in the first round; later rounds draw half as many."),
    ] = 12_000,
    rounds: Annotated[
        int, typer.Option(help="Number of rounds; each draws crops closer to yours.")
    ] = 2,
    crops: Annotated[
        int, typer.Option(help="Maximum number of crops to use; --seed chooses among more.")
    ] = 2000,
    workers: Annotated[int, typer.Option(help="Number of processes.", min=1)] = 1,
    seed: Seed = 0,
    device: Device = "auto",
    options_file: ConfigFile = None,
    overwrite: Overwrite = False,
) -> None:
    """Estimate a recipe that draws crops like yours, from word crops without labels.

    Writes the recipe, and a folder with report.html, summary.json, plots/ and words.txt, a list
    of words with lengths like those of the crops. If a run is stopped, the same command resumes
    it.

    synthtext fit crops/ --out mine.toml

    synthtext render --recipe mine.toml --words mine/words.txt --count 100000 --out data/mine
    """
    need_probes()
    from probes.fitting.drawing import Materials
    from probes.fitting.fit import FitConfig, check_fit, run_fit
    from probes.fitting.wording import add_signs
    from synthtext.drawing.fonts import read_catalogue
    from synthtext.drawing.photos import read_photos
    from synthtext.recipe_toml import format_recipe
    from synthtext.storage import replace_file
    from synthtext.texts.words import read_words

    config = FitConfig(
        real, count=count, n_rounds=rounds, n_most=crops, seed=seed, device=device
    )
    check_fit(config)
    folder = report or out.with_suffix("")
    if folder.resolve() == real.resolve():
        fail(f"{folder} holds the crops; give another --report for the results")
    check_run(context, folder, overwrite=overwrite, apart=APART, begun=True)
    catalogue = read_catalogue(fonts)
    warn_broken(catalogue.broken)
    photos = read_photos(backgrounds) if backgrounds else None
    warn_some("left out", photos.broken if photos else ())
    listed = read_words(words).items if words else add_signs(read_words("en").items, seed=seed)
    materials = Materials(listed, catalogue, photos, workers)
    from probes.reports.fit import list_factors, verdict, write_fit

    with show_progress(folder) as advance:
        fitted = run_fit(
            config, materials, folder / WORK, on_progress=advance,
            on_checked=lambda: note_run(context, folder),
        )  # fmt: skip
    write_fit(fitted, config, folder)
    replace_file(out, format_recipe(fitted.recipe).encode())
    shutil.rmtree(folder / WORK)
    warn_some("left out", fitted.real.notes)
    print_text(verdict(fitted))
    table = list_factors(fitted)
    print_table(table.columns, table.rows)
    say(f"wrote {out}, {folder / 'words.txt'} and {folder / 'report.html'}")
