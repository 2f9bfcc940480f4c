"""Probabilities for single crops -> the fraction of all crops with each part, with intervals.

The probabilities hold under the prior that the estimator was trained with. The fractions in a
folder differ from it and are found by expectation-maximisation: the probabilities of each crop
are reweighted to the current fractions, and their mean gives the next ones.

Source: Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier to new a
priori probabilities: a simple procedure", Neural Computation 14 (2002); Silverman, Jones,
Wilson and Nychka, "A smoothed EM approach to indirect estimation problems", JRSS B 52 (1990).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from probes.arrays import Floats
from probes.fitting.proposal import prior_of, quantiles
from synthtext.draws import Choice, Draw, Range

MAX_STEPS = 300

TOLERANCE = 1e-5
"""Iteration ends when no fraction changes by more than this."""

PSEUDO_FRAC = 0.1
"""Pseudo-count of the prior, as a fraction of the crops: without it, a part with little
evidence ends at exactly 0, and its neighbour takes all of it."""

SMOOTHING = 0.15
"""How much of each neighbour is mixed into each part of a number in every step. Crops hardly
distinguish neighbouring parts, so without smoothing the fractions jump from part to part. This
value and the one above brought the lengths and cases of labelled words nearest to the truth."""

LEVELS = (0.1, 0.5, 0.9)
"""Quantiles that describe a number."""

N_DRAWS = 60
"""Bootstrap resamples of the crops."""

TRUSTS = (1.0, 0.5)
"""Weights that an estimate may get. Simulated populations are harder to estimate than real
crops: the letter case of real crops was found although simulations showed that it could not be.
So the weight is never below a half."""

GAIN = 0.85
"""An estimate gets full weight unless a smaller one reduces the error to this fraction or less:
with few simulated populations, chance alone makes some weight look better."""

LEAST_POPULATIONS = 8
"""With fewer simulated populations, chance alone would choose the weight."""

Z_90 = 1.645
"""Half the width of a 90 % interval, in standard deviations."""


@dataclass(frozen=True)
class Population:
    """The estimate of one factor.

    Attributes:
        shares: fraction of each part, float64 (k,), adding up to 1.
        values: the quantiles `LEVELS` of a number, in log2 if its parts are logarithmic, or the
            fractions of names.
        stds: standard deviation of each value over bootstrap resamples.
        known: fraction by which a single crop reduces the entropy of the prior, usually 0 to 1;
            near 0, the factor is hardly visible in crops.
        trust: weight of the estimate in the fractions; the rest is the first proposal.
    """

    shares: Floats
    values: Floats
    stds: Floats
    known: float
    trust: float = 1.0


@dataclass(frozen=True)
class Seen:
    """The predictions of an estimator for N crops.

    Attributes:
        posteriors: probabilities of the parts of each factor, float64 (N, k) each.
        priors: fractions of the parts in its training crops, float64 (k,) each.
    """

    posteriors: Mapping[str, Floats]
    priors: Mapping[str, Floats]


def estimate_shares(
    posteriors: Floats,
    prior: Floats,
    *,
    pseudo: Floats,
    smoothing: float = 0.0,
    counts: Floats | None = None,
) -> Floats:
    """Return the fraction of crops with each part.

    Args:
        posteriors: (N, k); probabilities of the parts for each crop, under the prior.
        prior: (k,); fractions of the parts in the training crops of the estimator.
        pseudo: (k,); pseudo-count of each part.
        smoothing: how much of each neighbour is mixed into each part; 0 if parts have no order.
        counts: (R, N); how often each crop occurs in R resamples; None counts each once.

    Returns:
        float64 (k,), or (R, k) for resamples, adding up to 1.
    """
    weights = np.ones((1, len(posteriors))) if counts is None else counts
    total = weights.sum(axis=1, keepdims=True) + pseudo.sum()
    shares = np.repeat(prior[None], len(weights), axis=0)
    known = np.maximum(prior, 1e-9)
    for _ in range(MAX_STEPS):
        moved = shares / known
        evidence = posteriors @ moved.T
        new = (
            moved * ((weights / np.maximum(evidence.T, 1e-300)) @ posteriors) + pseudo
        ) / total
        if smoothing:
            new = known * _smooth(new / known, smoothing)
            new /= new.sum(axis=1, keepdims=True)
        change = np.abs(new - shares).max()
        shares = new
        if change < TOLERANCE:
            break
    return shares[0] if counts is None else shares


def _smooth(ratios: Floats, smoothing: float) -> Floats:
    padded = np.pad(ratios, ((0, 0), (1, 1)), mode="edge")
    return (1 - 2 * smoothing) * ratios + smoothing * (padded[:, :-2] + padded[:, 2:])


def smoothing_of(draw: Draw) -> float:
    """Return how much of each neighbour is mixed into the parts of a factor."""
    return 0.0 if isinstance(draw, Choice) else SMOOTHING


def estimate_population(
    draw: Draw, posteriors: Floats, prior: Floats, *, seed: int
) -> Population:
    """Return the estimate of one factor.

    Args:
        draw: its parts.
        posteriors: (N, k), as for `estimate_shares`.
        prior: (k,), as for `estimate_shares`.
        seed: seed of the resampling.
    """
    n = len(posteriors)
    pseudo = PSEUDO_FRAC * n * prior
    smoothing = smoothing_of(draw)
    shares = estimate_shares(posteriors, prior, pseudo=pseudo, smoothing=smoothing)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=N_DRAWS).astype(np.float64)
    resampled = estimate_shares(
        posteriors, prior, pseudo=pseudo, smoothing=smoothing, counts=counts
    )
    values = np.stack([describe(draw, row) for row in resampled])
    before = -(prior * np.log(np.maximum(prior, 1e-12))).sum()
    after = -(posteriors * np.log(np.maximum(posteriors, 1e-12))).sum(axis=1).mean()
    known = float(1 - after / before) if before > 0 else 0.0
    return Population(shares, describe(draw, shares), values.std(axis=0, ddof=1), known)


def describe(draw: Draw, shares: Floats) -> Floats:
    """Return the values of a population: quantiles of a number, or fractions of names."""
    if isinstance(draw, Choice):
        return shares
    values = quantiles(draw, shares, LEVELS)
    return np.log2(values) if is_log(draw) else values


def is_log(draw: Draw) -> bool:
    """Return whether the parts of a number are logarithmic."""
    if isinstance(draw, Choice):
        return False
    return draw.is_log if isinstance(draw, Range) else all(part.is_log for part in draw.parts)


def find_trust(draw: Draw, found: Sequence[Floats], truths: Sequence[Floats]) -> float:
    """Return the weight of an estimate, against the proposal, that has the smallest error.

    Args:
        draw: the parts, weighted as first proposed.
        found: the estimated fractions of some populations, (k,) each.
        truths: their true fractions, (k,) each.
    """
    prior = prior_of(draw)
    if len(found) < LEAST_POPULATIONS:
        return 1.0

    def miss(trust: float) -> float:
        errors = [
            np.abs(describe(draw, mix(shares, prior, trust)) - describe(draw, truth)).mean()
            for shares, truth in zip(found, truths, strict=True)
        ]
        return float(np.mean(errors))

    best = min(TRUSTS, key=miss)
    return best if miss(best) <= GAIN * miss(1.0) else 1.0


def mix(shares: Floats, prior: Floats, trust: float) -> Floats:
    """Return the mean of an estimate and the proposal, weighted by trust in the estimate."""
    return trust * shares + (1 - trust) * prior


def shrink(draw: Draw, population: Population, trust: float) -> Population:
    """Return an estimate shrunk towards the first proposal, which the draw's weights give."""
    shares = mix(population.shares, prior_of(draw), trust)
    return replace(
        population, shares=shares, values=describe(draw, shares), stds=trust * population.stds,
        trust=trust,
    )  # fmt: skip


