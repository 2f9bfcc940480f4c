"""The card of a dataset folder: `README.md` with an image."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synthtext.dataset.verify import spread_rows
from synthtext.drawing.contact_sheets import draw_sheet
from synthtext.escapes import show_text
from synthtext.factors import FACTORS
from synthtext.storage import replace_file

N_SHOWN = 24

MAX_CHARS = 500
"""Maximum length of an untrusted text in a card; for longer ones the ends are shown."""

PLAIN = re.compile(r"(?!.*www\.)(?:[^\W_]|[ %.,;()=+'-]|: )*")
"""Text without special meaning in Markdown, anywhere in a line."""

MARKS = re.compile(r"[!-/:-@\[-`{-~]")
"""Punctuation that a backslash escapes."""


TEMPLATE = """---
pretty_name: Rendered text
task_categories: [image-to-text, zero-shot-image-classification]
tags: [synthetic, ocr, webdataset, synthtext]
configs:
- config_name: default
  data_files:
{configs}
---

# Rendered text

![A few of the images](preview.jpg)

{n_drawn:,} images of text in {n_shards:,} WebDataset shards, rendered by
synthtext {version}, seed {seed}. {n_not_drawn:,} more
{lost}; `dataset.json` lists them with the reasons.

{texts}

| split | images | texts |
|---|---|---|
{splits}

No text is in two splits.

## A sample

| file | content |
|---|---|
| {image} | the image |
| `KEY.txt` | the text as drawn |
| `KEY.json` | every factor, measurements, and the quads of words and characters |
| `KEY.cls` | the line number in `classnames.txt`, counted from 0 |
{scores}
## Factors

| factor | drawn from | meaning |
|---|---|---|
{factors}

`dataset.json` has the recipe, the versions and a checksum of every shard; with them,
`synthtext render` reproduces the same {same}.
"""


def write_card(folder: Path, manifest: Mapping[str, Any]) -> dict[str, str]:
    """Write `README.md` and `preview.jpg` into a dataset folder whose shards are finished.

    Returns:
        The SHA-256 of each, in hex.

    Raises:
        ShardError: a shard is missing or broken.
    """
    files = {"README.md": format_card(manifest).encode()}
    if manifest["counts"]["drawn"]:
        buffer = io.BytesIO()
        # The shards were just written or verified.
        shown = spread_rows(folder, manifest["shards"], N_SHOWN, verify=False)
        draw_sheet(shown).save(buffer, "JPEG", quality=90)
        files["preview.jpg"] = buffer.getvalue()
    for name, content in files.items():
        replace_file(folder / name, content)
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def format_card(manifest: Mapping[str, Any]) -> str:
    """Return the card of a dataset as Markdown, with the header of a Hugging Face card."""
    plan, counts = manifest["plan"], manifest["counts"]
    scored = plan.get("scored")
    return TEMPLATE.format(
        configs="\n".join(
            f"  - split: {'validation' if split == 'val' else split}\n    path: {split}/*.tar"
            for split in manifest["splits"]
        ),
        n_drawn=counts["drawn"],
        n_shards=counts["shards"],
        n_not_drawn=counts["not_drawn"],
        version=escape_markdown(plan["versions"]["synthtext"]),
        seed=plan["seed"],
        lost="could not be drawn" if scored is None else "could not be drawn or are left out",
        texts="\n".join(
            f"- {row['n_texts']:,} texts of kind `{kind}` from {quote_markdown(row['name'])}"
            for kind, row in plan["texts"].items()
        ),
        splits="\n".join(
            f"| {split} | {row['drawn']:,} | {sum(row['n_texts'].values()):,} |"
            for split, row in manifest["splits"].items()
        ),
        image=quote_markdown(f"KEY.{plan['recipe']['image_format']}"),
        scores=_describe_scores(scored),
        factors="\n".join(
            f"| `{name}` | {quote_markdown(plan['recipe'][name])} | {factor.help} |"
            for name, factor in FACTORS.items()
            if name in plan["recipe"]  # Parts that an earlier version drew lack later factors.
        ),
        same="bytes" if scored is None else "images",
    )


def _describe_scores(scored: Mapping[str, Any] | None) -> str:
    if scored is None:
        return ""
    return (
        f"\n`p_read` in `KEY.json` is how likely the image is to be read, by"
        f" {quote_markdown(scored.get('model'))}: {escape_markdown(scored.get('computed'))}.\n"
    )


def escape_markdown(value: object) -> str:
    """Return a value unchanged if it is plain text, else as code.

    >>> escape_markdown("ViT-B-32, laion"), escape_markdown("<b>_x_</b>")
    ('ViT-B-32, laion', '`<b>_x_</b>`')
    """
    text = show_text(value, MAX_CHARS)
    return text if PLAIN.fullmatch(text) else quote_markdown(text)


def quote_markdown(value: object) -> str:
    """Return a value as code, so that Markdown in it has no effect.

    If code cannot contain it, punctuation is escaped with backslashes.
    """
    text = show_text(value, MAX_CHARS)
    # A table cell ends at a bar, even within code.
    if "`" in text or "|" in text or not text.strip():
        return MARKS.sub(r"\\\g<0>", text.strip())
    return f"`{text}`"
