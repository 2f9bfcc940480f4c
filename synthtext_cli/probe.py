"""The command that measures reading: probe."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from probes.tasks.registry import TASKS
from synthtext.storage import parse_local, write_json
from synthtext_cli.config_file import ConfigFile
from synthtext_cli.console import (
    fail,
    print_table,
    say,
    show_progress,
    warn,
    warn_some,
)
from synthtext_cli.options import (
    BatchSize,
    Compiled,
    Device,
    NoVerify,
    Precision,
    Seed,
    need_probes,
)
from synthtext_cli.runs import Overwrite, check_run, note_run, read_line
from synthtext_cli.sweep import Planned, list_wanted, plan_sweep, run_sweep

if TYPE_CHECKING:
    from probes.models.base import Model
    from probes.models.model_list import WantedModel
    from probes.tasks.config import ProbeConfig
    from probes.tasks.run import Probe


LEADERBOARD = "leaderboard.json"


def probe(
    context: typer.Context,
    *,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="bundled, open_clip name, hf:ORG/NAME, model folder, onnx:DIR,"
            " python:MODULE:FACTORY, ocr:tesseract, ocr:rapidocr, hf-vlm:ORG/NAME, or"
            " responses:FILE. If it is given several times, each model is probed in its own"
            " folder, and all are compared."
        ),
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File of models to probe and compare: a name and its weights on each line.",
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
        typer.Option(help=f"Task: {', '.join(TASKS)}."),
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
            help="With --data: test, val, train or all. [all, or test if fine-tuned on it]"
        ),
    ] = None,
    design: Annotated[
        str | None,
        typer.Option(
            help="Factors to vary, or latin (hypercube)."
            " [size,contrast,rotation,blur,font,case]"
        ),
    ] = None,
    n: Annotated[
        int, typer.Option("--n", "-n", help="Number of words at each level of a factor.")
    ] = 200,
    width: Annotated[
        float,
        typer.Option(
            help="Add levels until threshold intervals are this narrow, in octaves or the"
            " factor's unit; 0 adds none."
        ),
    ] = 0.05,
    budget: Annotated[
        int | None, typer.Option(help="Maximum number of images, including the coarse scan.")
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
        typer.Option(help="Distractors: matched in length and frequency, or any."),
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
        float, typer.Option(help="Seconds that a reader may take per image.", min=0.1)
    ] = 30.0,
    export_pictures: Annotated[
        Path | None,
        typer.Option(
            parser=parse_local,
            metavar="DIR",
            help="Folder for the images and a table to fill in, instead of a probe.",
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
        typer.Option(help="Number of images of --data to use, sampled at random.", min=1),
    ] = None,
    options_file: ConfigFile = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure a model's zero-shot reading accuracy per factor, with intervals.

    Writes outcomes.parquet, summary.json, report.html and plots/ into the folder.

    synthtext probe --model ViT-L-14 --design size,rotation,contrast --n 200 --out results/l14

    synthtext probe --model ViT-B-32 --data data/words --out results/words

    synthtext probe --model ocr:tesseract --design size,blur --n 100 --out results/tesseract

    synthtext probe --models models.txt --out results
    """
    # Longer than other functions, because every option has its own line.
    if linear and (data is None or task != "sentiment"):
        fail("--linear needs labelled images; add --task sentiment --data DIR")
    need_probes()
    from probes.models.prompts import read_templates
    from probes.tasks.config import ProbeConfig, check_names
    from synthtext.dataset.folders import check_outside

    wanted = list_wanted(model or (), models, pretrained)
    config = ProbeConfig(
        task=task,
        design=design or ProbeConfig.design,
        data=data,
        split=split or _choose_split(wanted, data),
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
    if not wanted or out is None:
        fail(
            "give --model and --out, or --export-pictures DIR to have the images read elsewhere"
        )
    check_outside(out, data)
    is_sweep = len(wanted) > 1 or models is not None
    if is_sweep:
        planned = plan_sweep(context, wanted, out, split=config.split, overwrite=overwrite)
    else:
        context.params["model"] = wanted[0].name
        _refuse_leaderboard(out, overwrite=overwrite)
        check_run(context, out, overwrite=overwrite)
        planned = [Planned(wanted[0], out, context, is_finished=False)]
    from probes.models.factory import load_model
    from probes.tasks.run import check_config

    check_config(config)
    load = functools.partial(
        load_model,
        device=device,
        precision=precision,
        compile=compiled,
        batch_size=batch_size,
        time_limit_s=time_limit,
    )

    def run_one(each: Planned, line: str) -> None:
        loaded = load(each.wanted.name, pretrained=each.wanted.pretrained)
        note_run(each.context, each.folder, line)
        done = _run(loaded, config, each.folder, linear=linear)
        if done is not None:  # Under torchrun only the first process reports.
            _report(done, each.folder, line or read_line(), is_brief=is_sweep)

    if is_sweep:
        run_sweep(context, planned, out, run_one)
    else:
        run_one(planned[0], "")


def _run(model: Model, config: ProbeConfig, out: Path, *, linear: bool) -> Probe | None:
    """Probe a model; return None under torchrun in every process but the first."""
    from probes.tasks.run import run_probe

    with show_progress(out) as advance:
        done = run_probe(model, config, out, on_progress=advance)
    if done is not None and linear and config.data is not None:
        found = _probe_linear(model, config.data, out, verify=config.verify)
        done = dataclasses.replace(done, linear=found)
    return done


def _refuse_leaderboard(out: Path, *, overwrite: bool) -> None:
    if not overwrite and (out / LEADERBOARD).exists():
        fail(f"{out} holds a leaderboard; give another --out, or --overwrite")


def _choose_split(wanted: Sequence[WantedModel], data: Path | None) -> str | None:
    """Return `test` for a dataset that a model was fine-tuned on, by its run's record."""
    from probes.training.provenance import was_tuned_on

    if data is None:
        return None
    return "test" if any(was_tuned_on(Path(model.name), data) for model in wanted) else None


def _report(done: Probe, out: Path, command: str, *, is_brief: bool) -> None:
    """Write the report of a probe and print its tables, or only its summary."""
    from probes.reports.losses import list_losses
    from probes.reports.probe import (
        find_verdict,
        list_faults,
        list_tables,
        make_headline,
        write_probe,
    )

    summary = write_probe(done, out, command)
    say(f"{done.model.name} {find_verdict(done, summary)}")
    if not is_brief:
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
    """Run a linear probe in addition; write `linear.json` and return its results."""
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
