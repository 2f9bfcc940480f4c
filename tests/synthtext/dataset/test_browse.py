"""The page of a dataset: its content, and its behaviour in a browser if there is one."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from command_line import run
from synthtext.dataset.browse import draw_masks, write_page
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.layers import draw_layer
from synthtext.drawing.rendering import Rendering, render
from synthtext.errors import DatasetError
from synthtext.spec import make_spec

HOSTILE = '</script><script>document.title="run"</script>@DATA@'

TEXTS = ["quartz", "quartz", "anchor", HOSTILE, "\u202ebridge", "candle"]


@pytest.fixture(scope="module")
def drawn(fonts: Catalogue) -> list[Rendering]:
    specs = [
        make_spec(text, size_px=4.0 if text == HOSTILE else 20.0 + index, blur_px=index / 10,
                  case="upper" if index == 1 else "as-is")
        for index, text in enumerate(TEXTS)
    ]  # fmt: skip
    return [render(replace(spec, index=index), fonts) for index, spec in enumerate(specs)]


def read_data(page: Path) -> dict[str, Any]:
    found = re.search('id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found
    return json.loads(found[1])


def test_the_page_holds_every_image_and_its_factors(
    drawn: list[Rendering], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    write_page(page, drawn, title="words", n_all=70, accuracy=None)
    data = read_data(page)
    assert (data["title"], data["total"]) == ("words", 70)
    assert [image["key"] for image in data["images"]] == [each.spec.key for each in drawn]
    assert [image["fields"]["size_px"] for image in data["images"]] == [
        each.spec.size_px for each in drawn
    ]
    assert data["images"][3]["text"] == HOSTILE
    assert data["images"][4]["text"] == "\\u202ebridge"


def test_the_command_writes_a_page_of_a_dataset(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("\n".join(f"word{k}" for k in range(40)))
    for options in (
        ["render", "--words", "words.txt", "--count", "40", "--out", "data"],
        ["preview", "data", "--html", "page.html", "--n", "30"],
    ):
        assert run(*options, cwd=tmp_path).returncode == 0
    data = read_data(tmp_path / "page.html")
    assert (data["title"], data["total"], len(data["images"])) == ("data", 40, 30)
    assert not (tmp_path / "sheet.png").exists()


def test_a_mask_is_the_ink_of_an_image_whose_font_is_here(
    drawn: list[Rendering], fonts: Catalogue, tmp_path: Path
) -> None:
    known = {file: font.sha256 for file, font in fonts.fonts.items()}
    masks = draw_masks(drawn[:2], fonts, known)
    write_page(tmp_path / "p.html", drawn[:3], title="", n_all=3, masks=masks)
    images = read_data(tmp_path / "p.html")["images"]
    assert ["mask" in image for image in images] == [True, True, False]
    raw = base64.b64decode(images[0]["mask"].partition(",")[2])
    shown = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_UNCHANGED)
    assert (shown[..., 3] == draw_layer("ink", drawn[0].spec, fonts)).all()
    assert draw_masks(drawn, fonts, known | {drawn[0].spec.font: "0" * 64}) == {}


def test_outcomes_of_another_dataset_are_refused(
    drawn: list[Rendering], tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="the outcomes contain none of the images shown"):
        write_page(tmp_path / "p.html", drawn, title="", n_all=6, accuracy={"x": 1.0})
    assert list(tmp_path.iterdir()) == []


def test_a_browser_filters_sorts_and_shows(
    browser: Any,  # noqa: ANN401 - selenium may be missing.
    drawn: list[Rendering],
    fonts: Catalogue,
    tmp_path: Path,
) -> None:
    page = tmp_path / "page.html"
    accuracy = {each.spec.key: 1 - index / 10 for index, each in enumerate(drawn)}
    known = {file: font.sha256 for file, font in fonts.fonts.items()}
    masks = draw_masks(drawn, fonts, known)
    write_page(page, drawn, title="<b>words", n_all=70, accuracy=accuracy, masks=masks)
    browser.get(page.as_uri())

    def find(selector: str) -> Any:  # noqa: ANN401
        return browser.find_element("css selector", selector)

    def keys() -> list[int]:
        tiles = browser.find_elements("css selector", "#tiles figure")
        return [int(tile.get_attribute("data-key")) for tile in tiles]

    # No text is executed, and all of it is shown.
    assert browser.title == "<b>words"
    assert find('[data-key="000000003"] b').text == HOSTILE
    assert keys() == [0, 1, 2, 3, 4, 5]
    assert find("#shown").text == "6 of 6 images, from 70 in the dataset"
    find("#text").send_keys("QUARTZ")
    assert keys() == [0, 1]
    find("button[type=reset]").click()
    browser.implicitly_wait(2)
    find('#tiles [data-key="000000005"]')
    slide = "arguments[0].value = 500; arguments[0].dispatchEvent(new Event('input'))"
    browser.execute_script(slide, find('[data-name="size_px"] input'))
    assert keys() == [0, 1, 2, 4, 5]
    find('[data-name="case"] input').click()
    assert keys() == [1]
    find("button[type=reset]").click()
    find('#tiles [data-key="000000003"]')
    find('#sort option[value="accuracy"]').click()
    assert keys() == [5, 4, 3, 2, 1, 0]
    find("#quads").click()
    assert find('[data-key="000000002"] polygon.word').is_displayed()
    mask = find('[data-key="000000002"] .mask')
    assert not mask.is_displayed()
    find("#ink").click()
    assert mask.is_displayed()
    assert mask.size == find('[data-key="000000002"] img').size
    find('[data-key="000000002"] button').click()
    assert "size_px" in find("dialog").text
    assert "anchor" in find("dialog").text
    assert browser.get_log("browser") == []
