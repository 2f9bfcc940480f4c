from __future__ import annotations

import numpy as np
import pytest

from probes.arrays import Floats
from probes.fitting.population import (
    estimate_population,
    estimate_shares,
    find_interval,
    find_slack,
    find_trust,
    shrink,
)
from synthtext.recipe import parse_draw

EVEN = np.array([0.5, 0.5])


def look(truth: Floats, n: int, seed: int, noise: float = 1.0) -> Floats:
    """Return the exact posteriors, under a uniform prior, of positions observed with noise."""
    rng = np.random.default_rng(seed)
    places = rng.choice(len(truth), n, p=truth)
    seen = places + noise * rng.standard_normal(n)
    likely = np.exp(-((seen[:, None] - np.arange(len(truth))) ** 2) / (2 * noise**2))
    return likely / likely.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_shares_are_found_although_the_prior_was_another(share: float) -> None:
    posteriors = look(np.array([share, 1 - share]), 4000, 0)
    found = estimate_shares(posteriors, EVEN, pseudo=np.zeros(2))
    assert found[0] == pytest.approx(share, abs=0.05)
    # Their plain mean is biased towards the prior, which the steps correct.
    assert abs(found[0] - share) <= abs(posteriors[:, 0].mean() - share) + 0.01


def test_certain_posteriors_give_their_counts() -> None:
    posteriors = np.eye(3)[[0, 0, 1, 2]]
    prior = np.array([0.2, 0.3, 0.5])
    found = estimate_shares(posteriors, prior, pseudo=np.zeros(3))
    assert found == pytest.approx([0.5, 0.25, 0.25])
    counts = np.array([[4.0, 0, 0, 0], [0, 0, 2, 2]])
    resampled = estimate_shares(posteriors, prior, pseudo=np.zeros(3), counts=counts)
    assert resampled[0] == pytest.approx([1, 0, 0])
    assert resampled[1] == pytest.approx([0, 0.5, 0.5])


def test_posteriors_that_say_nothing_leave_the_prior() -> None:
    prior = np.array([0.1, 0.6, 0.3])
    found = estimate_shares(np.tile(prior, (50, 1)), prior, pseudo=np.zeros(3))
    assert found == pytest.approx(prior)


def test_pseudo_crops_keep_a_part_from_nothing() -> None:
    found = estimate_shares(np.eye(2)[[0] * 98], EVEN, pseudo=np.array([1.0, 1.0]))
    assert found == pytest.approx([0.99, 0.01])


def test_few_crops_are_less_certain() -> None:
    draw = parse_draw("size_px", "8:16:log,16:32:log")
    few, many = (
        estimate_population(draw, look(np.array([0.3, 0.7]), n, 1), EVEN, seed=0)
        for n in (50, 5000)
    )
    assert few.stds.max() > 3 * many.stds.max()
    again = estimate_population(draw, look(np.array([0.3, 0.7]), 50, 1), EVEN, seed=0)
    assert (again.stds == few.stds).all()


def test_an_interval_of_a_size_is_in_px_and_within_its_parts() -> None:
    draw = parse_draw("size_px", "8:16:log,16:32:log")
    found = estimate_population(draw, look(EVEN, 1000, 2), EVEN, seed=0)
    values, low, high = find_interval(draw, found, slack=9.0)
    assert values[1] == pytest.approx(16, rel=0.2)
    assert (low == 8).all()
    assert high == pytest.approx(32)


def test_slack_makes_nine_of_ten_intervals_hold() -> None:
    rng = np.random.default_rng(0)
    errors = [0.3 * rng.standard_normal(5) for _ in range(200)]
    stds = [np.full(5, 0.1) for _ in range(200)]
    half = np.sqrt((1.645 * 0.1) ** 2 + find_slack(errors, stds) ** 2)
    assert np.mean(np.abs(np.concatenate(errors)) <= half) == pytest.approx(0.9, abs=0.01)
    # Differences explained by resampling alone need none.
    assert find_slack([0.01 * error for error in errors], stds) == 0


def test_smoothing_spreads_what_neighbours_share() -> None:
    truth = np.array([0.1, 0.2, 0.3, 0.25, 0.15])
    posteriors = look(truth, 600, 3, noise=2.0)
    prior = np.full(5, 0.2)
    jumpy, smooth = (
        estimate_shares(posteriors, prior, pseudo=np.zeros(5), smoothing=smoothing)
        for smoothing in (0.0, 0.15)
    )
    assert np.abs(smooth - truth).sum() < np.abs(jumpy - truth).sum()
    assert smooth.sum() == pytest.approx(1)


def test_of_an_estimate_that_tells_nothing_half_is_kept() -> None:
    draw = parse_draw("case", "lower,upper,title")
    rng = np.random.default_rng(0)
    truths = list(rng.dirichlet(np.ones(3), 20))
    assert find_trust(draw, truths, truths) == 1
    # What is found has nothing to do with the truth, but sways more than the proposal.
    assert find_trust(draw, list(rng.dirichlet(np.full(3, 0.2), 20)), truths) == 0.5


def test_a_shrunk_estimate_is_on_the_way_to_the_proposal() -> None:
    draw = parse_draw("case", "lower,upper")
    found = estimate_population(draw, look(np.array([0.9, 0.1]), 400, 4), EVEN, seed=0)
    half = shrink(draw, found, 0.5)
    assert half.shares == pytest.approx((found.shares + EVEN) / 2)
    assert half.stds == pytest.approx(found.stds / 2)
    assert half.trust == 0.5
