"""The behaviour of the page of a report in a browser, if there is one."""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import cv2
import pytest

from hostile_page import HOSTILE, fill_once


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Any:  # noqa: ANN401 - selenium may be missing.
    path = tmp_path / "report.html"
    path.write_text(fill_once(), encoding="utf-8")
    browser.set_window_size(1280, 1000)
    browser.get(path.as_uri())
    # A page from a file may not access the clipboard of the test machine.
    browser.execute_script(
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async (text) =>"
        " { window.copied = text; }}})"
    )
    yield browser
    assert browser.get_log("browser") == []


def press(browser: Any, selector: str, label: str) -> None:  # noqa: ANN401
    found = browser.find_elements("css selector", f"{selector} button")
    button = next(each for each in found if each.text == label)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()


def list_names(browser: Any) -> list[str]:  # noqa: ANN401
    cells = browser.find_elements("css selector", "h2 + .tools + .scroll td:first-child")
    return [cell.text for cell in cells if cell.is_displayed()]


def test_nothing_hostile_runs_and_all_is_shown(opened: Any) -> None:  # noqa: ANN401
    assert opened.title == f"<b>{HOSTILE}"
    assert opened.find_element("css selector", ".verdict").text == f"{HOSTILE}."
    captions = opened.find_elements("css selector", "figcaption")
    assert captions[1].text == HOSTILE
    assert not opened.find_elements("css selector", "img[src=x]")


def test_a_table_is_folded_searched_sorted_and_copied(opened: Any) -> None:  # noqa: ANN401
    tools = "h2 + .tools"
    assert list_names(opened) == [f"row {k}" for k in range(1, 12, 2)]
    press(opened, tools, "show 6 of fewer than 20")
    assert len(list_names(opened)) == 12
    press(opened, "th:nth-child(3)", "share")
    shares = sorted(range(12), key=lambda k: k * 7 % 13)
    assert list_names(opened) == [f"row {k}" for k in shares]
    press(opened, "th:nth-child(3)", "share")
    assert list_names(opened) == [f"row {k}" for k in shares[::-1]]
    opened.find_element("css selector", f"{tools} input").send_keys("ALERT")
    assert list_names(opened) == ["row 3"]
    press(opened, tools, "CSV")
    rows = list(csv.reader(io.StringIO(opened.execute_script("return window.copied"))))
    assert rows == [["name", "n", "share", HOSTILE], ["row 3", "1,200", "8.5 %", HOSTILE]]
    press(opened, tools, "LaTeX")
    assert opened.execute_script("return window.copied").splitlines()[4] == (
        "  row 3 & 1,200 & 8.5 \\% & " + HOSTILE + " \\\\"
    )


def test_a_point_tells_what_it_is_and_shows_its_images(opened: Any) -> None:  # noqa: ANN401
    from selenium.webdriver import ActionChains

    points = opened.find_elements("css selector", "#f0-points-0 use")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", points[1])
    ActionChains(opened).move_to_element(points[1]).perform()
    tip = opened.find_element("css selector", ".tip")
    assert tip.text.splitlines() == [
        "easy: 8.0", "35.0 %", "95 % interval 25.0 % to 45.0 %", "10 correct of 40 images",
    ]  # fmt: skip
    ActionChains(opened).click().perform()
    shown = opened.find_element("css selector", "dialog")
    assert shown.is_displayed()
    captions = [each.text for each in shown.find_elements("css selector", "figcaption")]
    assert captions == [HOSTILE, f"quartz read as {HOSTILE}2"]
    assert len(shown.find_elements("css selector", "img")) == 2
    opened.find_element("css selector", "#close").click()
    assert not shown.is_displayed()


def test_a_threshold_tells_its_model_and_its_interval(opened: Any) -> None:  # noqa: ANN401
    from selenium.webdriver import ActionChains

    (point,) = opened.find_elements("css selector", "#f2-points-0 use")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", point)
    ActionChains(opened).move_to_element(point).perform()
    assert opened.find_element("css selector", ".tip").text.splitlines() == [
        f"{HOSTILE}: easy", "threshold 6", "95 % interval 5 to 9.5", "input, px: 224",
    ]  # fmt: skip


