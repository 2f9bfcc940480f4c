"""How well `synthtext fit` finds the recipe of crops, and how real the crops of a fit look.

`planted`: random recipes that the estimator has not seen draw 500 crops each. Measured are the
error of the estimate of every factor, and how often its 90 % intervals contain the truth. One
estimator is used for all.

`real FOLDER...`: a recipe is fitted to each folder of crops. A classifier then tells real crops
from those of the default recipe, of `ocr-crops` and of the fitted one, on held-out crops.

Run it as `fit.py OUT planted` or `fit.py OUT real FOLDER...`; drawn crops and trained networks
are kept in OUT, so that another run continues from there.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from probes.fitting.crops import Crops
from probes.fitting.drawing import Materials, draw_crops
from probes.fitting.estimator import Estimator
from probes.fitting.fit import (
    FitConfig,
    Fitted,
    calibrate,
    find_planted,
    make_schedule,
    plant,
    run_fit,
    run_round,
    seed_of,
)
from probes.fitting.population import Z_90, describe, is_log, shrink
from probes.fitting.proposal import make_targets, prior_of, quantiles
from probes.fitting.reading import read_crops
from probes.fitting.stages import Stages
from probes.fitting.two_sample import N_EPOCHS, TwoSample, tell_apart
from probes.fitting.wording import add_signs
from probes.metrics.intervals import wilson
from synthtext.drawing.fonts import read_catalogue
from synthtext.draws import Choice, Draw
from synthtext.recipe import Recipe, edit_recipe, read_recipe
from synthtext.recipe_toml import format_recipe
from synthtext.texts.words import read_words

N_RECIPES, N_CROPS = 30, 500

CROPPED = {"width_px": "0", "height_px": "0", "splits": "1,0,0", "kind": "word"}


def show_progress(unit: str, n_done: int, n_all: int | None, remark: str = "") -> None:
    """Print progress on one line."""
    print(f"\r{unit}: {n_done:,} of {n_all or 0:,} {remark}   ", end="", file=sys.stderr)


def measure_planted(config: FitConfig, materials: Materials, stages: Stages) -> Table:
    """Return a row for each factor: errors of the estimates for unseen recipes."""
    targets = make_targets(materials.fonts, has_photos=False)
    first = run_round(config, targets, materials, stages)
    trust, slack = calibrate(config, first, targets, materials, stages)
    errors: dict[str, list[np.ndarray]] = {name: [] for name in targets}
    held: dict[str, list[np.ndarray]] = {name: [] for name in targets}
    blind: dict[str, list[np.ndarray]] = {name: [] for name in targets}
    known: dict[str, list[float]] = {name: [] for name in targets}
    for number in range(N_RECIPES):
        planted = plant(targets, seed_of(config.seed, f"unknown {number}"))
        found = find_planted(
            first, planted, materials, stages, count=N_CROPS,
            seed=seed_of(config.seed, f"unknown crops {number}"),
        )  # fmt: skip
        for name, raw in found.items():
            population = shrink(targets[name], raw, trust[name])
            truth = describe(targets[name], prior_of(planted[name]))
            error = np.abs(population.values - truth)
            half = np.sqrt((Z_90 * population.stds) ** 2 + slack[name] ** 2)
            errors[name].append(error)
            held[name].append(error <= half + 1e-9)
            blind[name].append(np.abs(describe(targets[name], first.priors[name]) - truth))
            known[name].append(population.known)
    table = Table("factor", "error", "of guessing the proposal", "of its span, %",
                  "90 % intervals hold, %", "known, %", "trust", box=None)  # fmt: skip
    for name, draw in targets.items():
        right = np.concatenate(held[name])
        low, high = wilson(int(right.sum()), right.size)
        error, guess = (
            float(np.median(np.concatenate(each))) for each in (errors[name], blind[name])
        )
        table.add_row(
            name, f"{error:.3g}{' octaves' if is_log(draw) else ''}", f"{guess:.3g}",
            f"{100 * error / find_span(draw):.1f}",
            f"{100 * right.mean():.0f} ({100 * low:.0f} to {100 * high:.0f})",
            f"{100 * float(np.mean(known[name])):.0f}", f"{trust[name]:g}",
        )  # fmt: skip
    return table


def find_span(draw: Draw) -> float:
    """Return the range of a factor, in the units of its errors."""
    if isinstance(draw, Choice):
        return 1.0
    low, high = quantiles(draw, np.ones(len(getattr(draw, "weights", [1]))), (0.0, 1.0))
    return float(np.log2(high / low) if is_log(draw) else high - low)


def compare_recipes(
    recipes: Mapping[str, tuple[Recipe, Materials]],
    real: Crops,
    start: Estimator,
    config: FitConfig,
    stages: Stages,
) -> dict[str, TwoSample]:
    """Return how well one kind of classifier tells real crops from those of each recipe."""
    seen = {}
    schedule = make_schedule(config, N_EPOCHS, stages.advance)
    for name, (recipe, materials) in recipes.items():
        drawn = draw_crops(
            recipe, {}, materials, count=round(1.02 * len(real)),
            seed=seed_of(config.seed, "compared"), stages=stages,
        )  # fmt: skip
        seen[name] = tell_apart(real, drawn.crops, start, schedule)
    return seen


def measure_real(
    config: FitConfig, materials: Materials, stages: Stages, out: Path
) -> tuple[Fitted, dict[str, TwoSample]]:
    """Return the fit to a folder, and how well its crops are told from those of each recipe."""
    fitted = run_fit(config, materials, stages.folder, on_progress=stages.advance)
    name = config.folder.name
    (out / f"{name}.toml").write_text(format_recipe(fitted.recipe))
    (out / f"{name}.txt").write_text("\n".join([*fitted.words, ""]))
    targets = make_targets(materials.fonts, has_photos=False)
    start = run_round(config, targets, materials, stages).estimator
    real = read_crops(
        config.folder, n_most=config.n_most, seed=config.seed, on_progress=stages.advance
    )
    listed = replace(materials, words=fitted.words)
    recipes = {
        "default, cut to the word": (edit_recipe(read_recipe("default"), CROPPED), materials),
        "ocr-crops": (edit_recipe(read_recipe("ocr-crops"), CROPPED), materials),
        "ocr-crops, words of the fit": (edit_recipe(read_recipe("ocr-crops"), CROPPED), listed),
        "fitted": (fitted.recipe, listed),
    }
    return fitted, compare_recipes(recipes, real.crops, start, config, stages)


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("what", choices=("planted", "real"))
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--count", type=int, default=12_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    out: Path = given.out
    out.mkdir(parents=True, exist_ok=True)
    listed = add_signs(read_words("en").items, seed=0)
    materials = Materials(listed, read_catalogue())
    stages = Stages(out / "work", show_progress)
    config = FitConfig(out, count=given.count, n_rounds=given.rounds, device=given.device)
    begin = time.perf_counter()
    if given.what == "planted":
        Console(width=120).print(measure_planted(config, materials, stages))
    for folder in given.folders:
        _, seen = measure_real(replace(config, folder=folder), materials, stages, out)
        table = Table(folder.name, "told apart, %", "crops", box=None)
        for name, each in seen.items():
            accuracy = (
                f"{100 * each.accuracy:.1f} ({100 * each.low:.1f} to {100 * each.high:.1f})"
            )
            table.add_row(name, accuracy, f"{each.n:,}")
        Console(width=120).print(table)
    print(f"{(time.perf_counter() - begin) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
