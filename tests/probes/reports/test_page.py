"""The content of the page of a report."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hostile_page import HOSTILE, fill_once, make_page, make_table
from probes.reports import plots
from probes.reports.inline_svg import inline_svg
from probes.reports.page import Figure, Page, fill_page, find_few, write_report
from probes.tables import Table


def read_data(page: str) -> dict[str, Any]:
    found = re.search('id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_the_script_is_the_only_one_that_may_run() -> None:
    page = fill_once()
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert policy[1] == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src"
        f" 'sha256-{digest}'"
    )
    assert "<img src=x" not in page
    assert "\u202e" not in page


def test_the_data_has_every_point_and_the_images_of_levels() -> None:
    data = read_data(fill_once())
    curve = data["figures"]["f0"]
    assert curve["points-0"][1] == ["easy", "8.0", 40, 10, 0.35, 0.25, 0.45, [0, 1], []]
    assert [point[1] for point in curve["points-1"]] == ["6.0", "8.0", "11.0", "15.0"]
    assert data["figures"]["f1"]["points-0"][0][1] == HOSTILE
    assert data["shots"][1]["truth"] == "quartz"


def test_points_are_drawn_in_the_order_of_the_data() -> None:
    drawing = plots.draw_curve(make_table(), "size_px", 0.1, pd.DataFrame())
    root = ET.fromstring(drawing.svg)
    for series, marks in drawing.marks.items():
        (group,) = root.findall(f".//*[@id='{series}']")
        uses = group.findall(".//{http://www.w3.org/2000/svg}use")
        assert len(uses) == len(marks)
        heights = [-float(use.attrib["y"]) for use in uses]
        assert np.corrcoef(heights, [mark.accuracy for mark in marks])[0, 1] > 0.9999


def test_a_plot_keeps_to_itself_on_a_page() -> None:
    drawing = plots.draw_levels(make_table([HOSTILE, "b", "c", "d"]), "font", 0.1)
    inline = inline_svg(drawing.svg, "f7", HOSTILE)
    root = ET.fromstring(inline)
    ids = {element.attrib["id"] for element in root.iter() if "id" in element.attrib}
    assert ids
    assert all(name.startswith("f7-") for name in ids)
    named = re.findall(r'(?:url\(#|href="#)([^")]*)', inline)
    assert named
    assert set(named) <= ids
    assert not root.findall(".//{http://www.w3.org/2000/svg}style")
    assert "script" not in {element.tag.rpartition("}")[2] for element in root.iter()}
    assert len(inline) < len(drawing.svg)


def test_rows_of_few_images_are_found_unless_all_are() -> None:
    def make(*counts: str) -> Table:
        return Table("", ("name", "n"), tuple(("x", count) for count in counts))

    assert find_few(make("19", "20", "1,000", "")) == [True, False, False, False]
    assert find_few(make("3", "5")) == [False, False]
    assert find_few(Table("", ("name", "level"), (("x", "3"), ("y", "30")))) == [False, False]


def test_a_report_writes_its_plots_as_svg(tmp_path: Path) -> None:
    write_report(tmp_path, {}, make_page())
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {
        f"{name}.{kind}"
        for name in ("size_px", "font", "threshold")
        for kind in ("png", "svg", "pdf")
    }
    assert (tmp_path / "plots/font.pdf").read_bytes().startswith(b"%PDF")
    assert ET.parse(tmp_path / "plots/font.svg").getroot().tag.endswith("svg")


def test_many_points_make_no_large_page() -> None:
    rows = [
        {"baseline": "easy", "level": float(k), "label": f"{k}", "n_seen": 1000, "n_right": k,
         "accuracy": k / 1000, "low": 0.0, "high": 1.0}
        for k in range(1000)
    ]  # fmt: skip
    drawn = plots.draw_curve(pd.DataFrame(rows), "zipf", 0.1, pd.DataFrame())
    page = Page("", "", Table("", (), ()), [Figure("a", "a", *drawn)], "", [], [])
    assert len(fill_page(page)) < 400_000


def test_a_long_table_says_how_many_rows_are_printed() -> None:
    rows = tuple((f"row {k}",) for k in range(1234))
    page = Page("", "", Table("", (), ()), [], "", [Table("Long", ("name",), rows)], [])
    assert 'data-printed="The first 20 of 1,234 rows are printed."' in fill_page(page)
