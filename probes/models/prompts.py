"""Prompts: the templates that turn a candidate into a text for the model."""

from __future__ import annotations

from pathlib import Path

from probes.errors import ProbeError
from synthtext.errors import WordsError, shorten
from synthtext.texts.words import read_lines

MAX_TEMPLATE_CHARS = 1000

MAX_TEMPLATES = 1000
"""Maximum number of templates in a file; every candidate is embedded once for each."""

SLOT = "{}"
"""The placeholder of a template."""

WORDS = ('a picture of the word "{}".', "{}")
"""Templates for words, pseudowords and sentences; their vectors are averaged."""

SENTIMENT = ("a {} review of a movie.",)
"""Source: Radford et al. 2021, the prompt published for Rendered SST2."""


ATTACK = ("a picture of a {}.",)
"""Templates for the object in an image."""


def read_templates(path: Path) -> tuple[str, ...]:
    """Return the templates of a file, one per line, each with {} where the candidate goes.

    Raises:
        ProbeError: the file cannot be read, or a line has no placeholder.
    """
    try:
        templates = tuple(line for _, line in read_lines(path, MAX_TEMPLATE_CHARS))
    except WordsError as error:
        raise ProbeError(str(error)) from error
    if len(templates) > MAX_TEMPLATES:
        raise ProbeError(
            f"{path} has {len(templates):,} templates; give at most {MAX_TEMPLATES:,}"
        )
    if not templates:
        raise ProbeError(
            f"{path} has no template; write one per line, with {SLOT} for the word"
        )
    for template in templates:
        if SLOT not in template:
            raise ProbeError(
                f"{path} has the template {shorten(template)!r}; write {SLOT} for the word"
            )
    return templates


def check_template(template: str) -> None:
    """Refuse a template without a placeholder.

    Raises:
        ProbeError: it has none.
    """
    if SLOT not in template:
        raise ProbeError(f"the template {template!r} has no place for a word; add {SLOT}")