def place(node: Any, axis: str) -> float:  # noqa: ANN401
    return float(node.get_attribute(axis))


def list_paths(browser: Any, selector: str) -> list[list[float]]:  # noqa: ANN401
    found = browser.find_elements("css selector", selector)
    return [
        [float(n) for n in re.findall(r"-?[\d.]+", each.get_attribute("d"))] for each in found
    ]


def choose(browser: Any, k: str) -> None:  # noqa: ANN401
    from selenium.webdriver.support.ui import Select

    Select(browser.find_element("css selector", "#choose select")).select_by_value(k)


def test_another_k_moves_points_lines_intervals_and_chance(opened: Any) -> None:  # noqa: ANN401
    options = opened.find_elements("css selector", "#choose option")
    assert [each.text for each in options] == ["1 of 10", "1 of 100"]
    points = opened.find_elements("css selector", "#f0-points-0 use")
    before = [place(each, "y") for each in points]
    line = list_paths(opened, "#f0-points-0 > path")
    chance = list_paths(opened, "#f0-chance path")[0]
    assert len(set(before)) == 4
    choose(opened, "10")
    (middle,) = {place(each, "y") for each in points}
    # An accuracy of 0.5, between 0.1 and 0.35 of before, in the same scale.
    scale = (before[0] - before[1]) / 0.25
    assert middle == pytest.approx(before[0] - 0.4 * scale, abs=0.1)
    assert list_paths(opened, "#f0-points-0 > path")[0][1::2] == [middle] * 4
    (moved,) = list_paths(opened, "#f0-points-0-band path")
    assert sorted(set(moved[1::2])) == pytest.approx(
        [middle - 0.25 * scale, middle + 0.25 * scale], abs=0.1
    )
    now = list_paths(opened, "#f0-chance path")[0]
    assert chance[1] - now[1] == pytest.approx(0.2 * scale, abs=0.1)
    assert not opened.find_element("css selector", "#f0-points-0-threshold").is_displayed()
    across = opened.find_elements("css selector", "#f1-points-0 use")
    (middle,) = {place(each, "x") for each in across}
    for bar in list_paths(opened, "#f1-points-0-bars-0 path"):
        assert (bar[0] + bar[2]) / 2 == pytest.approx(middle, abs=0.1)
    choose(opened, "100")
    assert [place(each, "y") for each in points] == pytest.approx(before, abs=0.1)
    assert list_paths(opened, "#f0-points-0 > path")[0] == pytest.approx(line[0], abs=0.1)
    assert opened.find_element("css selector", "#f0-points-0-threshold").is_displayed()


def test_tables_and_tooltips_are_of_the_chosen_k_and_series(opened: Any) -> None:  # noqa: ANN401
    from selenium.webdriver import ActionChains

    summary = opened.find_element("css selector", "#f0 summary")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", summary)
    summary.click()
    wait(opened, lambda: opened.find_elements("css selector", "#f0 table"))
    choose(opened, "10")
    boxes = opened.find_elements("css selector", "#choose input")
    boxes[1].click()
    rows = opened.find_elements("css selector", "#f0 table tbody tr, #f0 table > tr")
    texts = [row.text for row in rows if row.is_displayed()]
    assert [text for text in texts if "standard" in text] == []
    assert sum("50.0 %" in text for text in texts) == 3  # The fourth has few images.
    for name in ("points-1", "points-1-band"):
        assert not opened.find_element("css selector", f"#f0-{name}").is_displayed()
    assert opened.find_element("css selector", "#f0-points-0").is_displayed()
    point = opened.find_elements("css selector", "#f0-points-0 use")[1]
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", point)
    ActionChains(opened).move_to_element(point).perform()
    assert opened.find_element("css selector", ".tip").text.splitlines() == [
        "easy: 8.0", "50.0 %", "95 % interval 25.0 % to 75.0 %", "20 correct of 40 images",
    ]  # fmt: skip
    ActionChains(opened).click().perform()
    shown = opened.find_element("css selector", "dialog").text
    assert "These images are judged by the choice of 1 of 100." in shown
    opened.find_element("css selector", "#close").click()


