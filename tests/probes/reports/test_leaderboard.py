"""The leaderboard of planted readers: its order, its figures, and hostile names."""

from __future__ import annotations

import itertools
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from matplotlib.textpath import TextPath

from probes.reports import leaderboard_page
from probes.reports.leaderboard import Leaderboard, make_csv, measure_leaderboard
from probes.reports.leaderboard_page import list_tables, write_leaderboard
from probes.reports.leaderboard_plots import draw_pairs
from probes.reports.model_styles import MAX_NAMED, style_of
from probes.tasks.results import Result

HOSTILE = '<script>alert("$x_{")</script>]]>&\u202e\x1b[2J猫--><!--'

SIZES = (6.0, 8.0, 11.0, 15.0, 20.0, 28.0)

EDGES = {2: 0.7, 10: 1.0, 100: 1.4}
"""How many times its edge a size must be for each number of candidates."""

WORDS = [f"word{k}" for k in range(40)]


def plant(name: str, edge: float, number: int, n_fonts: int = 3) -> Result:
    """Return a reader of sizes above its edge, which varies by an octave between words."""
    rng = np.random.default_rng(number)
    edges = edge * 2 ** rng.normal(0, 0.4, len(WORDS))
    cells = [("baseline", "baseline", 14.0, "a.ttf")]
    cells += [("size_px", str(size), size, "a.ttf") for size in SIZES]
    cells += [("font", f"f{k}.ttf", 14.0, f"f{k}.ttf") for k in range(n_fonts)]
    rows = [
        {"key": f"{base}-{factor}-{level}-{word}", "word": word, "factor": factor,
         "baseline": base, "level": level, "font": font, "size_px": size,
         "x_height_seen_px": size / 2, "x_height_patches": size / 32,
         "ratio": size * (0.8 if base == "harder" else 1) / edges[place]}
        for base in ("easy", "harder")
        for factor, level, size, font in cells
        for place, word in enumerate(WORDS)
    ]  # fmt: skip
    outcomes = pd.DataFrame(rows).assign(task="words", k=10, guess="x", protocol=2)
    for k, least in EDGES.items():  # More candidates need larger letters.
        outcomes[f"rank_at_{k}"] = np.where(outcomes["ratio"] > least, 1, 2)
    outcomes["rank"] = outcomes["rank_at_10"]
    outcomes["correct"] = outcomes["rank"] == 1
    sizes = {"input_px": 32 * (number + 1), "patch_px": 16, "gflop": 4.0**number}
    summary = {"model": sizes | {"n_parameters": None if number == 1 else 10.0 ** (number + 6)}}
    return Result(name, Path(f"results/{number}"), outcomes, summary)


@pytest.fixture(scope="module")
def board() -> Leaderboard:
    edges = {"small": 8.0, HOSTILE: 12.0, "large": 12.5, "blind": 1e9}
    return measure_leaderboard(
        [plant(name, edge, number) for number, (name, edge) in enumerate(edges.items())]
    )


def test_models_stand_in_the_order_of_what_they_read(board: Leaderboard) -> None:
    assert board.condition == "harder"
    assert [model["name"] for model in board.models][::3] == ["small", "blind"]
    accuracies = [model["accuracy"] for model in board.models]
    assert accuracies == sorted(accuracies, reverse=True)
    assert [model["rank_low"] for model in board.models][-1] == 4
    middle = {model["name"]: model for model in board.models}["large"]
    assert middle["rank_low"] < middle["rank_high"]


def test_a_threshold_lies_where_it_was_planted(board: Leaderboard) -> None:
    for model in board.models:
        found = [
            row
            for row in model["thresholds"]
            if (row["unit"], row["baseline"]) == ("x_height_seen_px", "easy")
        ]
        if model["name"] == "blind":
            assert not any(row["reached"] for row in found)
        else:
            edge = 8.0 if model["name"] == "small" else 12.2
            assert found[0]["low"] <= edge / 2 <= found[0]["high"]


