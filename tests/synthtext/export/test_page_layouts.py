from __future__ import annotations

import functools
import itertools
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from synthtext.dataset.codec import encode
from synthtext.dataset.shards import pack_samples
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.layout import inked
from synthtext.drawing.rendering import fit, open_face_of, render
from synthtext.errors import ShardError
from synthtext.export.items import Item, read_shard_items
from synthtext.export.lines import find_lines
from synthtext.export.page_layouts import write_alto, write_page
from synthtext.spec import Spec

SENTENCE = "Amber hills, a quiet garden: e\u0301t\u00e9 & <forest> of 12 gypsy plums"

VIEWS = [
    {
        "rotation_deg": angle,
        "yaw_deg": yaw,
        "pitch_deg": pitch,
        "align": align,
        "line_height": h,
    }
    for (angle, yaw, pitch), (align, h) in itertools.product(
        ((0.0, 0.0, 0.0), (-75.0, 0.0, 0.0), (170.0, 20.0, -35.0), (12.0, -50.0, 30.0)),
        (("left", 1.1), ("center", 1.3), ("right", 1.6)),
    )
]


def draw_item(spec: Spec, fonts: Catalogue, folder: Path) -> Item:
    sample = encode(render(spec, fonts), "png")
    (folder / "one.tar").write_bytes(b"".join(pack_samples([sample])) + bytes(1024))
    return next(read_shard_items(folder / "one.tar"))


@pytest.mark.parametrize("view", VIEWS)
def test_lines_and_baselines_are_those_that_were_set(
    view: dict[str, float], spec: Spec, fonts: Catalogue, tmp_path: Path
) -> None:
    spec = replace(spec, kind="sentence", text=SENTENCE, size_px=18.0, shrink=True, **view)
    item = draw_item(spec, fonts, tmp_path)
    spec, placement, ground = fit(spec, open_face_of(spec, fonts))
    heights = dict(zip(placement.clusters, placement.baselines, strict=True))
    starts = np.cumsum([0, *(len(word) + 1 for word in SENTENCE.split(" "))])[:-1]
    rows = [heights[start] for start in starts.tolist()]
    lines = find_lines(item)
    expected = [len(list(group)) for _, group in itertools.groupby(rows)]
    assert len(expected) >= 2
    assert [len(line.words) for line in lines] == expected
    left, _, right, _ = placement.box
    for line in lines:
        height = rows[line.words[0]]
        ends = ground.move(np.array([[left, height], [right, height]]) * spec.size_px)
        along = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
        off = (line.baseline - ends[0]) @ np.array([-along[1], along[0]])
        assert np.abs(off).max() < 0.6
        assert np.diff(line.baseline @ along).min() > 0


@pytest.mark.parametrize("bent", [{"arc_deg": 120.0}, {"barrel_frac": -0.25}])
def test_the_baseline_of_bent_text_follows_it(
    spec: Spec, fonts: Catalogue, tmp_path: Path, bent: dict[str, float]
) -> None:
    item = draw_item(replace(spec, text="amnion", size_px=36.0, **bent), fonts, tmp_path)  # type: ignore[arg-type]
    (line,) = find_lines(item)
    across = line.baseline[-1] - line.baseline[0]
    off = (line.baseline - line.baseline[0]) @ np.array([across[1], -across[0]])
    assert off[1:-1].min() > 0  # Its middle is up.
    assert len(line.baseline) == 8


def test_a_line_of_two_directions_is_one_line(item: Item) -> None:
    boxes = [(100, 20), (60, 20), (10, 20), (90, 50)]  # Read from the right, and one below.
    quads = [[[x, y], [x + 30, y], [x + 30, y + 15], [x, y + 15]] for x, y in boxes]
    words = ("אב", "12", "גד", "הו")
    changed = replace(
        item, text=" ".join(words), words=words, quads=np.array(quads, np.float32),
        polygons=tuple(np.array(quads, np.float32)),
        chars=tuple("".join(words)), char_quads=np.repeat(np.float32(quads), 2, axis=0),
        fields=item.fields | {"kind": "sentence"},
    )  # fmt: skip
    lines = find_lines(changed)
    assert [line.words for line in lines] == [(0, 1, 2), (3,)]
    assert np.allclose(lines[0].baseline[[0, -1]], [[10, 35], [130, 35]])


