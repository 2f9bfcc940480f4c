from __future__ import annotations

import shlex

import pytest
import typer
from typer.testing import CliRunner

from synthtext_cli.app import app
from synthtext_cli.experiments import EXPERIMENTS, find_page

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda each: each.title)
def test_what_is_listed_can_be_typed(experiment) -> None:  # noqa: ANN001
    for line in experiment.commands:
        program, name, *words = shlex.split(line)
        assert program == "synthtext"
        known = {option for part in COMMANDS[name].params for option in part.opts}
        assert {word for word in words if word.startswith("--")} <= known
    assert find_page(experiment).is_file()


def test_every_experiment_is_printed_with_its_commands() -> None:
    printed = CliRunner().invoke(app, ["experiments"]).stdout
    for experiment in EXPERIMENTS:
        for part in (
            experiment.title,
            experiment.question,
            str(find_page(experiment)),
            *experiment.commands,
        ):
            assert part in printed
