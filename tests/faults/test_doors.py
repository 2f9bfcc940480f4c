"""Every malformed file of the corpus at every door that reads its format."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from corpus import list_cases
from doors import (
    BARE,
    DOORS,
    OWN,
    Door,
    copy_needed,
    environment_of,
    fill_words,
    find_file,
    furnish,
)
from forking import MAX_WAIT_S, Done, Forks
from fuzzing import IS_FULL, MAX_BYTES, MAX_SECONDS

N_SAMPLED = 1
"""Number of cases per door in the short run."""

SAMPLED = ("outcomes", "text vectors")
"""Doors that are tried in the short run."""


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    forks = Forks()
    yield forks
    forks.close()


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Path:
    # Unfinished results name files by their paths, so each case runs under the same path.
    folder = tmp_path_factory.mktemp("doors") / "case"
    folder.mkdir()
    furnish(folder, forks, is_trained=IS_FULL)
    return folder.rename(folder.with_name("furnished"))


def list_tree(folder: Path, skipped: tuple[str, ...]) -> dict[str, int]:
    """Return the modification time of every file and folder, by path."""
    return {
        str(path.relative_to(folder)): path.lstat().st_mtime_ns
        for path in sorted(folder.rglob("*"))
        if path.relative_to(folder).parts[0] not in skipped
    }


def knock(
    door: Door, folder: Path, forks: Forks, own: tuple[str, ...], max_seconds: float
) -> tuple[Done, str]:
    """Return the result of a command, and what it did wrong, if anything."""
    before = list_tree(folder, ("here", *BARE, *own))
    done = forks.run(fill_words(door.command, folder), folder, environment_of(folder))
    last = done.err.strip().splitlines()[-1:]
    reasons = {
        f"it wrote to {folder}": list_tree(folder, ("here", *BARE, *own)) != before,
        "it ran code": (folder / "code-ran").exists(),
        "it left OUT": (folder.parent / "escape.txt").exists() or Path("/escape.txt").exists(),
        f"it took {done.seconds:.0f} s": done.seconds > max_seconds,
        f"it took {done.peak_bytes:,} bytes": done.peak_bytes > MAX_BYTES,
        f"it ended with {done.code}": done.code not in door.codes,
        "a traceback": "Traceback" in done.err,
        "not one sentence": done.code == 2 and not _is_sentence(done.err),
    }
    found = [reason for reason, is_so in reasons.items() if is_so]
    return done, f"{', '.join(found)}: {' '.join(last)[:300]}" if found else ""


def _is_sentence(said: str) -> bool:
    lines = said.strip().splitlines()
    return len(lines) == 1 and lines[0].startswith("synthtext: ")


def choose_cases(name: str, names: list[str]) -> list[str]:
    """Return the cases to try: all, or a few that differ between doors."""
    if IS_FULL:
        return names
    start = sorted(DOORS).index(name) * 7
    return [names[(start + 13 * k) % len(names)] for k in range(N_SAMPLED)]


@pytest.mark.parametrize("name", DOORS if IS_FULL else SAMPLED)
def test_no_malformed_file_does_harm_at_a_door(
    name: str,
    furnished: Path,
    forks: Forks,
    tally: Callable[[str, int, int, str], None],
) -> None:
    door, own = DOORS[name], OWN.get(name, ())
    good = find_file(door, furnished).read_bytes()
    cases = list_cases(door.kind, good)
    chosen = choose_cases(name, list(cases))
    faults, n_refused = [], 0
    # The limit for a malformed file is MAX_SECONDS more than the good file takes.
    max_seconds = MAX_WAIT_S
    for case in (None, *chosen):
        folder = furnished.with_name("case")
        shutil.rmtree(folder, ignore_errors=True)
        copy_needed(door, furnished, folder)
        if case is not None:
            cases[case](find_file(door, folder))
        done, fault = knock(door, folder, forks, own, max_seconds)
        if fault:
            faults.append(f"{name}, {case}: {fault}")
        if case is None:
            assert (done.code == 0) is not door.closed, done
            max_seconds = MAX_SECONDS + done.seconds
        n_refused += case is not None and done.code != 0
    n_survived = len(chosen) - len(faults)
    tally(f"{name}, malformed ({door.kind})", len(chosen), n_survived,
          f"read or refused ({n_refused}) in one sentence, in 10 s and 2 GB, no code run")  # fmt: skip
    assert faults == []
