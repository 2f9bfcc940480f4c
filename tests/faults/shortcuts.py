"""What spares the forks of the faults work that has nothing to do with the disk.

Modules and fonts are read once, plots are blank, training is short, and what slow pure functions
return, such as those that draw plots, is kept in a folder, from which the next fork with the same
arguments takes it.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import importlib
import io
import os
import pickle
import sys
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import IO, Any

READS = ("fit", "import", "compare")
"""Commands that need the packages for models, although none names a model."""

PURE = (
    "probes.tasks.vocabulary.sort_by_frequency",
    "probes.tasks.words.read_pool",
    "probes.tasks.words.choose_shown",
    "probes.metrics.breakdown.tabulate_thresholds",
    "probes.metrics.breakdown.tabulate_factor",
    "probes.metrics.breakdown.tabulate_effects",
    "probes.training.gains.tabulate_factors",
    "probes.training.gains.tabulate_gains",
    "probes.training.retention.measure_retention",
    "probes.reports.calibration.summarize_calibration",
    "probes.reports.leaderboard.measure_leaderboard",
    "probes.fitting.drawing.choose_words",
    "probes.fitting.drawing._draw_some",
    "probes.fitting.fit.estimate_all",
    "probes.fitting.mixing.make_mixture",
)
"""Functions whose result depends on their arguments alone, apart from progress, which is told to
functions."""

SHORT: dict[str, dict[str, Any]] = {
    "probes.training.loop": {"time": SimpleNamespace(perf_counter=count().__next__)},
    "probes.training.finetune": {"ALPHAS": (0.0, 1.0), "N_PSEUDOWORDS": 2},
    "probes.vqa.heads": {"N_EPOCHS": 1, "MIN_STEPS": 1},
    "probes.tasks.chance": {"N_QUESTIONS": 1},
    "probes.tasks.pseudowords": {"N_EACH": 8},
    "probes.tasks.vocabulary": {"N_POOL": 500},
    "probes.data.labelled": {"N_DRAWN": 1},
    "probes.fitting.fit": {"N_EPOCHS": 1},
    "probes.fitting.proposal": {"PROPOSALS": {"case": "lower,upper", "size_px": "12:21,21:38"}},
}
"""Constants of modules, in place of larger ones; and a clock, so that checkpoints are equal."""


def import_all(lines: Sequence[str], kept: Path) -> None:
    """Import what command lines need, and do what is slow once for all forks.

    Args:
        lines: the command lines.
        kept: a folder for what functions return.
    """
    modules = ["synthtext.export.export", "synthtext.dataset.card"]
    if any(line.startswith(READS) or "--model" in line for line in lines):
        modules += [
            "probes.training.finetune",
            "probes.reports.finetune",
            "probes.reports.leaderboard_page",
            "probes.vqa.run",
            "probes.reports.vqa",
            "probes.reports.fit",
            "probes.fitting.fit",
            "wordfreq",
        ]
    for name in modules:
        importlib.import_module(name)
    _read_once()
    if "wordfreq" in sys.modules:
        sys.modules["wordfreq"].zipf_frequency("a", "en")
        _leave_figures_blank()
        _shorten()
        for name in (*PURE, *_list_drawers()):
            _keep(name, kept)


def _read_once() -> None:
    import importlib.metadata

    import typer

    from synthtext.drawing import fonts
    from synthtext_cli.app import app

    typer.main.get_command = functools.cache(typer.main.get_command)
    typer.main.get_command(app)
    importlib.metadata.version = functools.cache(importlib.metadata.version)
    read, bundled = fonts._read_folder, fonts.bundled_folder()
    known = read(bundled)
    fonts._read_folder = lambda folder: known if folder == bundled else read(folder)


def _leave_figures_blank() -> None:
    """Let every plot be saved as the same empty one, and as PNG and SVG only.

    The same lines write an SVG and a PDF, which is left out where it is empty.
    """
    from matplotlib.figure import Figure

    save: Any = Figure.savefig
    blank = {kind: io.BytesIO() for kind in ("png", "svg", "pdf")}
    for kind in ("png", "svg"):
        save(Figure(), blank[kind], format=kind)

    def save_blank(_: Figure, file: IO[bytes], *, format: str, **__: object) -> None:  # noqa: A002
        file.write(blank[format].getvalue())

    Figure.savefig = save_blank  # type: ignore[method-assign, assignment]


def _list_drawers() -> list[str]:
    """Return the functions of the reports that only draw a plot."""
    return [
        f"{module.__name__}.{name}"
        for module in list(sys.modules.values())
        if module.__name__.startswith("probes.reports.")
        for name, value in vars(module).items()
        if isinstance(value, FunctionType)
        and value.__module__ == module.__name__
        and name.startswith("draw_")
        and value.__annotations__["return"] in ("Drawing", "bytes")
    ]


def _shorten() -> None:
    for name, values in SHORT.items():
        module = importlib.import_module(name)
        for constant, value in values.items():
            assert hasattr(module, constant), (name, constant)
            setattr(module, constant, value)
    fit: Any = sys.modules["probes.fitting.fit"]
    fit.FitConfig = functools.partial(fit.FitConfig, n_epochs=1, n_planted=2)
    # statsmodels collects garbage, which takes seconds beside all that was imported.
    gc.collect = lambda *_: 0  # type: ignore[assignment]


def _keep(name: str, folder: Path) -> None:
    """Let a function keep what it returns, wherever it has been imported."""
    place, _, short = name.rpartition(".")
    plain = getattr(importlib.import_module(place), short)
    keeping = _keeping(plain, folder)
    for module in list(sys.modules.values()):
        if module.__name__.startswith("probes.") and vars(module).get(short) is plain:
            setattr(module, short, keeping)


def _keeping(plain: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    @functools.wraps(plain)
    def keep(*given: Any, **named: Any) -> Any:  # noqa: ANN401
        what = [value for value in given if not callable(value)]
        options = {name: value for name, value in named.items() if not callable(value)}
        asked = pickle.dumps((plain.__qualname__, what, sorted(options.items())))
        path = folder / hashlib.sha256(asked).hexdigest()
        if path.exists():
            return pickle.loads(path.read_bytes())
        found = plain(*given, **named)
        part = path.with_name(f"{path.name}-{os.getpid()}")
        part.write_bytes(pickle.dumps(found))
        part.replace(path)
        return found

    return keep
