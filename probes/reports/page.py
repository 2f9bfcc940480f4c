"""A report: tables, plots and images on one page that needs no network."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import orjson
import pandas as pd
from markupsafe import Markup

from probes.tables import Table
from synthtext.escapes import show_text
from synthtext.storage import replace_file

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Figure:
    """A plot of a page; a wide one has a row of its own. Pictures have no SVG."""

    name: str
    title: str
    png: bytes
    svg: bytes = b""
    is_wide: bool = False


@dataclass(frozen=True)
class Page:
    """What a report shows, from top to bottom.

    Attributes:
        title: what was measured.
        verdict: what came of it, a sentence without its full stop.
        headline: the table at the top.
        figures: plots.
        note: what the plots show.
        tables: further tables.
        facts: how it was measured, names and values.
        fonts: specimens with their figures.
        pictures: groups of pictures with truth and guess.
    """

    title: str
    verdict: str
    headline: Table
    figures: Sequence[Figure]
    note: str
    tables: Sequence[Table]
    facts: Sequence[tuple[str, str]]
    fonts: Sequence[Mapping[str, str]] = ()
    pictures: Sequence[Mapping[str, Any]] = ()


def to_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table as rows for JSON, None for what is missing."""
    names = [str(name) for name in table.columns]
    plain = table.astype(object).where(table.notna(), None)
    return [dict(zip(names, row, strict=True)) for row in plain.to_numpy().tolist()]


def write_report(out: Path, summary: object, page: Page, name: str = "summary.json") -> None:
    """Write a summary, `plots/*.png`, `plots/*.svg` and `report.html` into a folder.

    Args:
        out: the folder of results; made if need be.
        summary: for JSON.
        page: the report.
        name: of the file that the summary is written to.
    """
    (out / "plots").mkdir(parents=True, exist_ok=True)
    for figure in page.figures:
        replace_file(out / "plots" / f"{figure.name}.png", figure.png)
        if figure.svg:
            replace_file(out / "plots" / f"{figure.name}.svg", figure.svg)
    settings = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY
    replace_file(out / name, orjson.dumps(summary, option=settings))
    replace_file(out / "report.html", fill_page(page).encode())


def fill_page(page: Page) -> str:
    """Return a page as HTML, its pictures inside; everything is escaped."""
    # Words come from files of strangers: everything is escaped.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True,
        finalize=_show_value,
    )  # fmt: skip
    figures = [
        {"title": f.title, "png": to_uri(f.png), "is_wide": f.is_wide} for f in page.figures
    ]
    template = environment.get_template("report.html.jinja")
    return template.render({**vars(page), "figures": figures})


def _show_value(value: object) -> object:
    """Return a text with what cannot be seen as escapes; the template's own markup stays."""
    return value if isinstance(value, Markup) else show_text(value, None)


def to_uri(image: bytes) -> str:
    """Return a PNG or JPEG as a data URI, "" for none."""
    if not image:
        return ""
    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"
