"""The card of a dataset on the hub, with its fonts' licences, its recipe and its command."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from typing import Any

from synthtext.dataset.card import MAX_CHARS, escape_markdown, format_card, quote_markdown
from synthtext.drawing.fonts import Catalogue
from synthtext.escapes import show_text
from synthtext.recipe_toml import format_entries

UNKNOWN = "unknown, since it is not among the fonts given to `synthtext push`"

SOURCES = {"word": "--words", "sentence": "--sentences"}
"""The options that name the texts of each kind."""


def format_hub_card(
    manifest: Mapping[str, Any], n_by_font: Mapping[str, int], fonts: Catalogue
) -> str:
    """Return the card of a dataset as `format_card` writes it, with two more sections.

    Args:
        manifest: the `dataset.json` of a finished dataset.
        n_by_font: the number of images drawn in each font.
        fonts: the catalogue in which licences are looked up, by name and checksum.
    """
    plan = manifest["plan"]
    licences = "\n".join(
        f"| {escape_markdown(family)} | {licence} | {n:,} |"
        for (family, licence), n in _list_licences(plan["fonts"], n_by_font, fonts)
    )
    return f"""{format_card(manifest)}
## Fonts

The images were drawn with these fonts; no font file is part of the dataset.

| font | licence | images |
|---|---|---|
{licences}

## Recipe

With this as `recipe.toml`

```toml
{format_entries(plan["recipe"])}
```

the command

```console
{_format_command(plan)}
```

draws the images again{_name_rest(plan)}.
"""


def _list_licences(
    known: Mapping[str, str], n_by_font: Mapping[str, int], fonts: Catalogue
) -> list[tuple[tuple[str, str], int]]:
    """Return the family and licence of each font that was drawn, with the number of images."""
    counts: Counter[tuple[str, str]] = Counter()
    for file, n in n_by_font.items():
        font = fonts.fonts.get(file)
        if font is None or font.sha256 != known.get(file):
            counts[file, UNKNOWN] += n
        else:
            counts[font.family, escape_markdown(font.licence)] += n
    return sorted(counts.items())


def _format_command(plan: Mapping[str, Any]) -> str:
    sources = [
        f"{SOURCES.get(kind, '--words')} {shlex.quote(show_text(row['name'], MAX_CHARS))}"
        for kind, row in plan["texts"].items()
    ]
    words = ["synthtext render --recipe recipe.toml", *sources]
    return " ".join([*words, f"--seed {plan['seed']} --count {plan['count']} --out data"])


def _name_rest(plan: Mapping[str, Any]) -> str:
    """Return what the command needs beyond the bundled fonts and lists."""
    version = quote_markdown(plan["versions"]["synthtext"])
    needs = f", with synthtext {version} and the fonts and text files named here"
    if plan["photos"]:
        needs += ", and with the same photographs as `--backgrounds`"
    if plan.get("scored") is not None:
        needs += "; `synthtext score` then adds the scores"
    return needs
