"""A report: tables, plots and images on one page that needs no network."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import orjson
import pandas as pd
from markupsafe import Markup

from probes.reports.inline_svg import inline_svg
from probes.reports.plots import Mark
from probes.tables import Table
from synthtext.escapes import show_text
from synthtext.storage import replace_file, write_json

TEMPLATES = Path(__file__).parent / "templates"

SCRIPT = "report.js"

N_FEW = 20
"""Rows with fewer images are collapsed."""

COUNTS = frozenset({"n", "images", "rows", "pictures"})
"""Columns that contain the number of images of a row."""

N_TALL = 20
"""Longer tables scroll in a box of their own, and only so many rows are printed."""


@dataclass(frozen=True)
class Figure:
    """A plot of a page. Sheets of images have no SVG.

    Attributes:
        name: name of its files.
        title: its caption.
        png: the plot as PNG.
        svg: the plot as SVG.
        marks: the values of its points, by series.
        pdf: the plot as PDF.
        is_wide: whether it has its own row.
        others: the same points for other numbers of candidates, by K; empty if there are none.
        chances: accuracy of guessing for each K, that of `marks` included.
        along: the axis of the accuracy, `x` or `y`, if there are others.
    """

    name: str
    title: str
    png: bytes
    svg: bytes = b""
    marks: Mapping[str, Sequence[Mark]] = field(default_factory=dict)
    pdf: bytes = b""
    is_wide: bool = False
    others: Mapping[int, Mapping[str, Sequence[Mark]]] = field(default_factory=dict)
    chances: Mapping[int, float] = field(default_factory=dict)
    along: str = ""


@dataclass(frozen=True)
class Page:
    """The content of a report, from top to bottom.

    Attributes:
        title: what was measured.
        verdict: the main result, a sentence without its full stop.
        headline: the table at the top.
        figures: plots.
        note: what the plots show.
        tables: further tables.
        facts: names and values of the settings of the measurement.
        fonts: specimens of fonts with their results.
        pictures: groups of images with truth and guess.
        shots: images of single levels: `png`, `truth`, `guess`, `facts`, and `right`.
        cells: indices into the shots, by the name of a figure, a baseline and a level.
        command: command line that made the report.
        citation: how to cite the results.
        k: number of candidates of the plots; 0 if there is no choice.
        series: names of the series that can be left out of the plots.
        terms: words that the page uses, and what they mean.
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
    shots: Sequence[Mapping[str, Any]] = ()
    cells: Mapping[str, Mapping[str, Mapping[str, Sequence[int]]]] = field(default_factory=dict)
    command: str = ""
    citation: str = ""
    k: int = 0
    series: Sequence[str] = ()
    terms: Sequence[tuple[str, str]] = ()


def to_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table as rows for JSON, with None for missing values."""
    names = [str(name) for name in table.columns]
    plain = table.astype(object).where(table.notna(), None)
    return [dict(zip(names, row, strict=True)) for row in plain.to_numpy().tolist()]


def write_report(out: Path, summary: object, page: Page, name: str = "summary.json") -> None:
    """Write a summary, plots as PNG, SVG and PDF, and `report.html` into a folder.

    Args:
        out: the folder of results, created if it is missing.
        summary: the summary, which JSON can represent.
        page: the report.
        name: file name of the summary.
    """
    (out / "plots").mkdir(parents=True, exist_ok=True)
    for figure in page.figures:
        replace_file(out / "plots" / f"{figure.name}.png", figure.png)
        for kind, content in (("svg", figure.svg), ("pdf", figure.pdf)):
            if content:
                replace_file(out / "plots" / f"{figure.name}.{kind}", content)
    write_json(out / name, summary)
    replace_file(out / "report.html", fill_page(page).encode())


def fill_page(page: Page) -> str:
    """Return a page as HTML, with its images and its script embedded."""
    # Words come from untrusted files, so everything is escaped.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True,
        finalize=_show_value,
    )  # fmt: skip
    script = (TEMPLATES / SCRIPT).read_text(encoding="utf-8")
    filled = {
        "figures": [_fill_figure(figure, place) for place, figure in enumerate(page.figures)],
        "script": Markup(script),
        "script_sha256": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "content": _to_json(_list_content(page)),
        "find_few": find_few,
        "n_tall": N_TALL,
    }
    return environment.get_template("report.html.jinja").render({**vars(page), **filled})


def find_few(table: Table) -> list[bool]:
    """Return for each row whether it has fewer than `N_FEW` images, by its column of counts.

    If all rows do, none is marked, because nothing would be left to see.
    """
    places = [place for place, name in enumerate(table.columns) if name in COUNTS]
    if not places:
        return [False] * len(table.rows)
    counts = [row[places[0]].replace(",", "") for row in table.rows]
    few = [count.isascii() and count.isdigit() and int(count) < N_FEW for count in counts]
    return [False] * len(few) if all(few) else few


def _fill_figure(figure: Figure, place: int) -> dict[str, object]:
    title = show_text(figure.title, None)
    svg = inline_svg(figure.svg, f"f{place}", title) if figure.svg else ""
    return {
        "id": f"f{place}", "name": figure.name, "title": title, "is_wide": figure.is_wide,
        "png": "" if svg else to_uri(figure.png),
        "svg": Markup(svg),
    }  # fmt: skip


def _list_content(page: Page) -> dict[str, object]:
    """Return what the script of a page shows on demand: points, and images of levels."""
    figures = {}
    for place, figure in enumerate(page.figures):
        cells = page.cells.get(figure.name, {})
        figures[f"f{place}"] = {
            name: [
                [mark.series, mark.label, mark.n, mark.right,
                 *map(_round, (mark.accuracy, mark.low, mark.high)),
                 cells.get(mark.baseline, {}).get(mark.label, ()), mark.told]
                for mark in marks
            ]
            for name, marks in figure.marks.items()
        }  # fmt: skip
    return {
        "title": page.title, "figures": figures, "shots": page.shots, "few": N_FEW,
        "k": page.k, "series": page.series,
        "others": {
            f"f{place}": _list_others(figure)
            for place, figure in enumerate(page.figures)
            if figure.others
        },
    }  # fmt: skip


def _list_others(figure: Figure) -> dict[str, object]:
    """Return the points of a figure for other numbers of candidates."""
    return {
        "along": figure.along,
        "chances": {str(k): chance for k, chance in figure.chances.items()},
        "at": {
            str(k): {
                name: [
                    [mark.n, mark.right, *map(_round, (mark.accuracy, mark.low, mark.high))]
                    for mark in marks
                ]
                for name, marks in series.items()
            }
            for k, series in figure.others.items()
        },
    }


def _round(share: float) -> float | None:
    return round(share, 4) if math.isfinite(share) else None


def _to_json(content: object) -> Markup:
    """Return JSON for a script, in which no text can end the element or hide a character."""
    written = orjson.dumps(_escape(content), option=orjson.OPT_SERIALIZE_NUMPY).decode()
    return Markup(written.replace("<", "\\u003c").replace(">", "\\u003e"))


def _escape(content: Any) -> Any:  # noqa: ANN401 - any JSON value.
    """Return content with invisible characters in its texts escaped."""
    if isinstance(content, str):
        return show_text(content, None)
    if isinstance(content, Mapping):
        return {name: _escape(value) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_escape(value) for value in content]
    return content


def _show_value(value: object) -> object:
    """Return a text with invisible characters escaped; the template's own markup is kept."""
    return value if isinstance(value, Markup) else show_text(value, None)


def to_uri(image: bytes) -> str:
    """Return a PNG or JPEG as a data URI; "" for an empty image."""
    if not image:
        return ""
    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"
