"""What exports say of words along a curve: polygons where the format has them, else quads."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import cv2
import numpy as np
import pytest

from synthtext.dataset.generate import render_dataset
from synthtext.dataset.map_style import load
from synthtext.dataset.plan import make_plan
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.rendering import Quads, Rendering
from synthtext.export.export import export_dataset
from synthtext.export.items import read_items
from synthtext.export.lines import find_lines
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.texts.words import make_texts

TEXTS = ["along the curve", "typography", "שלום עולם", "וabc שלום"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, fonts: Catalogue) -> Path:
    folder = tmp_path_factory.mktemp("data") / "out"
    edits = {"splits": "1,0,0", "arc_deg": "100", "size_px": "24", "rotation_deg": "10"}
    texts = make_texts(TEXTS, [None] * len(TEXTS), "texts")
    plan = make_plan(edit_recipe(default_recipe(), edits), {"word": texts}, fonts)
    render_dataset(plan, folder)
    return folder


@pytest.fixture(scope="module")
def drawn(data: Path) -> list[Rendering]:
    return list(load(data))


def export(data: Path, tmp_path: Path, target: str) -> Path:
    export_dataset(data, tmp_path / target, target)
    return tmp_path / target / "train"


def are_close(found: list[np.ndarray], polygons: tuple[Quads, ...], atol: float) -> bool:
    return all(
        len(points) == len(polygon) > 4 and np.allclose(points, polygon, atol=atol)
        for points, polygon in zip(found, polygons, strict=True)
    )


def test_coco_has_polygons_and_the_boxes_around_them(
    data: Path, drawn: list[Rendering], tmp_path: Path
) -> None:
    rows = json.loads((export(data, tmp_path, "coco") / "annotations.json").read_text())
    for number, image in enumerate(drawn, 1):
        words = [row for row in rows["annotations"] if row["image_id"] == number]
        found = [np.reshape(row["segmentation"], (-1, 2)) for row in words]
        assert are_close(found, image.word_polygons, 0.01)
        for row, polygon in zip(words, image.word_polygons, strict=True):
            low = polygon.min(axis=0).clip(0, 224)
            assert np.allclose(row["bbox"][:2], low, atol=0.01)
            assert np.isclose(row["area"], cv2.contourArea(polygon), atol=0.01)


def test_mmocr_and_paddleocr_have_polygons(
    data: Path, drawn: list[Rendering], tmp_path: Path
) -> None:
    places = json.loads((export(data, tmp_path, "mmocr") / "textdet.json").read_text())
    lines = (export(data, tmp_path, "paddleocr") / "det_gt.txt").read_text().splitlines()
    for found, line, image in zip(places["data_list"], lines, drawn, strict=True):
        ours = [np.reshape(row["polygon"], (-1, 2)) for row in found["instances"]]
        assert are_close(ours, image.word_polygons, 0.01)
        theirs = [np.array(row["points"]) for row in json.loads(line.split("\t")[1])]
        assert are_close(theirs, image.word_polygons, 0.01)


def test_yolo_has_polygons_within_the_image_and_their_boxes(
    data: Path, drawn: list[Rendering], tmp_path: Path
) -> None:
    shapes, boxes = export(data, tmp_path, "yolo-seg"), export(data, tmp_path, "yolo")
    for image in drawn:
        name = f"labels/{image.spec.key}.txt"
        rows = [line.split()[1:] for line in (shapes / name).read_text().splitlines()]
        found = [np.array(row, float).reshape(-1, 2) * 224 for row in rows]
        inside = tuple(polygon.clip(0, 224) for polygon in image.word_polygons)
        assert are_close(found, inside, 0.01)
        for line, polygon in zip((boxes / name).read_text().splitlines(), inside, strict=True):
            x, y, width, height = 224 * np.array(line.split()[1:], float)
            low, high = polygon.min(axis=0), polygon.max(axis=0)
            assert np.allclose([x, y, width, height], [*(low + high) / 2, *high - low], 0.01)


def test_totaltext_has_polygons_and_directions(
    data: Path, drawn: list[Rendering], tmp_path: Path
) -> None:
    out = export(data, tmp_path, "totaltext")
    row = re.compile(
        r"x: \[\[([-\d ]+)\]\], y: \[\[([-\d ]+)\]\], ornt: \[u'(.)'\], transcriptions: \[u(.*)\]"
    )
    for image in drawn:
        lines = (out / f"gt/poly_gt_{image.spec.key}.txt").read_text().splitlines()
        said = [row.fullmatch(line).groups() for line in lines]
        points = [np.array([x.split(), y.split()], int).T for x, y, _, _ in said]
        assert are_close(points, image.word_polygons, 0.51)
        assert {kind for _, _, kind, _ in said} == {"c"}
        assert [ast.literal_eval(text) for *_, text in said] == image.spec.drawn_text.split()


@pytest.mark.parametrize("target", ["page", "alto"])
def test_page_and_alto_have_polygons_of_words_and_lines(
    target: str, data: Path, drawn: list[Rendering], tmp_path: Path
) -> None:
    out = export(data, tmp_path, target)
    word, line, where = {
        "page": ("Word", "TextLine", "./{*}Coords"),
        "alto": ("String", "TextLine", "./{*}Shape/{*}Polygon"),
    }[target]

    def read(parent: ET.Element) -> np.ndarray:
        (points,) = parent.find(where).attrib.values()
        return np.array([pair.split(",") for pair in points.split()], float)

    for image in drawn:
        root = ET.parse(out / f"{image.spec.key}.xml")
        found = [read(each) for each in root.iterfind(f".//{{*}}{word}")]
        assert are_close(found, image.word_polygons, 0.51)
        (whole,) = [read(each) for each in root.iterfind(f".//{{*}}{line}")]
        corners = np.float32(whole).reshape(-1, 1, 2)
        for quad in image.char_quads:
            middle = tuple(quad.mean(axis=0).tolist())
            assert cv2.pointPolygonTest(corners, middle, measureDist=False) > 0


def test_the_outline_of_a_line_follows_it_in_either_direction(data: Path) -> None:
    for item in read_items(data, "train"):
        (line,) = find_lines(item)
        area = cv2.contourArea(np.float32(line.outline))
        hull = cv2.contourArea(cv2.convexHull(np.concatenate(item.polygons)))
        # The outline of a line that runs in both directions is its hull.
        assert area == hull if "abc" in item.text else area < 0.85 * hull
        words = sum(cv2.contourArea(polygon) for polygon in item.polygons)
        assert area >= words


def test_formats_of_four_corners_have_quads(
    data: Path, drawn: list[Rendering], tmp_path: Path
) -> None:
    found = json.loads((export(data, tmp_path, "doctr") / "detection.json").read_text())
    for image, row in zip(drawn, found.values(), strict=True):
        assert np.allclose(row["polygons"], image.word_quads)


def test_the_polygon_of_a_crop_lies_where_its_letters_do(data: Path) -> None:
    for item in read_items(data, "train", crops=True):
        (polygon,) = item.polygons
        assert len(polygon) > 4
        inside = [
            cv2.pointPolygonTest(polygon, tuple(quad.mean(axis=0).tolist()), measureDist=False)
            for quad in item.char_quads
        ]
        assert min(inside) > 0
