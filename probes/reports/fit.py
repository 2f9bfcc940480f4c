"""The report of a fit: real crops beside drawn ones, and the estimate of each factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from probes.arrays import Floats, Pixels
from probes.data.images import name_file, read_image, shrink_pixels
from probes.fitting.fit import N_SHOWN, FitConfig, Fitted
from probes.fitting.population import LEVELS, Population, find_interval
from probes.fitting.proposal import LENGTH, list_unfitted, name_parts, prior_of
from probes.reports.page import Figure, Page, to_uri, write_report
from probes.reports.plots import draw_parts
from probes.tables import Table, percent
from synthtext.dataset.codec import encode_pixels
from synthtext.draws import Choice, Draw

LEAST_KNOWN = 0.05
"""A factor is called hardly visible if a crop reduces its entropy by a smaller fraction."""

N_UNLIKE = 18
"""Number of crops to show that are least like what is drawn."""

NOTE = (
    "The fraction of crops with each part of a factor: blue as estimated, grey as proposed "
    "before anything was known about the crops."
)


def write_fit(fitted: Fitted, config: FitConfig, out: Path) -> None:
    """Write `report.html`, `summary.json`, `plots/` and `words.txt` into a folder."""
    from synthtext.storage import replace_file

    out.mkdir(parents=True, exist_ok=True)
    replace_file(out / "words.txt", "\n".join([*fitted.words, ""]).encode())
    unlike = find_unlike(fitted)
    page = Page(
        title=f"What {name_file(config.folder)} is drawn from",
        verdict=verdict(fitted),
        headline=list_factors(fitted),
        figures=[
            Figure(name, name_factor(name), *draw_parts(
                name_parts(draw), fitted.populations[name].shares, prior_of(draw)
            ))
            for name, draw in fitted.targets.items()
        ],
        note=NOTE,
        tables=[list_unlike(fitted, unlike)],
        facts=[
            ("crops", f"{len(fitted.real.files):,} of {name_file(config.folder)}"),
            ("left out", "; ".join(fitted.real.notes) or "none"),
            ("not fitted", ", ".join(list_unfitted(fitted.targets))),
            ("components of the mixture", f"{len(fitted.recipe.mixture)}"),
            ("crops drawn in the first round", f"{config.count:,}"),
            ("rounds", f"{config.n_rounds}"),
            ("simulated populations for the intervals", f"{config.n_planted}"),
            ("seed", f"{config.seed}"),
        ],
        pictures=[
            {"title": "Real crops", "pictures": _show_real(fitted, _spread(fitted))},
            {"title": "Crops drawn by the recipe", "pictures": _show_drawn(fitted.drawn)},
            {"title": "Least like anything drawn", "pictures": _show_real(fitted, unlike)},
        ],
    )  # fmt: skip
    write_report(out, summarize(fitted, config, unlike), page)


def verdict(fitted: Fitted) -> str:
    """Return how well real and drawn crops are told apart: a sentence without its full stop."""
    seen = fitted.two_sample
    return (
        f"A classifier tells the drawn crops from the real ones in {percent(seen.accuracy)} of "
        f"cases ({percent(seen.low)} to {percent(seen.high)}); 50 % would be chance"
    )


def name_factor(name: str) -> str:
    """Return what a factor is called on the page."""
    return "characters of the text" if name == LENGTH else name


def list_factors(fitted: Fitted) -> Table:
    """Return the estimate of each factor, with 90 % intervals."""
    rows = []
    for name, draw in fitted.targets.items():
        population = fitted.populations[name]
        slack = fitted.slack[name]
        described = (
            _describe_names(draw, population, slack)
            if isinstance(draw, Choice)
            else _describe_number(draw, population, slack)
        )
        is_known = population.known >= LEAST_KNOWN
        rows.append((name_factor(name), *described, "" if is_known else "hardly visible"))
    note = (
        "For a number, its 10 %, 50 % and 90 % quantiles; for names, their fractions; each "
        "with its 90 % interval, from resampled crops and from simulated populations that were "
        "estimated in the same way. A factor is hardly visible if a crop says little about it, "
        "or if another factor looks the same; its estimate then stays near the proposal."
    )
    columns = ("factor", "10 % or most frequent", "50 % or second", "90 % or third", "")
    return Table("Factors", columns, tuple(rows), note)


def _describe_number(draw: Draw, population: Population, slack: float) -> tuple[str, ...]:
    values, low, high = find_interval(draw, population, slack)
    return tuple(
        f"{value:.3g} ({least:.3g} to {most:.3g})"
        for value, least, most in zip(values, low, high, strict=True)
    )


def _describe_names(draw: Choice, population: Population, slack: float) -> tuple[str, ...]:
    values, low, high = find_interval(draw, population, slack)
    order = np.argsort(-values, kind="stable")[: len(LEVELS)].tolist()
    cells = [
        f"{draw.values[place]} {percent(values[place])} "
        f"({percent(low[place])} to {percent(high[place])})"
        for place in order
    ]
    return tuple(cells + [""] * (len(LEVELS) - len(cells)))


def find_unlike(fitted: Fitted) -> list[int]:
    """Return the indices of the crops that are least like what is drawn, in this order."""
    likely = fitted.two_sample.real
    return np.argsort(-likely, kind="stable")[:N_UNLIKE].tolist()


def list_unlike(fitted: Fitted, unlike: Sequence[int]) -> Table:
    """Return the files that are least like what is drawn."""
    rows = tuple(
        (name_file(fitted.real.files[row].name), f"{fitted.two_sample.real[row]:.4f}")
        for row in unlike
    )
    note = "The probability of being real, from a classifier that was not trained on the crop."
    return Table("Least like anything drawn", ("file", "probability"), rows, note)


def summarize(fitted: Fitted, config: FitConfig, unlike: Sequence[int]) -> dict[str, Any]:
    """Return the numbers of a fit, ready for JSON."""
    seen = fitted.two_sample
    return {
        "folder": name_file(config.folder),
        "n_crops": len(fitted.real.files),
        "notes": list(fitted.real.notes),
        "two_sample": {
            "accuracy": seen.accuracy, "low": seen.low, "high": seen.high, "n": seen.n,
        },
        "factors": {
            name: _summarize_factor(draw, fitted.populations[name], fitted.slack[name])
            for name, draw in fitted.targets.items()
        },
        "not_fitted": list_unfitted(fitted.targets),
        "least_like": [name_file(fitted.real.files[row]) for row in unlike],
        "count": config.count, "rounds": config.n_rounds, "seed": config.seed,
    }  # fmt: skip


def _summarize_factor(draw: Draw, population: Population, slack: float) -> dict[str, Any]:
    values, low, high = find_interval(draw, population, slack)
    names = list(draw.values) if isinstance(draw, Choice) else [f"{q:g}" for q in LEVELS]
    return {
        "shares": dict(zip(name_parts(draw), population.shares.round(4).tolist(), strict=True)),
        "of": "fractions" if isinstance(draw, Choice) else "quantiles",
        "values": {
            name: {"value": value, "low": least, "high": most}
            for name, value, least, most in zip(
                names, _round(values), _round(low), _round(high), strict=True
            )
        },
        "known": round(population.known, 4),
    }


def _round(values: Floats) -> list[float]:
    return [float(f"{value:.4g}") for value in values.tolist()]


def _spread(fitted: Fitted) -> list[int]:
    """Return some crops of the folder, spread evenly over it."""
    n = len(fitted.real.files)
    return np.linspace(0, n - 1, min(N_SHOWN, n)).astype(int).tolist()


def _show_real(fitted: Fitted, rows: Sequence[int]) -> list[Mapping[str, str]]:
    shown = []
    for row in rows:
        path = fitted.real.files[row]
        pixels = read_image(path)
        height, width = pixels.shape[:2]
        name = name_file(path.name)
        shown.append(_tile(pixels, name, f"{width}x{height} px"))
    return shown


def _show_drawn(images: Sequence[Pixels]) -> list[Mapping[str, str]]:
    return [
        _tile(pixels, f"drawn {number}", f"{pixels.shape[1]}x{pixels.shape[0]} px")
        for number, pixels in enumerate(images)
    ]


def _tile(pixels: Pixels, name: str, facts: str) -> Mapping[str, str]:
    png = to_uri(encode_pixels(shrink_pixels(pixels), "png", 100))
    return {"png": png, "truth": name, "guess": name, "facts": facts}
