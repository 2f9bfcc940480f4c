"""Commands that measure reading: probe, compare."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from probes.tasks.registry import TASKS
from synthtext.storage import parse_local
from synthtext_cli.config_file import ConfigFile
from synthtext_cli.console import (
    fail,
    print_table,
    say,
    show_progress,
    warn,
    warn_some,
    write_json,
)
from synthtext_cli.options import (
    BatchSize,
    Compiled,
    Device,
    NoVerify,
    Precision,
    Seed,
    need_probes,
    parse_file,
)
from synthtext_cli.runs import Overwrite, check_run, note_run

if TYPE_CHECKING:
    from probes.models.base import Model
    from probes.tasks.config import ProbeConfig
    from probes.tasks.run import Probe


def _parse_csv(text: str) -> Path:
    return parse_file(text, ".csv")


def probe(
    context: typer.Context,
    *,
    model: Annotated[
        str | None,
        typer.Option(
            help="open_clip name, hf:ORG/NAME, model folder, python:MODULE:FUNCTION,"
            " ocr:tesseract, ocr:rapidocr, hf-vlm:ORG/NAME, or responses:FILE."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(parser=parse_local, metavar="DIR", help="Folder for the results."),
    ] = None,
    pretrained: Annotated[
        str | None,
        typer.Option(
            help="Weights: open_clip tag, file, TAG=FILE, or random. [openai if it exists]"
        ),
    ] = None,
    task: Annotated[
        str,
        typer.Option(help=f"What is asked: {', '.join(TASKS)}."),
    ] = "words",
    data: Annotated[
        Path | None,
        typer.Option(
            help="Dataset written by `render`, instead of a design; with --task attack a folder"
            " of photographs named label=OBJECT_text=WORD, or with a metadata.jsonl."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="With --data: test, val, train or all. [all, or test if it was tuned on]"
        ),
    ] = None,
    design: Annotated[
        str | None,
        typer.Option(
            help="Factors to vary, or latin (hypercube) [size,contrast,rotation,blur,font,case]"
        ),
    ] = None,
    n: Annotated[
        int, typer.Option("--n", "-n", help="Words shown at each level of a factor.")
    ] = 200,
    width: Annotated[
        float,
        typer.Option(
            help="Add levels until intervals of thresholds are this narrow, in octaves or the"
            " factor's unit; 0 adds none."
        ),
    ] = 0.05,
    budget: Annotated[
        int | None, typer.Option(help="Most images, those of the coarse scan included.")
    ] = None,
    k: Annotated[
        str | None,
        typer.Option(
            "--k",
            help="Numbers of candidates, K, for K-way classification. [2,10,100,1000,10000]",
        ),
    ] = None,
    vocabulary: Annotated[
        str | None,
        typer.Option(
            help="Word list for the words shown and the candidates; with --data, "
            "further candidates. [en]"
        ),
    ] = None,
    rivals: Annotated[
        str,
        typer.Option(help="Candidates as long and as common as the word (matched), or any."),
    ] = "matched",
    prompts: Annotated[
        Path | None,
        typer.Option(help="File of prompt templates, one per line, with {} for the word."),
    ] = None,
    linear: Annotated[
        bool,
        typer.Option(
            "--linear", help="With --task sentiment and --data: also train a linear probe."
        ),
    ] = False,
    seed: Seed = 0,
    time_limit: Annotated[
        float, typer.Option(help="Seconds that a reader may take for one image.", min=0.1)
    ] = 30.0,
    export_pictures: Annotated[
        Path | None,
        typer.Option(
            parser=parse_local,
            metavar="DIR",
            help="Write the images and a table for answers, to be read elsewhere.",
        ),
    ] = None,
    no_verify: NoVerify = False,
    device: Device = "auto",
    precision: Precision = "auto",
    compiled: Compiled = False,
    batch_size: BatchSize = 256,
    workers: Annotated[
        int, typer.Option(help="Threads that draw or read images ahead of the model.", min=1)
    ] = 2,
    limit: Annotated[
        int | None,
        typer.Option(help="Number of images of --data to show, drawn at random.", min=1),
    ] = None,
    options_file: ConfigFile = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure a model's zero-shot reading accuracy per factor, with intervals.

    Writes outcomes.parquet, summary.json, report.html and plots/ into the folder.

    synthtext probe --model ViT-L-14 --design size,rotation,contrast --n 200 --out results/l14

    synthtext probe --model ViT-B-32 --data data/words --out results/words

    synthtext probe --model ocr:tesseract --design size,blur --n 100 --out results/tesseract
    """
    if linear and (data is None or task != "sentiment"):
        fail("a linear probe learns from labelled pictures; add --task sentiment --data DIR")
    need_probes()
    from probes.models.prompts import read_templates
    from probes.tasks.config import ProbeConfig, check_names
    from synthtext.dataset.folders import check_outside

    config = ProbeConfig(
        task=task,
        design=design or ProbeConfig.design,
        data=data,
        split=split or _choose_split(model, data),
        n=n,
        ks=_parse_whole("--k", k) if k else (),
        templates=read_templates(prompts) if prompts else (),
        vocabulary=vocabulary,
        rivals=rivals,
        seed=seed,
        verify=not no_verify,
        width=width or None,
        budget=budget,
        limit=limit,
        n_workers=workers,
    )
    check_names(config)
    if export_pictures is not None:
        _export_pictures(config, export_pictures)
        return
    if model is None or out is None:
        fail(
            "give --model and --out, or --export-pictures DIR to have the images read elsewhere"
        )
    check_outside(out, data)
    check_run(context, out, overwrite=overwrite)
    from probes.models.factory import load_model
    from probes.tasks.run import check_config, run_probe

    check_config(config)
    loaded = load_model(
        model,
        pretrained=pretrained,
        device=device,
        precision=precision,
        compile=compiled,
        batch_size=batch_size,
        time_limit_s=time_limit,
    )
    note_run(context, out)
    with show_progress(out) as advance:
        done = run_probe(loaded, config, out, on_progress=advance)
    if done is None:  # Under torchrun the first process alone reports.
        return
    if linear and data is not None:
        found = _probe_linear(loaded, data, out, verify=not no_verify)
        done = dataclasses.replace(done, linear=found)
    _report(done, out)


