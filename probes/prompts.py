"""Prompts: the templates that turn a candidate into what a model is asked."""

from __future__ import annotations

from pathlib import Path

from probes.errors import ProbeError

SLOT = "{}"
"""Where a template takes its word."""

WORDS = ('a picture of the word "{}".', "{}")
"""Templates for words, pseudowords and sentences; their vectors are averaged."""

SENTIMENT = ("a {} review of a movie.",)
"""Source: Radford et al. 2021, the prompt published for Rendered SST2."""


ATTACK = ("a picture of a {}.",)
"""Templates for what a picture shows."""


def read_templates(path: Path) -> tuple[str, ...]:
    """Return the templates of a file, one a line, each with {} where the candidate goes.

    Raises:
        ProbeError: the file cannot be read, or a line of it has no place for a candidate.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ProbeError(f"{path} cannot be read ({error}); give a text file") from error
    templates = tuple(line for line in lines if line)
    if not templates:
        raise ProbeError(
            f"{path} holds no template; write one a line, with {SLOT} for the word"
        )
    for template in templates:
        if SLOT not in template:
            raise ProbeError(f"{path} has the template {template!r}; write {SLOT} for the word")
    return templates
