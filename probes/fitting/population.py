"""Probabilities of single crops -> how often each part comes in all of them, with intervals.

The probabilities hold for the shares that the estimator was trained with. Those of a folder
differ, and are found by expectation and maximisation: each crop's probabilities are moved to
the present shares, whose mean gives the next.

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
"""Largest change of a share at which the steps end."""

PSEUDO_FRAC = 0.1
"""Crops that are taken to be as the prior says, per crop that is seen: without them a part that
few crops speak for ends at exactly 0, and its neighbour has it all."""

SMOOTHING = 0.15
"""How much each part of a number takes on from either neighbour in every step. What crops tell
of neighbouring parts is alike, so that without it the shares jump from part to part; this value
and that above brought the lengths and cases of labelled words nearest to the truth."""

LEVELS = (0.1, 0.5, 0.9)
"""Quantiles by which a number is described."""

N_DRAWS = 60
"""Resamplings of the crops."""

TRUSTS = (1.0, 0.5)
"""How much of an estimate may be taken. Populations made up are harder to tell apart than real
crops, whose letter case was found where made-up ones showed it not to be; so half is kept."""

GAIN = 0.85
"""An estimate is taken whole unless a part of it has at most so much of its error: few
populations are made up, and chance alone makes some part look better."""

LEAST_POPULATIONS = 8
"""Of fewer, chance alone would choose."""

Z_90 = 1.645
"""Half the width of a 90 % interval, in standard deviations."""


@dataclass(frozen=True)
class Population:
    """What is estimated of one factor.

    Attributes:
        shares: of its parts, float64 (k,), adding up to 1.
        values: what describes them: the quantiles `LEVELS` of a number, in log2 where the parts
            are even in ratios; the shares of names.
        stds: of each value, by resampling the crops.
        known: how much of the entropy of the prior a single crop takes away, 0 to 1 as a rule:
            near 0, crops hardly show the factor.
        trust: how much of the shares is estimated; the rest is the first proposal.
    """

    shares: Floats
    values: Floats
    stds: Floats
    known: float
    trust: float = 1.0


@dataclass(frozen=True)
class Seen:
    """What an estimator makes of N crops.

    Attributes:
        posteriors: how likely each part of each factor is, float64 (N, k) each.
        priors: the shares of the parts that it was trained with, float64 (k,) each.
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
    """Return the share of each part among some crops.

    Args:
        posteriors: (N, k); how likely each part is of each crop, as trained with the prior.
        prior: (k,); the shares that the estimator was trained with.
        pseudo: (k,); crops that are added to each part.
        smoothing: what each part takes on from either neighbour; 0 where parts have no order.
        counts: (R, N); how often each crop comes in R resamplings; None counts each once.

    Returns:
        float64 (k,), or (R, k) for resamplings, adding up to 1.
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
    """Return how much the parts of a factor take on from their neighbours."""
    return 0.0 if isinstance(draw, Choice) else SMOOTHING


def estimate_population(
    draw: Draw, posteriors: Floats, prior: Floats, *, seed: int
) -> Population:
    """Return what is estimated of one factor.

    Args:
        draw: its parts.
        posteriors: (N, k), as for `estimate_shares`.
        prior: (k,), likewise.
        seed: of the resamplings.
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
    """Return what describes a population: quantiles of a number, shares of names."""
    if isinstance(draw, Choice):
        return shares
    values = quantiles(draw, shares, LEVELS)
    return np.log2(values) if is_log(draw) else values


def is_log(draw: Draw) -> bool:
    """Return whether the parts of a number are even in ratios."""
    if isinstance(draw, Choice):
        return False
    return draw.is_log if isinstance(draw, Range) else all(part.is_log for part in draw.parts)


def find_trust(draw: Draw, found: Sequence[Floats], truths: Sequence[Floats]) -> float:
    """Return how much of an estimate to take, and the rest of the proposal, to be nearest.

    Args:
        draw: the parts, weighted as first proposed.
        found: the shares that were estimated of some populations, (k,) each.
        truths: the shares that they had, (k,) each.
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
    """Return shares of which a part is estimated and the rest proposed."""
    return trust * shares + (1 - trust) * prior


def shrink(draw: Draw, population: Population, trust: float) -> Population:
    """Return an estimate moved towards the first proposal, which the draw is weighted by."""
    shares = mix(population.shares, prior_of(draw), trust)
    return replace(
        population, shares=shares, values=describe(draw, shares), stds=trust * population.stds,
        trust=trust,
    )  # fmt: skip


def find_slack(errors: Sequence[Floats], stds: Sequence[Floats]) -> float:
    """Return by how much more than resampling says an estimate is off, in nine of ten cases.

    An interval of `sqrt((Z_90 * std)**2 + slack**2)` to either side then held nine tenths of
    the known truths.

    Args:
        errors: of some estimates, an array for each population.
        stds: of the same, by resampling.
    """
    far, near = np.concatenate(errors), Z_90 * np.concatenate(stds)
    beyond = np.sqrt(np.maximum(far**2 - near**2, 0))
    return float(np.quantile(beyond, 0.9, method="higher"))


def find_interval(
    draw: Draw, population: Population, slack: float
) -> tuple[Floats, Floats, Floats]:
    """Return the values that describe a population, and the ends of their 90 % intervals."""
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
