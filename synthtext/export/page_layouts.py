"""The writers for PAGE XML and ALTO: regions, lines, words and characters of a page."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from synthtext.errors import ShardError
from synthtext.export.items import Item, Items
from synthtext.export.lines import find_lines, hull, runs_downward, runs_leftward

Floats = NDArray[np.float64] | NDArray[np.float32]

PAGE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
ALTO = "http://www.loc.gov/standards/alto/ns-v4#"

ALTO_VERSION = "4.3"
"""The first with a direction for a block of text."""

DIRECTIONS = {"ltr": "left-to-right", "rtl": "right-to-left", "ttb": "top-to-bottom"}
"""The directions of ALTO, and what PAGE calls them."""

NO_DATE = "1970-01-01T00:00:00"
"""PAGE requires a time; the real time would make the exports of equal datasets differ."""

NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML 1.0 file may contain."""


def write_page(items: Items, out: Path, _: Path) -> None:
    """Write the images, each with a PAGE XML file of version 2019-07-15 beside it."""
    _write_beside(items, out, _format_page)


def write_alto(items: Items, out: Path, _: Path) -> None:
    """Write the images, each with an ALTO file of version 4.3 beside it."""
    _write_beside(items, out, _format_alto)


def _write_beside(items: Items, out: Path, describe: Callable[[Item], ET.Element]) -> None:
    for item in items:
        bad = NOT_IN_XML.search(item.text)
        if bad:
            raise ShardError(
                f"{item.name} has U+{ord(bad[0]):04X} in its text, which XML cannot contain;"
                " render the dataset without that text"
            )
        tree = describe(item)
        ET.indent(tree, " ")
        (out / item.name).write_bytes(item.image)
        content = ET.tostring(tree, encoding="utf-8", xml_declaration=True)
        (out / item.name).with_suffix(".xml").write_bytes(content + b"\n")


def _format_page(item: Item) -> ET.Element:
    """Return an image as PAGE; coordinates are in whole px, as the schema requires."""
    width, height = map(str, item.size_px)
    root = ET.Element("PcGts", xmlns=PAGE, pcGtsId=f"p{item.name.partition('.')[0]}")
    about = ET.SubElement(root, "Metadata")
    for name, text in (("Creator", "synthtext"), ("Created", NO_DATE), ("LastChange", NO_DATE)):
        ET.SubElement(about, name).text = text
    page = ET.SubElement(
        root, "Page", imageFilename=item.name, imageWidth=width, imageHeight=height
    )
    if not item.words:
        return root
    direction = DIRECTIONS[_find_direction(item)]
    region = ET.SubElement(
        page, "TextRegion", id="r0", type="paragraph", readingDirection=direction
    )
    _add_page_coords(region, item, hull(item.polygons))
    for number, line in enumerate(find_lines(item)):
        row = ET.SubElement(region, "TextLine", id=f"l{number}")
        _add_page_coords(row, item, line.outline)
        ET.SubElement(row, "Baseline", points=_join_whole(item, line.baseline))
        for word, chars in zip(line.words, line.chars, strict=True):
            part = ET.SubElement(row, "Word", id=f"w{word}")
            _add_page_coords(part, item, item.polygons[word])
            for char in chars:
                glyph = ET.SubElement(part, "Glyph", id=f"g{char}")
                _add_page_coords(glyph, item, item.char_quads[char])
                _add_page_text(glyph, item.chars[char])
            _add_page_text(part, item.words[word])
        _add_page_text(row, " ".join(item.words[word] for word in line.words))
    _add_page_text(region, item.text)
    return root


def _find_direction(item: Item) -> str:
    if runs_downward(item):
        return "ttb"
    return "rtl" if runs_leftward(item) else "ltr"


def _add_page_coords(parent: ET.Element, item: Item, points: Floats) -> None:
    ET.SubElement(parent, "Coords", points=_join_whole(item, points))


def _add_page_text(parent: ET.Element, text: str) -> None:
    ET.SubElement(ET.SubElement(parent, "TextEquiv"), "Unicode").text = text


def _join_whole(item: Item, points: Floats) -> str:
    # A character may overlap the edge by the width of its outline.
    inside = np.clip(np.rint(points), 0, item.size_px).astype(int)
    return " ".join(f"{x},{y}" for x, y in inside.tolist())


def _format_alto(item: Item) -> ET.Element:
    """Return an image as ALTO; coordinates are in px with two decimals."""
    width, height = map(str, item.size_px)
    root = ET.Element("alto", xmlns=ALTO, SCHEMAVERSION=ALTO_VERSION)
    about = ET.SubElement(root, "Description")
    ET.SubElement(about, "MeasurementUnit").text = "pixel"
    source = ET.SubElement(about, "sourceImageInformation")
    ET.SubElement(source, "fileName").text = item.name
    page = ET.SubElement(
        ET.SubElement(root, "Layout"), "Page",
        ID="p0", PHYSICAL_IMG_NR="1", WIDTH=width, HEIGHT=height,
    )  # fmt: skip
    space = ET.SubElement(page, "PrintSpace", HPOS="0", VPOS="0", WIDTH=width, HEIGHT=height)
    if not item.words:
        return root
    direction = _find_direction(item)
    block = _add_alto(space, "TextBlock", "r0", hull(item.polygons), BASEDIRECTION=direction)
    for number, line in enumerate(find_lines(item)):
        baseline = _join(line.baseline)
        row = _add_alto(block, "TextLine", f"l{number}", line.outline, BASELINE=baseline)
        for word, chars in zip(line.words, line.chars, strict=True):
            if word != line.words[0]:
                ET.SubElement(row, "SP")
            text = item.words[word]
            part = _add_alto(row, "String", f"w{word}", item.polygons[word], CONTENT=text)
            for char in chars:
                # A glyph in ALTO is one code point, so a mark has the position of its letter.
                for mark, point in enumerate(item.chars[char]):
                    _add_alto(
                        part, "Glyph", f"g{char}.{mark}", item.char_quads[char], CONTENT=point
                    )
    return root


def _add_alto(
    parent: ET.Element, kind: str, name: str, points: Floats, **facts: str
) -> ET.Element:
    """Add an element with its upright box and its polygon."""
    low, size = points.min(axis=0), np.ptp(points, axis=0)
    box = zip(("HPOS", "VPOS", "WIDTH", "HEIGHT"), (*low, *size), strict=True)
    sides = {side: f"{value:.2f}" for side, value in box}
    element = ET.SubElement(parent, kind, {"ID": name, **sides, **facts})
    ET.SubElement(ET.SubElement(element, "Shape"), "Polygon", POINTS=_join(points))
    return element


def _join(points: Floats) -> str:
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in points.tolist())