def test_the_files_of_a_leaderboard_agree(board: Leaderboard, tmp_path: Path) -> None:
    write_leaderboard(board, tmp_path, "synthtext compare a b")
    summary = orjson.loads((tmp_path / "leaderboard.json").read_bytes())
    table = pd.read_csv(tmp_path / "leaderboard.csv")
    assert table["name"].tolist() == [model["name"] for model in summary["models"]]
    assert table["harder_accuracy"].tolist() == pytest.approx(
        [model["accuracy"] for model in summary["models"]]
    )
    assert np.isnan(table.set_index("name").loc[HOSTILE, "n_parameters"])
    assert len(summary["pairs"]) == 6
    rows = pd.DataFrame(summary["factors"]["size_px"])
    assert set(rows["model"]) == set(table["name"])
    assert {"level", "n_seen", "n_right", "low", "high"} <= set(rows.columns)
    names = {path.stem for path in (tmp_path / "plots").iterdir()}
    assert {"ranking", "size_px", "font", "threshold_x_height_seen_px", "pairs"} <= names
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    write_leaderboard(board, tmp_path, "synthtext compare a b")
    assert before == {path: path.read_bytes() for path in before}


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_a_hostile_name_is_shown_and_does_nothing(board: Leaderboard, tmp_path: Path) -> None:
    write_leaderboard(board, tmp_path, HOSTILE)
    page = (tmp_path / "report.html").read_text()
    assert '<script>alert("' not in page
    text = _Text()
    text.feed(page)
    assert '<script>alert("$x_{")</script>]]>&\\u202e\\x1b[2J猫' in "".join(text.text)
    for path in (tmp_path / "plots").glob("*.svg"):
        drawn = path.read_text()
        assert "<script" not in drawn
        assert "\x1b" not in drawn


def test_no_two_models_look_alike() -> None:
    styles = {
        json.dumps({k: style_of(n)[k] for k in ("color", "ls")}) for n in range(MAX_NAMED)
    }
    assert len(styles) == MAX_NAMED
    assert style_of(MAX_NAMED)["marker"] == ""


def multiply(board: Leaderboard, n: int) -> Leaderboard:
    """Return a leaderboard of n models, all equal to the first one."""
    names = [f"model {number} of a rather long name" for number in range(n)]
    first = board.models[0]
    factors = {
        factor: pd.concat(
            [table[table["model"] == first["name"]].assign(model=name) for name in names]
        )
        for factor, table in board.factors.items()
    }
    pairs = [board.pairs[0] | {"a": a, "b": b} for a, b in itertools.combinations(names, 2)]
    models = [first | {"name": name} for name in names]
    others = {
        factor: {
            k: pd.concat(
                [table[table["model"] == first["name"]].assign(model=name) for name in names]
            )
            for k, table in tables.items()
        }
        for factor, tables in board.others.items()
    }
    return replace(board, models=models, pairs=pairs, factors=factors, others=others)


