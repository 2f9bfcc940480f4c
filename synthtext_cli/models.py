"""Commands about models and experiments: models, bench, experiments."""

from __future__ import annotations

from typing import Annotated

import typer

from synthtext_cli.console import (
    print_table,
    print_text,
)
from synthtext_cli.options import Compiled, Device, Precision, make_plan, need_probes


def experiments() -> None:
    """List the experiments that synthtext was made for, with the commands that run them.

    synthtext experiments
    """
    from synthtext_cli.experiments import EXPERIMENTS, find_page

    for experiment in EXPERIMENTS:
        print_table((experiment.title,), ())
        print_text(experiment.question)
        for command in experiment.commands:
            print_text(f"  {command}")
        print_text(f"  {find_page(experiment)}")
        print_text()


def models(
    find: Annotated[str, typer.Option(help="List only models whose names contain this.")] = "",
) -> None:
    """List the models of open_clip: input, patch, parameters, GFLOP, cached weights.

    With --find, their pretrained tags are listed too.

    synthtext models --find ViT-L
    """
    need_probes()
    from probes.models.registry import list_models

    found = [row for row in list_models() if find.lower() in row.name.lower()]
    rows = [
        (
            row.name, row.input_px or "", row.patch_px or "",
            f"{row.parameters_m:,.1f}" if row.parameters_m else "",
            f"{row.gflop:,.1f}" if row.gflop else "",
            ",".join(row.cached),
        )
        for row in found
    ]  # fmt: skip
    print_table(("model", "px", "patch", "M param", "GFLOP", "cached"), rows)
    if find:
        # With two columns, even narrow terminals have space for a tag.
        tags = [(row.name, tag) for row in found for tag in row.tags]
        print_table(("model", "tag"), tags, "Tags for --pretrained")


def bench(
    *,
    n: Annotated[int, typer.Option("--n", help="Images per round.", min=1)] = 512,
    probed: Annotated[bool, typer.Option("--probe", help="Measure a model as well.")] = False,
    model: Annotated[
        str, typer.Option(help="bundled, open_clip name, hf:ORG/NAME, or model folder.")
    ] = "ViT-B-32",
    pretrained: Annotated[
        str, typer.Option(help="Weights: open_clip tag, file, TAG=FILE, or random.")
    ] = "random",
    device: Device = "auto",
    precision: Precision = "auto",
    compiled: Compiled = False,
) -> None:
    """Measure the throughput of rendering and, with --probe, of a model on this machine.

    synthtext bench --probe --model ViT-L-14 --n 4096
    """
    from synthtext.dataset.generate import measure_drawing

    plan = make_plan(None, None, "default", {"splits": "1,0,0"}, None, None, seed=0, count=n)
    rows: list[tuple[str, str]] = [
        ("rendering, one process, images/s", f"{measure_drawing(plan):,.0f}")
    ]
    if probed:
        need_probes()
        from probes.embeddings.throughput import measure_speed
        from probes.models.factory import load_model

        loaded = load_model(
            model, pretrained=pretrained, device=device, precision=precision, compile=compiled
        )
        found = measure_speed(loaded, n)
        rows += [
            ("device, precision", f"{loaded.device}, {loaded.precision}"),
            ("embedding from memory, images/s", f"{found.in_memory:,.1f}"),
            ("end to end, images/s", f"{found.end_to_end:,.1f}"),
            ("end to end, relative to memory", f"{found.end_to_end / found.in_memory:.2f}"),
            ("fraction of time waiting for images", f"{found.share_waiting:.1%}"),
            ("matrix product, TFLOP/s", f"{found.ceiling_tflops:,.2f}"),
        ]
        if found.tflops is not None:
            share = found.tflops / found.ceiling_tflops
            rows.append(
                ("encoder, TFLOP/s", f"{found.tflops:,.2f}, {share:.0%} of the matrix product")
            )
    print_table(("bench", ""), rows)