def test_a_figure_becomes_a_table_and_a_file(opened: Any, tmp_path: Path) -> None:  # noqa: ANN401
    summary = opened.find_element("css selector", "#f0 summary")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", summary)
    summary.click()
    wait(opened, lambda: opened.find_elements("css selector", "#f0 table"))
    table = opened.find_element("css selector", "#f0 table")
    assert (
        len([row for row in table.find_elements("css selector", "tr") if row.is_displayed()])
        == 7
    )
    press(opened, "#f0 > .tools", "copy SVG")
    copied = opened.execute_script("return window.copied")
    root = ET.fromstring(copied)
    assert root.attrib["width"].endswith("pt")
    assert "currentcolor" not in copied.lower()
    assert "var(" not in copied
    saved = {"behavior": "allow", "downloadPath": str(tmp_path)}
    opened.execute_cdp_cmd("Browser.setDownloadBehavior", saved)
    press(opened, "#f0 > .tools", "PNG")
    press(opened, "#f0 > .tools", "SVG")
    wait(opened, lambda: {"size_px.png", "size_px.svg"} <= {p.name for p in tmp_path.iterdir()})
    pixels = cv2.imread(str(tmp_path / "size_px.png"))
    assert pixels.shape[1] > 1000
    assert (pixels == 255).mean() > 0.5  # White, with lines on it.
    assert (pixels < 100).any()


def wait(browser: Any, is_done: Any) -> None:  # noqa: ANN401
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 60).until(lambda _: is_done())


@pytest.mark.parametrize("width", [400, 1280])
def test_a_page_is_as_wide_as_its_window(opened: Any, width: int) -> None:  # noqa: ANN401
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert opened.execute_script("return document.documentElement.scrollWidth") <= width
    # No table has a column outside its box either.
    assert opened.execute_script(
        "return [...document.querySelectorAll('.scroll')].every((box) => box.scrollWidth <="
        " box.clientWidth)"
    )
    opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture
def printed(opened: Any) -> Any:  # noqa: ANN401
    """The page as it is printed on A4, by a browser that shows dark pages."""
    size = {"width": 794, "height": 1123, "deviceScaleFactor": 1, "mobile": False}
    dark = {"name": "prefers-color-scheme", "value": "dark"}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": [dark]})
    yield opened
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_printed_page_has_no_controls_and_no_dark_colours(printed: Any) -> None:  # noqa: ANN401
    controls = "button:not(th button), input, select, summary, .tip"
    found = printed.find_elements("css selector", controls)
    assert len(found) > 10
    assert not any(each.is_displayed() for each in found)
    body = printed.find_element("css selector", "body")
    assert body.value_of_css_property("color") == "rgba(0, 0, 0, 1)"
    assert body.value_of_css_property("background-color") == "rgba(255, 255, 255, 1)"
    assert printed.execute_script("return document.documentElement.scrollWidth") <= 794


def test_a_printed_page_says_which_choice_it_shows(printed: Any) -> None:  # noqa: ANN401
    note = printed.find_element("css selector", "#chosen")
    assert note.text == "The plots show the choice of 1 of 100."
    printed.execute_script(
        "const select = document.querySelector('#choose select'); select.value = '10';"
        "select.dispatchEvent(new Event('change'));"
        "document.querySelector('#choose input').click();"
    )
    assert note.text == "The plots show the choice of 1 of 10 and everything but easy."


def test_a_header_is_repeated_on_every_printed_page(printed: Any) -> None:  # noqa: ANN401
    # Chromium repeats a header only if it has no box of another kind in it.
    buttons = printed.find_elements("css selector", "thead th button")
    assert buttons
    assert {each.value_of_css_property("display") for each in buttons} == {"contents"}
