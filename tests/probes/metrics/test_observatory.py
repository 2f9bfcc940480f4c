from __future__ import annotations

from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from benchmark_scripts import load_script
from probes.factors import FACTORS

N_WORDS = 60


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    """The module that makes the tables of the observatory."""
    return load_script("observatory_tables")


def make_outcomes(threshold: float) -> pd.DataFrame:
    """Return the outcomes of words that are read from about an opacity on."""
    spread = 2 ** np.linspace(-0.4, 0.4, N_WORDS)
    return pd.DataFrame(
        [
            {"factor": "opacity", "baseline": "easy", "level": str(level), "opacity": level,
             "word": f"w{word}", "key": f"{level} {word}", "k": 100,
             "correct": level >= threshold * spread[word]}
            for level in FACTORS["opacity"].levels
            for word in range(N_WORDS)
        ]
    )  # fmt: skip


def test_two_measurements_are_as_far_apart_as_their_thresholds(tables: ModuleType) -> None:
    one, other = make_outcomes(0.14), make_outcomes(0.56)
    (same,) = tables.pair_thresholds(one, one).itertuples()
    assert (same.octaves, same.z, same.overlaps) == (0, 0, True)
    (apart,) = tables.pair_thresholds(one, other).itertuples()
    assert apart.Index == ("opacity", "easy")
    assert apart.octaves == pytest.approx(2, abs=0.4)
    assert apart.z > 2
    assert not apart.overlaps


def test_a_threshold_that_only_one_measurement_has_makes_no_pair(tables: ModuleType) -> None:
    always = make_outcomes(0.01)
    assert tables.pair_thresholds(make_outcomes(0.14), always).empty
    found = {"a reader": make_outcomes(0.14)}
    rows = tables.tabulate_retest(dict(zip(tables.CURVES, [found, found], strict=True)))
    assert "| a reader | 1 | 1 | 0.00 |" in rows
