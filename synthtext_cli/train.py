"""The command that fine-tunes: finetune."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from probes.training.arms import ARMS
from synthtext.storage import parse_local
from synthtext_cli.config_file import ConfigFile
from synthtext_cli.console import print_table, print_text, say, show_progress
from synthtext_cli.options import (
    Compiled,
    Device,
    NoVerify,
    Precision,
    Pretrained,
    Seed,
    need_probes,
)
from synthtext_cli.runs import APART, Overwrite, check_run, note_run, read_line

AFTERWARDS = frozenset({"retention", "retention_limit", "no_verify"})
"""Options of the evaluation, which may change without repeating the training."""


def finetune(
    context: typer.Context,
    *,
    model: Annotated[
        str, typer.Option(help="bundled, open_clip name, hf:ORG/NAME, or model folder.")
    ],
    data: Annotated[Path, typer.Option(help="Dataset written by `render`, to train on.")],
    out: Annotated[
        Path,
        typer.Option(
            parser=parse_local,
            metavar="DIR",
            help="Folder of the run; a run that was stopped resumes.",
        ),
    ],
    pretrained: Pretrained = None,
    task: Annotated[
        str,
        typer.Option(help="words: captions are the words; sentiment: the labels of reviews."),
    ] = "words",
    arm: Annotated[str, typer.Option(help=f"What is trained: {', '.join(ARMS)}.")] = "vision",
    batches: Annotated[
        str,
        typer.Option(
            help="Batch sampler: random, or hard negatives by image, text, both or edit."
        ),
    ] = "random",
    epochs: Annotated[int, typer.Option(help="Number of epochs.", min=1)] = 1,
    steps: Annotated[int, typer.Option(help="Number of steps, instead of epochs.", min=0)] = 0,
    batch_size: Annotated[
        int, typer.Option(help="Batch size, over all processes.", min=2)
    ] = 256,
    accumulate: Annotated[
        int, typer.Option(help="Gradient accumulation: batches per step.", min=1)
    ] = 1,
    lr: Annotated[
        float,
        typer.Option(help="Peak learning rate; 0 is the default of the method.", min=0),
    ] = 0.0,
    weight_decay: Annotated[float, typer.Option(help="Weight decay of AdamW.", min=0)] = 0.1,
    warmup: Annotated[
        float, typer.Option(help="Fraction of the steps spent on warm-up.", min=0, max=1)
    ] = 0.05,
    loss: Annotated[str, typer.Option(help="Contrastive loss: clip or siglip.")] = "clip",
    no_mask: Annotated[
        bool, typer.Option("--no-mask", help="Count equal captions as negatives of each other.")
    ] = False,
    letters: Annotated[
        float, typer.Option(help="Weight of an auxiliary loss that predicts letters.", min=0)
    ] = 0.0,
    distill: Annotated[
        float, typer.Option(help="Weight of distillation from the original model.", min=0)
    ] = 0.0,
    mix: Annotated[
        Path | None,
        typer.Option(help="Folder of WebDataset shards with natural image-text pairs."),
    ] = None,
    mix_share: Annotated[
        float, typer.Option(help="Fraction of each batch taken from --mix.", min=0.0, max=0.9)
    ] = 0.25,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="FACTOR=LEVELS to hold out and evaluate separately; repeatable."),
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(help="File of prompt templates, one per line, with {} for the text."),
    ] = None,
    resample: Annotated[
        bool, typer.Option("--resample", help="Sample images with replacement.")
    ] = False,
    retention: Annotated[
        Path | None,
        typer.Option(help="Class folders or a dataset on which accuracy must be retained."),
    ] = None,
    retention_limit: Annotated[
        float,
        typer.Option(
            help="Percentage points of that accuracy that may be lost.", min=0, max=100
        ),
    ] = 1.0,
    save_every: Annotated[int, typer.Option(help="Steps between checkpoints.", min=1)] = 500,
    seed: Seed = 0,
    no_verify: NoVerify = False,
    device: Device = "auto",
    precision: Precision = "auto",
    checkpointing: Annotated[
        bool,
        typer.Option("--checkpointing", help="Gradient checkpointing: less memory, more time."),
    ] = False,
    compiled: Compiled = False,
    options_file: ConfigFile = None,
    overwrite: Overwrite = False,
) -> None:
    """Fine-tune a model to read, and measure what it gained and retained on the test split.

    Writes model/ (loadable by open_clip and probe), report.html, summary.json, plots/ and
    tensorboard/ to the folder. If a run is stopped, the same command resumes it.

    synthtext finetune --model ViT-B-32 --data data/words --out runs/b32

    synthtext finetune --model ViT-B-32 --data data/words --out runs/hard --arm lora
    --batches both --exclude font_category=script --exclude size_px=8:12 --retention photos/
    """
    # Longer than other functions, because every option has its own line.
    need_probes()
    from probes.data.pairs import parse_exclusion
    from probes.models.prompts import read_templates
    from probes.training.config import FinetuneConfig, Schedule, check_config
    from synthtext.dataset.folders import check_outside

    config = FinetuneConfig(
        model=model,
        data=data,
        task=task,
        pretrained=pretrained,
        arm=arm,
        batches=batches,
        resamples=resample,
        exclude=parse_exclusion(exclude or []),
        mix=mix,
        mix_frac=mix_share,
        n_epochs=epochs,
        batch_size=batch_size,
        templates=read_templates(prompts) if prompts else (),
        precision=precision,
        device=device,
        checkpointing=checkpointing,
        retention=retention,
        retention_limit=retention_limit / 100,
        seed=seed,
        verify=not no_verify,
        overwrite=overwrite,
        schedule=Schedule(
            n_steps=steps,
            lr=lr,
            weight_decay=weight_decay,
            warmup_frac=warmup,
            n_accumulated=accumulate,
            loss=loss,
            masks=not no_mask,
            letters=letters,
            distill=distill,
            compiles=compiled,
            save_every=save_every,
        ),
    )
    check_config(config)
    check_outside(out, data)
    check_run(context, out, overwrite=overwrite, apart=APART | AFTERWARDS, begun=True)
    from probes.reports.finetune import list_gains, verdict, write_finetune
    from probes.training.finetune import run_finetune

    note_run(context, out)
    with show_progress(out) as advance:
        done = run_finetune(config, out, on_progress=advance)
    if done is None:  # Under torchrun only the first process reports.
        return
    write_finetune(done, out, read_line())
    print_text(verdict(done))
    table = list_gains(done.gains)
    print_table(table.columns, table.rows)
    say(f"wrote {out / 'model'} and {out / 'report.html'}")
