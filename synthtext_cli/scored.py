"""The command that scores a dataset: score."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synthtext.storage import parse_local
from synthtext_cli.console import N_NAMED, print_table, say, show_progress
from synthtext_cli.options import (
    BatchSize,
    Device,
    Folder,
    NoVerify,
    Precision,
    Pretrained,
    Seed,
    need_probes,
)


def score(
    folder: Folder,
    *,
    model: Annotated[
        str,
        typer.Option(
            help="bundled, open_clip name, hf:ORG/NAME, model folder, onnx:DIR,"
            " python:MODULE:FACTORY, ocr:tesseract, ocr:rapidocr, or hf-vlm:ORG/NAME."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            parser=parse_local,
            metavar="DIR",
            help="Folder to write; an unfinished copy is continued.",
        ),
    ],
    pretrained: Pretrained = None,
    keep: Annotated[
        str | None,
        typer.Option(help="Keep only images that meet a condition, such as 'p_read>0.9'."),
    ] = None,
    seed: Seed = 0,
    time_limit: Annotated[
        float, typer.Option(help="Seconds that a reader may take for one image.", min=0.1)
    ] = 30.0,
    no_verify: NoVerify = False,
    device: Device = "auto",
    precision: Precision = "auto",
    batch_size: BatchSize = 256,
) -> None:
    """Write a copy of a dataset with each image's probability of being read.

    It is p_read in KEY.json; dataset.json records how it was computed, and by which model.

    synthtext score data/words --model ocr:rapidocr --out data/scored --keep 'p_read>0.9'
    """
    from synthtext.dataset.folders import check_outside
    from synthtext.dataset.scoring import parse_keep

    chosen = None if keep is None else parse_keep(keep)
    check_outside(out, folder)
    need_probes()
    from probes.models.factory import load_model
    from probes.tasks.scoring import score_dataset

    loaded = load_model(
        model,
        pretrained=pretrained,
        device=device,
        precision=precision,
        batch_size=batch_size,
        time_limit_s=time_limit,
    )
    with show_progress(out) as advance:
        manifest = score_dataset(
            loaded, folder, out,
            keep=chosen, seed=seed, verify=not no_verify, on_progress=advance,
        )  # fmt: skip
    counts = manifest["counts"]
    left_out = [each for each in manifest["not_drawn"] if each["reason"].startswith("p_read")]
    rows = [
        ("images", f"{counts['drawn'] + len(left_out):,}"),
        ("kept", f"{counts['drawn']:,}"),
        ("left out by p_read", f"{len(left_out):,}"),
    ]
    print_table((str(out), ""), rows)
    for each in left_out[:N_NAMED]:
        say(f"left out: {each['index']:09d}, {each['reason']}")
    if len(left_out) > N_NAMED:
        say(f"dataset.json lists all {len(left_out):,} images that were left out")
