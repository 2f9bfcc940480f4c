"""Counts tries and survivals of each fault, and prints them as a table at the end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROWS: dict[str, tuple[int, int, str]] = {}


@pytest.fixture(scope="session")
def tally() -> Callable[[str, int, int, str], None]:
    """Return a function that records a fault: name, tries, survivals, and what survival means."""

    def note(fault: str, n_tried: int, n_survived: int, meaning: str) -> None:
        ROWS[fault] = (n_tried, n_survived, meaning)

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, and write it to the file that `make faults` names."""
    if not ROWS:
        return
    lines = ["| fault | tried | survived | that is |", "|---|---|---|---|"]
    lines += [f"| {fault} | {n:,} | {m:,} | {text} |" for fault, (n, m, text) in ROWS.items()]
    for line in lines:
        terminalreporter.write_line(line)
    report = os.environ.get("FAULTS_REPORT")
    if report:
        Path(report).write_text("\n".join([*lines, ""]), encoding="utf-8")