@pytest.fixture
def item(spec: Spec, fonts: Catalogue, tmp_path: Path) -> Item:
    return draw_item(
        replace(spec, kind="sentence", text=SENTENCE, size_px=18.0), fonts, tmp_path
    )


def parse(text: str) -> np.ndarray:
    return np.array([point.split(",") for point in text.split(" ")], float)


@pytest.mark.parametrize("target", ["page", "alto"])
def test_texts_and_polygons_come_back(target: str, item: Item, tmp_path: Path) -> None:
    {"page": write_page, "alto": write_alto}[target](iter([item]), tmp_path, tmp_path)
    raw = (tmp_path / "000000007.xml").read_bytes()
    root = ET.fromstring(raw)
    find = functools.partial(_list_page if target == "page" else _list_alto, root)
    assert (tmp_path / "000000007.png").read_bytes() == item.image
    words, chars = find("word"), find("char")
    assert tuple(text for text, _ in words) == item.words
    exact = 0.5 if target == "page" else 0.005
    for (_, points), quad in zip(words, item.quads, strict=True):
        assert np.abs(points - quad).max() <= exact
    said = "".join(text for text, _ in chars)
    assert said == "".join(item.chars) == SENTENCE.replace(" ", "")
    lines = find("line")
    assert " ".join(text for text, _ in lines) == SENTENCE
    for line, (_, outline) in zip(find_lines(item), lines, strict=True):
        inside = item.quads[list(line.words)].reshape(-1, 2)
        assert (inside.min(axis=0) >= outline.min(axis=0) - exact).all()
    for line, points in zip(find_lines(item), find("baseline"), strict=True):
        assert np.abs(points - line.baseline).max() <= exact


def _list_page(root: ET.Element, kind: str) -> list:
    space = "{http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15}"
    if kind == "baseline":
        return [parse(each.get("points")) for each in root.iter(f"{space}Baseline")]
    name = {"word": "Word", "char": "Glyph", "line": "TextLine"}[kind]
    return [
        (each.find(f"{space}TextEquiv/{space}Unicode").text,
         parse(each.find(f"{space}Coords").get("points")))
        for each in root.iter(f"{space}{name}")
    ]  # fmt: skip


def _list_alto(root: ET.Element, kind: str) -> list:
    space = "{http://www.loc.gov/standards/alto/ns-v4#}"
    if kind == "baseline":
        return [parse(each.get("BASELINE")) for each in root.iter(f"{space}TextLine")]
    name = {"word": "String", "char": "Glyph", "line": "TextLine"}[kind]
    return [
        (each.get("CONTENT") or " ".join(w.get("CONTENT") for w in each.iter(f"{space}String")),
         parse(each.find(f"{space}Shape/{space}Polygon").get("POINTS")))
        for each in root.iter(f"{space}{name}")
    ]  # fmt: skip


def test_a_text_that_xml_cannot_hold_is_refused(item: Item, tmp_path: Path) -> None:
    bad = replace(item, text="a\x01b")
    with pytest.raises(ShardError) as caught:
        write_page(iter([bad]), tmp_path, tmp_path)
    assert str(caught.value) == (
        "000000007.png has U+0001 in its text, which XML cannot contain; render the dataset"
        " without that text"
    )


def test_every_character_belongs_to_one_word(item: Item) -> None:
    chars = [k for line in find_lines(item) for each in line.chars for k in each]
    assert chars == list(range(len(inked(item.text))))
