from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from probes.data.pairs import parse_exclusion
from probes.training.gains import tabulate_gains
from probes.training.retention import measure_retention


def make_rows(right: list[bool], fonts: list[str]) -> pd.DataFrame:
    n = len(right)
    return pd.DataFrame(
        {
            "key": [f"{number:03d}" for number in range(n)],
            "word": [f"w{number}" for number in range(n)],
            "correct": right,
            "font_family": fonts,
            "size_px": np.linspace(10, 30, n),
        }
    )


def test_a_gain_worked_where_its_interval_lies_above_zero() -> None:
    n = 60
    fonts = ["Lato", "Lobster"] * (n // 2)
    before = make_rows([False] * n, fonts)
    after = make_rows([font == "Lato" for font in fonts], fonts)
    table = tabulate_gains(before, after, parse_exclusion(["font_family=Lobster"]), "words")
    seen, left_out = table.to_dict("records")
    assert (seen["group"], seen["n_seen"], seen["difference"]) == ("words", 30, 1.0)
    assert seen["worked"]
    assert left_out["group"] == "words, unseen font_family: Lobster"
    assert left_out["difference"] == 0
    assert not left_out["worked"]


def test_each_range_left_out_has_its_pictures() -> None:
    rows = make_rows([True] * 21, ["Lato"] * 21)
    exclusion = parse_exclusion(["size_px=10:14.5", "font_family=Lato"])
    table = tabulate_gains(rows, rows, exclusion, "words").set_index("group")["n_seen"]
    assert table.to_dict() == {
        "words, unseen size_px: 10:14.5": 5,
        "words, unseen font_family: Lato": 21,
    }


def test_what_was_kept_is_paired() -> None:
    before, after = np.array([True] * 50), np.array([True] * 40 + [False] * 10)
    vectors = np.eye(4, dtype=np.float32)
    turned = np.roll(vectors, 1, axis=0)
    kept = measure_retention("things", (before, after), (vectors, turned))
    assert (kept.before, kept.after, kept.n_seen) == (1.0, 0.8, 50)
    assert kept.gain.mean == pytest.approx(-0.2)
    assert kept.gain.low < -0.2 < kept.gain.high < 0
    assert kept.drift.mean == 1.0
