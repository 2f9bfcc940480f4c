"""A folder of crops -> the recipe that draws crops like them: the rounds of a fit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from probes.arrays import Floats, Pixels
from probes.errors import ProbeError
from probes.fitting.crops import Crops
from probes.fitting.drawing import Drawn, Materials, draw_crops, draw_images
from probes.fitting.estimator import Estimator, Schedule, pack, predict, train_estimator, unpack
from probes.fitting.mixing import make_mixture, widen
from probes.fitting.population import (
    Population,
    Seen,
    describe,
    estimate_population,
    find_slack,
    find_trust,
    shrink,
)
from probes.fitting.proposal import (
    LENGTH,
    make_recipe,
    make_targets,
    plant_shares,
    prior_of,
    weigh,
)
from probes.fitting.reading import RealCrops, read_crops
from probes.fitting.stages import Stages, hash_all
from probes.fitting.two_sample import N_EPOCHS, TwoSample, tell_apart
from probes.fitting.wording import choose_words
from probes.models.device import choose_device
from synthtext.draws import Draw
from synthtext.recipe import Recipe

MIXED = ("size_px", "contrast", "background", "blur_px", "noise_std", "jpeg_quality")
"""Factors whose fractions are estimated for each group of similar crops."""

KEPT_FRAC, OTHER_FRAC = 0.7, 0.3
"""Weights of the estimate and of the first proposal in the proposal of a later round."""

N_PLANTED = 10
"""Simulated populations, which show by how much the estimates are off."""

N_PLANTED_CROPS = 300
"""Maximum number of crops of each; a small fit draws fewer, but at least 30."""

N_SHOWN = 24
"""Crops of each kind shown in the report."""


@dataclass(frozen=True)
class FitConfig:
    """The settings of a fit.

    Attributes:
        folder: folder of the crops.
        count: crops drawn in the first round; later rounds draw half as many.
        n_rounds: rounds of drawing, training and estimating.
        n_epochs: epochs in the first round; later rounds train for half as many.
        n_most: maximum number of crops of the folder that are used.
        n_planted: simulated populations from which the intervals are calibrated.
        seed: seed of every random choice.
        device: see `choose_device`.
    """

    folder: Path
    count: int = 12_000
    n_rounds: int = 2
    n_epochs: int = 8
    n_most: int = 2000
    n_planted: int = N_PLANTED
    seed: int = 0
    device: str = "auto"


@dataclass(frozen=True)
class Round:
    """An estimator, and what it was trained on.

    Attributes:
        estimator: predicts the parts of each factor.
        priors: fraction of the drawn crops with each part, float64 (k,) each.
        proposal: the recipe that the crops were drawn from.
        key: hash of all that determines the round.
    """

    estimator: Estimator
    priors: Mapping[str, Floats]
    proposal: Recipe
    key: str


@dataclass(frozen=True)
class Fitted:
    """The result of a fit.

    Attributes:
        recipe: draws crops like those of the folder.
        words: words with lengths like those in the folder.
        targets: the parts of each factor that was fitted.
        populations: the estimate of each of these factors.
        slack: error of each estimate beyond that found by resampling.
        two_sample: how well a classifier still tells the drawn crops from the real ones.
        real: the crops of the folder.
        drawn: images drawn by the recipe, uint8 (H, W, 3) each.
    """

    recipe: Recipe
    words: tuple[str, ...]
    targets: Mapping[str, Draw]
    populations: Mapping[str, Population]
    slack: Mapping[str, float]
    two_sample: TwoSample
    real: RealCrops
    drawn: tuple[Pixels, ...]


def check_fit(config: FitConfig) -> None:
    """Check the settings of a fit before anything is read.

    Raises:
        ProbeError: a number is out of range.
    """
    for name, value, least, most in (
        ("count", config.count, 100, 1_000_000),
        ("rounds", config.n_rounds, 1, 10),
        ("crops", config.n_most, 20, 100_000),
        ("seed", config.seed, 0, 2**53),
    ):
        if not least <= value <= most:
            raise ProbeError(f"{name} is {value}; it is from {least} to {most:,}")
    choose_device(config.device)


def run_fit(
    config: FitConfig,
    materials: Materials,
    work: Path,
    *,
    on_progress: Callable[..., None],
    on_checked: Callable[[], None] = lambda: None,
) -> Fitted:
    """Return the recipe that draws crops like those of a folder.

    Args:
        config: the settings.
        materials: what to draw with.
        work: folder of finished stages, from which a run that was killed continues.
        on_progress: called with what is counted, how many are done, of how many, and a remark.
        on_checked: called when the crops are read and checked, before anything is written.

    Raises:
        ProbeError: the folder does not contain crops that a recipe can be fitted to.
        SynthtextError: nothing can be drawn with the materials.
    """
    stages = Stages(work, on_progress)
    real = read_crops(
        config.folder, n_most=config.n_most, seed=config.seed, on_progress=on_progress
    )
    on_checked()
    targets = make_targets(materials.fonts, has_photos=materials.photos is not None)
    first = last = run_round(config, targets, materials, stages)
    fitted = estimate(last, targets, real.crops, seed=config.seed)
    for _ in range(1, config.n_rounds):
        last = run_round(config, targets, materials, stages, before=last, fitted=fitted)
        fitted = estimate(last, targets, real.crops, seed=config.seed)
    trust, slack = calibrate(config, last, targets, materials, stages, near=fitted[1])
    recipe, populations = estimate(last, targets, real.crops, seed=config.seed, trust=trust)
    lengths = weigh(targets[LENGTH], populations[LENGTH].shares)
    words = choose_words(materials.words, lengths, seed=config.seed, repeats=False)
    check = draw_crops(
        recipe, {}, replace(materials, words=words),
        count=len(real.crops), seed=seed_of(config.seed, "check"), stages=stages,
    )  # fmt: skip
    schedule = make_schedule(config, N_EPOCHS, on_progress)
    two_sample = tell_apart(real.crops, check.crops, first.estimator, schedule)
    images = draw_images(
        recipe, words, materials, count=N_SHOWN, seed=seed_of(config.seed, "shown")
    )
    return Fitted(recipe, words, targets, populations, slack, two_sample, real, tuple(images))


def run_round(
    config: FitConfig,
    targets: Mapping[str, Draw],
    materials: Materials,
    stages: Stages,
    *,
    before: Round | None = None,
    fitted: tuple[Recipe, Mapping[str, Population]] | None = None,
) -> Round:
    """Return an estimator that is trained on crops of a proposal.

    Args:
        config: the settings.
        targets: the parts of each factor.
        materials: what to draw with.
        stages: where finished results are kept.
        before: the round before, whose estimator this one starts from.
        fitted: the estimate of that round, near which crops are proposed.
    """
    draws, proposal = targets, make_recipe(targets)
    if fitted is not None:
        draws = {
            name: weigh(draw, KEPT_FRAC * fitted[1][name].shares + OTHER_FRAC * prior_of(draw))
            for name, draw in targets.items()
        }
        proposal = widen(fitted[0], draws)
    name = f"after {before.key}" if before else "first"
    count = config.count // 2 if before else config.count
    drawn = draw_crops(
        proposal, draws, materials, count=count,
        seed=seed_of(config.seed, name), stages=stages,
    )  # fmt: skip
    device = choose_device(config.device)
    key = hash_all(drawn.key, name, config.n_epochs, config.seed, device.type)
    arrays = stages.keep(
        f"estimator-{key}", lambda: pack(_train(config, targets, drawn, before, stages))
    )
    priors = {
        name: np.bincount(codes, minlength=len(prior_of(targets[name]))) / len(codes)
        for name, codes in drawn.codes.items()
    }
    return Round(unpack(arrays, device), priors, proposal, key)


def _train(
    config: FitConfig,
    targets: Mapping[str, Draw],
    drawn: Drawn,
    before: Round | None,
    stages: Stages,
) -> Estimator:
    n_epochs = config.n_epochs if before is None else max(1, config.n_epochs // 2)
    sizes = {name: len(prior_of(draw)) for name, draw in targets.items()}
    schedule = make_schedule(config, n_epochs, stages.advance)
    start = before.estimator if before else None
    return train_estimator(drawn.crops, drawn.codes, sizes, schedule, start)


def make_schedule(config: FitConfig, n_epochs: int, advance: Callable[..., None]) -> Schedule:
    """Return how to train with the settings of a fit."""
    return Schedule(n_epochs, config.seed, choose_device(config.device), advance)


def estimate(
    last: Round,
    targets: Mapping[str, Draw],
    crops: Crops,
    *,
    seed: int,
    trust: Mapping[str, float] | None = None,
) -> tuple[Recipe, dict[str, Population]]:
    """Return the recipe of some crops, and the estimate of each factor.

    Args:
        last: the round whose estimator is used.
        targets: the parts of each factor, weighted as first proposed.
        crops: the crops.
        seed: seed of the resampling and of the groups.
        trust: weight of each estimate against the first proposal; None gives it all weight.
    """
    seen = Seen(predict(last.estimator, crops), last.priors)
    populations = estimate_all(targets, seen, seed=seed)
    if trust is not None:
        populations = {
            name: shrink(targets[name], each, trust[name]) for name, each in populations.items()
        }
    mixed = [name for name in MIXED if name in targets]
    return make_mixture(targets, populations, seen, crops, mixed=mixed, seed=seed), populations


def estimate_all(
    targets: Mapping[str, Draw], seen: Seen, *, seed: int
) -> dict[str, Population]:
    """Return the estimate of each factor."""
    return {
        name: estimate_population(draw, seen.posteriors[name], seen.priors[name], seed=seed)
        for name, draw in targets.items()
    }


def calibrate(
    config: FitConfig,
    last: Round,
    targets: Mapping[str, Draw],
    materials: Materials,
    stages: Stages,
    *,
    near: Mapping[str, Population] | None = None,
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the weight to give each estimate, and its error beyond that found by resampling.

    Both are measured on simulated populations, which are drawn, and estimated like the crops
    of a folder.

    Args:
        config: the settings.
        last: the round whose estimator is calibrated.
        targets: the parts of each factor.
        materials: what to draw with.
        stages: where finished results are kept.
        near: the estimate; the populations lie halfway between it and random ones.
    """
    found: dict[str, list[Population]] = {name: [] for name in targets}
    truths: dict[str, list[Floats]] = {name: [] for name in targets}
    count = max(30, min(N_PLANTED_CROPS, config.count // 40))
    for number in range(config.n_planted):
        planted = plant(targets, seed_of(config.seed, f"planted {number}"), near)
        populations = find_planted(
            last, planted, materials, stages, count=count,
            seed=seed_of(config.seed, f"plant {number}"),
        )  # fmt: skip
        for name, population in populations.items():
            found[name].append(population)
            truths[name].append(prior_of(planted[name]))
    trust, slack = {}, {}
    for name, draw in targets.items():
        trust[name] = find_trust(draw, [each.shares for each in found[name]], truths[name])
        shrunk = [shrink(draw, each, trust[name]) for each in found[name]]
        errors = [
            each.values - describe(draw, truth)
            for each, truth in zip(shrunk, truths[name], strict=True)
        ]
        slack[name] = find_slack(errors, [each.stds for each in shrunk])
    return trust, slack


def plant(
    targets: Mapping[str, Draw], seed: int, near: Mapping[str, Population] | None = None
) -> dict[str, Draw]:
    """Return the draws of a random population, or of one halfway between it and another."""
    shares = {name: plant_shares(draw, seed, name) for name, draw in targets.items()}
    if near is not None:
        shares = {name: (each + near[name].shares) / 2 for name, each in shares.items()}
    return {name: weigh(draw, shares[name]) for name, draw in targets.items()}


def find_planted(
    last: Round,
    planted: Mapping[str, Draw],
    materials: Materials,
    stages: Stages,
    *,
    count: int,
    seed: int,
) -> dict[str, Population]:
    """Return the estimate of a population whose draws are known."""
    recipe = make_recipe(planted)
    if last.proposal.mixture:
        recipe = replace(recipe, mixture=last.proposal.mixture)
    drawn = draw_crops(recipe, planted, materials, count=count, seed=seed, stages=stages)
    seen = Seen(predict(last.estimator, drawn.crops), last.priors)
    return estimate_all(planted, seen, seed=seed)


def seed_of(seed: int, name: str) -> int:
    """Return the seed of a stage, from 0 to below 2**48, different for every stage."""
    digest = hashlib.blake2b(f"fit {seed} {name}".encode(), digest_size=6).digest()
    return int.from_bytes(digest)
