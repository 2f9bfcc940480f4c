"""Counts what was tried and what survived, and prints it as a table at the end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROWS: dict[str, tuple[int, int, str]] = {}


@pytest.fixture(scope="session")
def tally() -> Callable[[str, int, int, str], None]:
    """Give a function that notes a fault: its name, tries, survivals, and what surviving is."""

    def note(fault: str, n_tried: int, n_survived: int, meaning: str) -> None:
        ROWS[fault] = (n_tried, n_survived, meaning)

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, and write it where `make faults` wants it."""
    if not ROWS:
        return
    lines = ["| fault | tried | survived | that is |", "|---|---|---|---|"]
    lines += [f"| {fault} | {n:,} | {m:,} | {text} |" for fault, (n, m, text) in ROWS.items()]
    for line in lines:
        terminalreporter.write_line(line)
    report = os.environ.get("FAULTS_REPORT")
    if report:
        Path(report).write_text("\n".join([*lines, ""]), encoding="utf-8")