def compare(
    one: Annotated[Path, typer.Argument(help="Folder of results.", metavar="A")],
    other: Annotated[
        Path, typer.Argument(help="Folder of results on the same images.", metavar="B")
    ],
    out: Annotated[
        Path | None, typer.Option(parser=_parse_csv, metavar="FILE", help="CSV file to write.")
    ] = None,
) -> None:
    """Compare two probes image by image: exact McNemar test and paired differences.

    synthtext compare results/b32 results/l14
    """
    need_probes()
    from probes.metrics.breakdown import list_factors, take_scan
    from probes.metrics.paired import compare as compare_rows
    from probes.tasks.outcomes import read_outcomes
    from synthtext.storage import replace_file

    # Levels that were added differ from reader to reader.
    first, second = take_scan(read_outcomes(one)), take_scan(read_outcomes(other))
    table = compare_rows(first, second, list_factors(first))
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


def _choose_split(model: str | None, data: Path | None) -> str | None:
    """Return `test` for a dataset that a model was tuned on, as the run beside it says."""
    from probes.training.provenance import was_tuned_on

    return "test" if model and data and was_tuned_on(Path(model), data) else None


def _report(done: Probe, out: Path) -> None:
    """Write the report of a probe and print its tables."""
    from probes.reports.losses import list_losses
    from probes.reports.probe import (
        find_verdict,
        list_faults,
        list_tables,
        make_headline,
        write_probe,
    )

    summary = write_probe(done, out)
    say(f"{done.model.name} {find_verdict(done, summary)}")
    headline = make_headline(done, summary)
    print_table(headline.columns, headline.rows)
    say(headline.note)
    for table in list_tables(done, summary):
        print_table(table.columns, table.rows, table.title)
    for what, amount in list_losses(summary):
        warn(f"{what}: {amount}")
    warn_some("cannot be read", done.broken)
    warn_some("no answer to", list_faults(done.outcomes))
    say(f"wrote {out / 'report.html'}")


def _export_pictures(config: ProbeConfig, folder: Path) -> None:
    """Write the images of a probe and a table to fill in."""
    from probes.tasks.exporting import TABLE, export_pictures

    with show_progress() as advance:
        n = export_pictures(config, folder, on_progress=advance)
    say(
        f"wrote {n:,} images and {folder / TABLE}; fill in its column answer, then probe with"
        f" the same options and --model responses:{folder / TABLE}"
    )


def _probe_linear(model: Model, data: Path, out: Path, *, verify: bool) -> dict[str, Any]:
    """Run a linear probe beside a zero-shot one; write `linear.json` and return its figures."""
    import shutil

    from probes.embeddings.images import FOLDER
    from probes.tasks.linear_probe import describe_linear, run_linear

    found = describe_linear(run_linear(model, data, out / FOLDER, verify=verify))
    shutil.rmtree(out / FOLDER)
    write_json(out / "linear.json", found)
    return found


def _parse_whole(option: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not a list of whole numbers", param_hint=option
        ) from (error)
