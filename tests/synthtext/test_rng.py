from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from synthtext.rng import draw_below, draw_bits, draw_bits_at, draw_units, pick, unfold


@given(seed=st.integers(0, 2**70), start=st.integers(0, 10**9), offset=st.integers(0, 50))
def test_an_index_drawn_alone_equals_the_same_index_in_a_shard(
    seed: int, start: int, offset: int
) -> None:
    shard = draw_bits(seed, "blur_px", start, start + 51)
    alone = draw_bits(seed, "blur_px", start + offset, start + offset + 1)
    assert (alone[0] == shard[offset]).all()


@given(
    seed=st.integers(0, 2**70),
    names=st.lists(st.text(), min_size=1, max_size=60, unique=True),
    indices=st.lists(st.integers(0, 2**64 - 2), min_size=1, max_size=4),
)
def test_numbers_drawn_together_equal_each_drawn_alone(
    seed: int, names: list[str], indices: list[int]
) -> None:
    together = draw_bits_at(seed, tuple(names), indices)
    alone = [[draw_bits(seed, name, k, k + 1)[0] for k in indices] for name in names]
    assert (together == np.array(alone)).all()


def test_factors_draw_from_streams_of_their_own() -> None:
    one, other = draw_units(0, "x_frac", 0, 4000)[:, 0], draw_units(0, "y_frac", 0, 4000)[:, 0]
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.05


def test_seeds_that_share_their_digits_do_not_share_draws() -> None:
    assert (draw_bits(1, "2", 0, 1) != draw_bits(12, "", 0, 1)).any()


def test_draws_are_those_of_the_first_release() -> None:
    # A change here changes every image ever drawn.
    assert draw_bits(0, "size_px", 0, 1).tolist() == [
        [8936808788261939011, 10505821298296883755, 11713834420064097895, 17784242966264233100]
    ]


def test_units_are_even() -> None:
    units = draw_units(3, "ink", 0, 20_000)
    counts = np.histogram(units, bins=20, range=(0, 1))[0]
    # 80,000 numbers in 20 bins: 4,000 each, standard deviation 62.
    assert np.abs(counts - 4000).max() < 5 * 62


def test_whole_numbers_stay_below_their_bound() -> None:
    assert draw_below(np.array([0.0, 0.5, 1 - 2**-53]), 3).tolist() == [0, 1, 2]


def test_weights_of_zero_are_never_picked() -> None:
    places = pick(draw_units(0, "kind", 0, 5000)[:, 0], np.array([0.0, 1.0, 0.0, 3.0, 0.0]))
    assert set(places.tolist()) == {1, 3}


def test_places_are_picked_as_often_as_their_weights_say() -> None:
    places = pick(draw_units(0, "kind", 0, 40_000)[:, 0], np.array([1.0, 3.0]))
    # Standard deviation sqrt(.25 * .75 / 40,000) = 0.0022.
    assert abs(float(places.mean()) - 0.75) < 0.01


def test_numbers_from_a_seed_are_those_of_splitmix64() -> None:
    # The first outputs for seed 1234567 in the reference implementation by Vigna:
    # 6457827717110365317, 3203168211198807973.
    found = [int(unit * 2**53) for unit in unfold(1234567, 2)]
    assert found == [6457827717110365317 >> 11, 3203168211198807973 >> 11]