def find_slack(errors: Sequence[Floats], stds: Sequence[Floats]) -> float:
    """Return the error of estimates beyond that found by resampling: its 90 % quantile.

    With it, intervals of `sqrt((Z_90 * std)**2 + slack**2)` to either side contain nine tenths
    of the true values.

    Args:
        errors: errors of the estimates, an array for each population.
        stds: their standard deviations by resampling.
    """
    far, near = np.concatenate(errors), Z_90 * np.concatenate(stds)
    beyond = np.sqrt(np.maximum(far**2 - near**2, 0))
    return float(np.quantile(beyond, 0.9, method="higher"))


def find_interval(
    draw: Draw, population: Population, slack: float
) -> tuple[Floats, Floats, Floats]:
    """Return the values of a population, and the ends of their 90 % intervals."""
    half = np.sqrt((Z_90 * population.stds) ** 2 + slack**2)
    low, high = population.values - half, population.values + half
    if isinstance(draw, Choice):
        return population.values, low.clip(0, 1), high.clip(0, 1)
    ends = describe(draw, np.ones(1)) if isinstance(draw, Range) else _find_ends(draw)
    low, high = low.clip(ends[0], ends[1]), high.clip(ends[0], ends[1])
    if is_log(draw):
        return 2**population.values, 2**low, 2**high
    return population.values, low, high


def _find_ends(draw: Draw) -> tuple[float, float]:
    if isinstance(draw, Choice | Range):
        raise TypeError("only ranges by weight have such ends")
    low = min(part.low for part in draw.parts)
    high = max(part.high for part in draw.parts)
    return (float(np.log2(low)), float(np.log2(high))) if is_log(draw) else (low, high)
