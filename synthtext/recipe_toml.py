"""Recipes as entries for JSON, and as TOML that `read_recipe` takes back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from synthtext.factors import FACTORS, SETTINGS
from synthtext.recipe import MIXTURE, Recipe


def describe_recipe(recipe: Recipe) -> dict[str, Any]:
    """Return the entries of a recipe, ready for JSON: equal entries give equal images."""
    return {
        **{name: str(recipe.draws[name]) for name in FACTORS},
        "image_format": recipe.image_format,
        "splits": list(recipe.splits),
        "shrink": recipe.shrink,
        "shard_size": recipe.shard_size,
        # Only where it is asked for, so that the plans of older datasets stay the same.
        **({"fallback": True} if recipe.fallback else {}),
        **({MIXTURE: _describe_mixture(recipe)} if recipe.mixture else {}),
    }


def _describe_mixture(recipe: Recipe) -> list[dict[str, str | float]]:
    return [
        {"weight": part.weight, **{name: str(draw) for name, draw in part.draws.items()}}
        for part in recipe.mixture
    ]


def format_recipe(recipe: Recipe) -> str:
    """Return the recipe as TOML, with a comment for each entry."""
    entries = {"fallback": False} | describe_recipe(recipe)
    lines = [
        "# 12:64 is a uniform range, 12:64:log a log-uniform one, 8,16 a choice, a=3,b=1 a",
        "# weighted choice, and 12:16=3,16:24:log=5,32=1 a weighted choice among ranges.",
    ]
    helps = {name: factor.help for name, factor in FACTORS.items()} | SETTINGS
    for name, text in helps.items():
        lines += ["", f"# {text}", _format_entry(name, entries[name])]
    return "\n".join([*lines, *_format_mixture(entries)]) + "\n"


def format_entries(entries: Mapping[str, Any]) -> str:
    """Return the entries of a recipe, as `describe_recipe` gives them, as TOML."""
    return "\n".join([*_format_table(entries), *_format_mixture(entries)])


def _format_mixture(entries: Mapping[str, Any]) -> Iterator[str]:
    for part in entries.get(MIXTURE, ()):
        yield from ("", f"[[{MIXTURE}]]", *_format_table(part))


def _format_table(entries: Mapping[str, Any]) -> list[str]:
    named = [name for name in ("weight", *FACTORS, *SETTINGS) if name in entries]
    return [_format_entry(name, entries[name]) for name in named]


def _format_entry(name: str, value: object) -> str:
    """Return one entry; TOML writes strings and numbers as JSON does."""
    if isinstance(value, list):
        value = ",".join(map(str, value))
    is_plain = isinstance(value, bool | int | float)
    return f"{name} = {json.dumps(value if is_plain else str(value))}"
