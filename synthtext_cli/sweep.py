"""Many models in one command: each in a separate folder, then all in one table."""

from __future__ import annotations

import copy
import gc
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from synthtext.errors import SynthtextError
from synthtext_cli.console import explain, fail, print_table, say, show_progress, warn
from synthtext_cli.runs import (
    RESULT,
    find_changes,
    note_run,
    read_line,
    refuse_changes,
    write_line,
)

if TYPE_CHECKING:
    from probes.models.model_list import WantedModel
    from probes.tasks.results import Result

REPORT = "report.html"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Planned:
    """A model of a sweep.

    Attributes:
        wanted: the model.
        folder: folder of its results.
        context: context of the command that would probe it alone.
        is_finished: whether its results exist already.
    """

    wanted: WantedModel
    folder: Path
    context: typer.Context
    is_finished: bool


def list_wanted(
    names: Sequence[str], file: Path | None, pretrained: str | None
) -> list[WantedModel]:
    """Return the models of a command: those named, followed by those in a file.

    Args:
        names: values of `--model`.
        file: a file of names and weights.
        pretrained: weights of the models given without any.
    """
    from probes.models.model_list import WantedModel, read_model_list

    listed = [WantedModel(name) for name in names]
    listed += read_model_list(file) if file else []
    return [WantedModel(model.name, model.pretrained or pretrained) for model in listed]


def plan_sweep(
    context: typer.Context,
    wanted: Sequence[WantedModel],
    out: Path,
    *,
    split: str | None,
    overwrite: bool,
) -> list[Planned]:
    """Return the models to probe, or end the command if a folder has another run.

    Args:
        context: context of the command.
        wanted: the models.
        out: the folder with a subfolder for each of them.
        split: the split that all of them read, with `--data`.
        overwrite: whether results with other options are replaced; those with the same are
            kept.
    """
    from probes.models.model_list import name_folders

    if (out / RESULT).exists():
        fail(f"{out} holds the results of one model; give another --out for many")
    planned = []
    for model, name in zip(wanted, name_folders(wanted), strict=True):
        folder = out / name
        own = copy.copy(context)
        own.params = context.params | {
            "model": model.name, "pretrained": model.pretrained, "models": None,
            "out": folder, "split": split,
        }  # fmt: skip
        is_finished = False
        if (folder / RESULT).exists():
            changed = find_changes(own, folder)
            if not overwrite:
                refuse_changes(folder, changed)
            is_finished = changed == [] and (folder / REPORT).exists()
        planned.append(Planned(model, folder, own, is_finished))
    return planned


def run_sweep(
    context: typer.Context,
    planned: Sequence[Planned],
    out: Path,
    run_one: Callable[[Planned, str], None],
) -> None:
    """Probe the models that are not finished, then compare all that are.

    A model that fails is reported, and the others continue; the command then ends with exit
    code 2.

    Args:
        context: context of the command.
        planned: from `plan_sweep`.
        out: the folder of the sweep.
        run_one: probes a model, given the command line that would probe it alone.
    """
    note_run(context, out)
    failed = []
    for number, each in enumerate(planned, start=1):
        title = f"model {number:,} of {len(planned):,}: {each.wanted}"
        if each.is_finished:
            say(f"{title} is finished in {each.folder}")
            continue
        say(title)
        fault = _try_one(each, run_one)
        if fault:
            failed.append(each)
            warn(f"{each.wanted} failed: {fault}")
    if os.environ.get("RANK", "0") == "0":
        _compare([each for each in planned if each not in failed], out)
    if failed:
        names = ", ".join(str(each.wanted) for each in failed)
        fail(
            f"{len(failed):,} of {len(planned):,} models failed: {names}; the same command"
            " tries them again"
        )


def _try_one(each: Planned, run_one: Callable[[Planned, str], None]) -> str:
    """Probe a model and return a sentence on why it failed, empty if it did not."""
    if os.environ.get("RANK", "0") == "0":
        # If this run is killed, results of an earlier one must not be mistaken for its own.
        for name in (RESULT, REPORT):
            (each.folder / name).unlink(missing_ok=True)
    try:
        run_one(each, write_line(each.context))
    except SynthtextError as error:
        return str(error)
    except OSError as error:
        return explain(error)
    except Exception as error:
        logger.debug("%s", each.wanted, exc_info=True)
        lines = str(error).strip().splitlines()
        return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
    finally:
        _free_memory()
    return ""


def _free_memory() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _compare(finished: Sequence[Planned], out: Path) -> None:
    if len(finished) < 2:
        say(f"{len(finished):,} model is finished, and a comparison takes two")
        return
    from probes.tasks.results import read_results

    compare_many(read_results([each.folder for each in finished]), out)


def compare_many(results: Sequence[Result], out: Path | None) -> None:
    """Print the leaderboard of results and, if a folder is given, write it there."""
    from probes.reports.leaderboard import measure_leaderboard
    from probes.reports.leaderboard_page import list_tables, write_leaderboard

    with show_progress(out) as advance:
        board = measure_leaderboard(results, on_progress=advance)
    if out:
        write_leaderboard(board, out, read_line())
    for table in list_tables(board):
        print_table(table.columns, table.rows, table.title)
    if out:
        say(f"wrote {out / REPORT}")