@pytest.mark.parametrize("n_models", [2, 30])
def test_few_and_many_models_are_drawn(
    board: Leaderboard, n_models: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert n_models == 2 or n_models > MAX_NAMED
    monkeypatch.setattr(leaderboard_page, "MAX_MAPPED", 20)
    monkeypatch.setattr(leaderboard_page, "MAX_PAIRS", 50)
    many = multiply(board, n_models)
    write_leaderboard(many, tmp_path)
    assert (tmp_path / "plots/pairs.svg").exists() == (n_models == 2)
    assert len(make_csv(many)) == n_models
    pairs = {table.title: table for table in list_tables(many)}["Pairs"]
    assert len(pairs.rows) == min(n_models * (n_models - 1) // 2, 50)


@pytest.fixture(scope="module")
def written(board: Leaderboard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the leaderboard."""
    out = tmp_path_factory.mktemp("written")
    write_leaderboard(board, out)
    return out


@pytest.fixture(scope="module")
def crowd(board: Leaderboard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a leaderboard with one model more than there are styles."""
    out = tmp_path_factory.mktemp("crowd")
    write_leaderboard(multiply(board, MAX_NAMED + 1), out)
    return out


def test_a_long_legend_leaves_the_curves_their_height(crowd: Path) -> None:
    root = ET.parse(crowd / "plots/size_px.svg").getroot()
    background = root.find(".//*[@id='axes_1']/*[@id='patch_2']/*")
    assert background is not None
    heights = [float(y) for y in re.findall(r"[ML] \S+ (\S+)", background.attrib["d"])]
    assert max(heights) - min(heights) > 144  # Two inches, in points.


def test_the_names_beside_a_map_of_pairs_are_whole() -> None:
    names = [f"model {number} of a rather long name" for number in range(12)]
    drawing = draw_pairs(names, np.zeros((12, 12)), np.zeros((12, 12), dtype=bool))
    for text in ET.fromstring(drawing.svg).iter("{http://www.w3.org/2000/svg}text"):
        if (text.text or "").startswith("model"):
            width = TextPath((0, 0), text.text, size=9).get_extents().width
            assert float(text.attrib["x"]) > width


def choose_k(browser: Any, k: int) -> None:  # noqa: ANN401
    from selenium.webdriver.support.ui import Select

    Select(browser.find_element("css selector", "#choose select")).select_by_value(str(k))


def locate(browser: Any, selector: str) -> np.ndarray[Any, np.dtype[np.float64]]:  # noqa: ANN401
    """Return the coordinates of the points in a figure, (n, 2)."""
    script = (
        "return [...document.querySelectorAll(arguments[0])]"
        ".map((use) => ['x', 'y'].map((name) => Number(use.getAttribute(name))))"
    )
    return np.array(browser.execute_script(script, f"{selector} use"))


@pytest.mark.parametrize(
    ("factor", "figure", "axis"), [("size_px", "f1", 1), ("font", "f2", 0)]
)
def test_another_k_moves_the_points_of_every_panel(
    board: Leaderboard,
    factor: str,
    figure: str,
    axis: int,
    browser: Any,  # noqa: ANN401
    written: Path,
) -> None:
    browser.get((written / "report.html").as_uri())
    options = browser.find_elements("css selector", "#choose option")
    assert [each.text for each in options] == ["1 of 2", "1 of 10", "1 of 100"]
    tables = {10: board.factors[factor], 100: board.others[factor][100]}
    for panel, baseline in enumerate(("easy", "harder")):
        spots, shares = {}, {}
        for k, table in tables.items():
            choose_k(browser, k)
            rows = [
                table[(table["model"] == model["name"]) & (table["baseline"] == baseline)]
                for model in board.models
            ]
            shares[k] = pd.concat(rows)["accuracy"].to_numpy()
            first = panel * len(board.models)
            series = [f"#{figure}-points-{first + n}" for n in range(len(board.models))]
            spots[k] = np.concatenate([locate(browser, each)[:, axis] for each in series])
        slope, start = np.polyfit(shares[10], spots[10], 1)
        assert not np.allclose(shares[10], shares[100], atol=0.05)
        np.testing.assert_allclose(spots[10], start + slope * shares[10], atol=0.2)
        np.testing.assert_allclose(spots[100], start + slope * shares[100], atol=0.2)
        line = browser.find_element("css selector", f"#{figure}-chance-{panel} path")
        ends = re.findall(r"[ML] (\S+) (\S+)", line.get_attribute("d"))
        guess = start + slope / 100
        assert [float(end[axis]) for end in ends] == pytest.approx([guess] * 2, abs=0.2)
    assert browser.get_log("browser") == []


def test_another_k_moves_the_ranking_and_its_chance(
    board: Leaderboard,
    browser: Any,  # noqa: ANN401
    written: Path,
) -> None:
    browser.get((written / "report.html").as_uri())
    places = {}
    for k in (2, 10, 100):
        choose_k(browser, k)
        guesses = locate(browser, "#f0-points-0-guessing")[:, 0]
        assert np.ptp(guesses) == pytest.approx(0, abs=0.1)
        places[k] = guesses[0], *locate(browser, "#f0-points-0")[:, 0]
    scale = (places[2][0] - places[10][0]) / 0.4
    for k, (guess, *found) in places.items():
        assert guess == pytest.approx(places[10][0] + (1 / k - 0.1) * scale, abs=0.2)
        rows = [
            row
            for model in board.models
            for row in model["headline"]
            if (row["condition"], row["k"]) == ("easy", k)
        ]
        wanted = [guess + (row["accuracy"] - 1 / k) * scale for row in rows]
        assert found == pytest.approx(wanted, abs=0.2)
    titles = [each.text for each in browser.find_elements("css selector", "figcaption")]
    assert [title.endswith(", 1 of 10") for title in titles] == [False] * 3 + [True] * 3


def test_another_k_moves_lines_without_markers(browser: Any, crowd: Path) -> None:  # noqa: ANN401
    browser.get((crowd / "report.html").as_uri())

    def list_lines() -> list[str]:
        paths = [f"#f1-points-{n} > path" for n in (0, MAX_NAMED)]
        found = [browser.find_element("css selector", path) for path in paths]
        return [path.get_attribute("d").split() for path in found]

    before = list_lines()
    assert before[0] == before[1]
    choose_k(browser, 100)
    after = list_lines()
    assert after[0] != before[0]
    assert after[0] == after[1]


def test_thresholds_are_not_drawn_against_sizes_that_one_model_has(
    board: Leaderboard, tmp_path: Path
) -> None:
    unknown = dict.fromkeys(leaderboard_page.plots.SIZES)
    few = [board.models[0], *({**model, **unknown} for model in board.models[1:])]
    write_leaderboard(replace(board, models=few), tmp_path)
    names = {path.stem for path in (tmp_path / "plots").iterdir()}
    assert "ranking" in names
    assert "threshold_x_height_seen_px" not in names


def test_progress_is_told(board: Leaderboard) -> None:
    seen: list[tuple[str, int, int]] = []
    results = [plant("a", 8.0, 0), plant("b", 9.0, 1)]
    measure_leaderboard(results, on_progress=lambda *done: seen.append(done))
    assert seen == [("pairs", 1, 1), ("models", 1, 2), ("models", 2, 2)]
