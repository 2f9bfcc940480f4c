"""A comparison of the methods and batches of `synthtext finetune` on the bundled reader.

Every run has the same images and the same number of steps. The reader has never seen
blackletter; gains are on test words, in blackletter and in all other fonts, paired by image,
with intervals that resample whole words over all seeds.

    python benchmarks/teaching.py --out runs/teaching
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.data.pairs import Pairs, parse_exclusion, read_pairs
from probes.metrics.paired import paired_difference
from probes.models.factory import Parts, load_parts, make_reader
from probes.training.config import FinetuneConfig, Schedule
from probes.training.fit import train_model
from probes.training.validation import ValidationSet, read_validation_set, read_words_right
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.plan import make_plan, read_texts
from synthtext.drawing.fonts import read_catalogue
from synthtext.recipe import edit_recipe, read_recipe

RECIPE = Path(__file__).parents[1] / "probes/models/bundled/recipe.toml"

ARMS: dict[str, dict[str, Any]] = {
    "vision": {},
    "full": {"arm": "full"},
    "lora": {"arm": "lora"},
    "head": {"arm": "head"},
    "scratch": {"arm": "scratch"},
    "image": {"batches": "image"},
    "text": {"batches": "text"},
    "both": {"batches": "both"},
    "edit": {"batches": "edit"},
    "random, no mask": {"schedule": {"masks": False}},
    "text, no mask": {"batches": "text", "schedule": {"masks": False}},
    "both, no mask": {"batches": "both", "schedule": {"masks": False}},
    "siglip": {"schedule": {"loss": "siglip"}},
    "distill 1": {"schedule": {"distill": 1.0}},
}
"""The options of each run that differ from `vision` with random batches and the mask."""

RATES = {"vision": 3e-4, "full": 3e-4, "lora": 1e-3, "head": 1e-3, "scratch": 1e-3}
"""Learning rates suitable for a model with 2 million weights."""


def main() -> None:
    """Run whatever has no result yet, and print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--model", default="bundled")
    options.add_argument("--steps", type=int, default=40)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--count", type=int, default=6000)
    options.add_argument("--only", nargs="*", default=list(ARMS))
    chosen = options.parse_args()
    data = chosen.out / "data"
    draw_data(data, chosen.count)
    parts = load_parts(chosen.model)
    validation, is_new = read_test(data, parts)
    before = read_words_right(make_reader(parts), validation, parts.source.prompts, seed=0)
    results: dict[str, dict[str, Any]] = {}
    for name in chosen.only:
        rights, seconds = [], 0.0
        for seed in range(chosen.seeds):
            begin = time.perf_counter()
            path = chosen.out / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}.json"
            if not path.exists():
                right = teach(chosen.model, data, name, seed, chosen.steps, validation)
                path.write_text(json.dumps(right.tolist()))
            rights.append(np.array(json.loads(path.read_text())))
            seconds += time.perf_counter() - begin
        results[name] = {
            "blackletter": gain(before, rights, validation, is_new),
            "other fonts": gain(before, rights, validation, ~is_new),
        }
        print(format_row(name, results[name]), f"{seconds:.0f} s", flush=True)
    print_table(before, is_new, results)


def draw_data(folder: Path, count: int) -> None:
    """Draw words in every font, half of them in blackletter; each word is drawn many times."""
    recipe = edit_recipe(
        read_recipe(RECIPE),
        {
            "font_category": "blackletter=7,sans,serif,slab,mono,handwriting,condensed,script",
            "splits": "0.7,0.1,0.2", "shard_size": "1000",
        },
    )  # fmt: skip
    texts = read_texts("en", None, recipe)["word"]
    few = replace(texts, items=texts.items[::20], labels=texts.labels[::20], name="en, 1 of 20")
    render_dataset(
        make_plan(recipe, {"word": few}, read_catalogue(), seed=7, count=count), folder
    )


def read_test(data: Path, parts: Parts) -> tuple[ValidationSet, NDArray[np.bool_]]:
    """Return all words of the test split, and which are in blackletter."""
    files = sorted((data / "test").glob("*.tar"))
    pairs: Pairs = read_pairs(files, parse_exclusion(["font_category=blackletter"]))
    validation = read_validation_set(
        pairs, len(pairs.captions), seed=0,
        fit=parts.fit_pixels, tokenize=make_reader(parts).tokenize,
    )  # fmt: skip
    return validation, pairs.is_marked


def teach(
    model: str, data: Path, name: str, seed: int, n_steps: int, validation: ValidationSet
) -> NDArray[np.bool_]:
    """Return which test words a model reads correctly after a run."""
    changes = ARMS[name]
    arm = changes.get("arm", "vision")
    schedule = Schedule(n_steps, RATES[arm], save_every=10**9, **changes.get("schedule", {}))
    others = {key: value for key, value in changes.items() if key not in ("arm", "schedule")}
    config = FinetuneConfig(
        model, data, arm=arm, batch_size=128, precision="bf16", seed=seed,
        schedule=schedule, **others,
    )  # fmt: skip
    out = data.parent / "run"
    shutil.rmtree(out, ignore_errors=True)
    trained = train_model(config, out)
    return read_words_right(
        make_reader(trained.parts), validation, trained.config.templates, seed=0
    )


def gain(
    before: NDArray[np.bool_],
    rights: list[NDArray[np.bool_]],
    validation: ValidationSet,
    members: NDArray[np.bool_],
) -> dict[str, Any]:
    """Return the mean gain over seeds, its interval, and the gain of each seed."""
    words = validation.truths[members]
    found = paired_difference(
        np.tile(before[members], len(rights)),
        np.concatenate([right[members] for right in rights]),
        np.tile(words, len(rights)),
    )
    each = [float(right[members].mean() - before[members].mean()) for right in rights]
    return {"mean": found.mean, "low": found.low, "high": found.high, "seeds": each}


def format_row(name: str, row: dict[str, dict[str, Any]]) -> str:
    """Return a row of the table in points, as Markdown."""
    cells = [name]
    for part in row.values():
        cells.append(f"{100 * part['mean']:+.1f}")
        cells.append(f"{100 * part['low']:+.1f} to {100 * part['high']:+.1f}")
        cells.append(", ".join(f"{100 * each:+.1f}" for each in part["seeds"]))
    return "| " + " | ".join(cells) + " |"


def print_table(
    before: NDArray[np.bool_], is_new: NDArray[np.bool_], results: dict[str, dict[str, Any]]
) -> None:
    """Print the whole table, ready for the documentation."""
    print(
        f"before: blackletter {100 * before[is_new].mean():.1f} % of {is_new.sum()},"
        f" other fonts {100 * before[~is_new].mean():.1f} % of {(~is_new).sum()}"
    )
    print("| run | blackletter | 95 % interval | seeds | others | 95 % interval | seeds |")
    print("|---|---|---|---|---|---|---|")
    for name, row in results.items():
        print(format_row(name, row))


if __name__ == "__main__":
    main()
