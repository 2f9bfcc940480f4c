from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from probes.errors import ProbeError
from probes.fitting.crops import Crops, look_at
from probes.fitting.drawing import Materials
from probes.fitting.estimator import Schedule, pack, predict, train_estimator, unpack
from probes.fitting.fit import FitConfig, Fitted, check_fit, run_fit
from probes.fitting.mixing import group_crops
from probes.fitting.population import find_interval
from probes.fitting.proposal import make_targets, prior_of, quantiles
from probes.fitting.two_sample import tell_apart
from synthtext import stream
from synthtext.drawing.fonts import Catalogue
from synthtext.recipe import read_recipe
from synthtext.recipe_toml import format_recipe
from synthtext.texts.words import read_words

CPU = __import__("torch").device("cpu")

PLANTED = {
    "case": "upper", "size_px": "40:60:log", "paper": "#101030,#182820", "ink": "#f0e0d0",
    "contrast": "9:14", "blur_px": "0", "noise_std": "0", "rotation_deg": "0",
    "background": "plain", "margin_px": "3", "width_px": "0", "height_px": "0",
    "splits": "1,0,0",
}  # fmt: skip


def quiet(*_: object) -> None:
    return None


@pytest.fixture(scope="session")
def materials(fonts: Catalogue) -> Materials:
    return Materials(read_words("en").items[:3000], fonts)


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    pictures = stream(count=100, seed=5, edits=PLANTED)
    for number, rendering in enumerate(pictures):
        Image.fromarray(rendering.pixels).save(folder / f"{number:03d}.png")
    return folder


@pytest.fixture(scope="session")
def config(real: Path) -> FitConfig:
    return FitConfig(real, count=1500, n_rounds=2, n_epochs=8, n_planted=2, device="cpu")


@pytest.fixture(scope="session")
def fitted(
    config: FitConfig, materials: Materials, tmp_path_factory: pytest.TempPathFactory
) -> Fitted:
    return run_fit(config, materials, tmp_path_factory.mktemp("work"), on_progress=quiet)


def test_what_was_planted_is_found(fitted: Fitted) -> None:
    sizes = quantiles(fitted.targets["size_px"], fitted.populations["size_px"].shares, (0.5,))
    proposed = quantiles(fitted.targets["size_px"], prior_of(fitted.targets["size_px"]), (0.5,))
    assert sizes[0] > 1.3 * proposed[0]
    cases = dict(
        zip(("lower", "upper", "title"), fitted.populations["case"].shares, strict=True)
    )
    assert cases["upper"] == max(cases.values())
    for part in fitted.recipe.mixture:
        papers = str(part.draws["paper"]).split(",")
        assert all(int(paper[1:3], 16) < 60 for paper in papers)


def test_intervals_hold_their_estimates(fitted: Fitted) -> None:
    for name, draw in fitted.targets.items():
        values, low, high = find_interval(draw, fitted.populations[name], fitted.slack[name])
        assert (low <= values + 1e-9).all()
        assert (values <= high + 1e-9).all()


def test_the_recipe_is_read_back_and_draws(fitted: Fitted, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(format_recipe(fitted.recipe))
    assert format_recipe(read_recipe(path)) == path.read_text()
    assert len(stream(str(path), count=30)) == 30
    assert len(fitted.drawn) > 0


def test_equal_seeds_fit_equally_wherever_a_run_was_killed(
    config: FitConfig, materials: Materials, tmp_path: Path
) -> None:
    config = replace(config, count=300, n_epochs=2, n_planted=1)
    fitted = run_fit(config, materials, tmp_path / "whole", on_progress=quiet)

    class KilledError(Exception):
        pass

    def make_killer(n_calls: int) -> Callable[..., None]:
        left = [n_calls]

        def advance(*_: object) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise KilledError

        return advance

    killed = tmp_path / "killed"
    # Killed while drawing, then while training; then its intermediate results are damaged.
    for n_calls in (101, 104):
        with pytest.raises(KilledError):
            run_fit(config, materials, killed, on_progress=make_killer(n_calls))
    kept = sorted(killed.glob("drawn-*.stage"))
    assert kept
    kept[0].write_bytes(kept[0].read_bytes()[:1000])
    again = run_fit(config, materials, killed, on_progress=quiet)
    assert again.recipe == fitted.recipe
    assert again.words == fitted.words
    assert again.slack == fitted.slack
    assert again.two_sample.accuracy == fitted.two_sample.accuracy


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"count": 5}, "count is 5; it is from 100 to 1,000,000"),
        ({"n_rounds": 0}, "rounds is 0; it is from 1 to 10"),
        ({"n_most": 3}, "crops is 3; it is from 20 to 100,000"),
        ({"seed": -1}, f"seed is -1; it is from 0 to {2**53:,}"),
        ({"device": "tpu"}, "device is 'tpu'; it is auto, cpu, cuda or cuda:N"),
    ],
)
def test_numbers_are_checked_first(
    config: FitConfig, change: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ProbeError) as caught:
        check_fit(replace(config, **change))  # type: ignore[arg-type]
    assert str(caught.value) == sentence


def make_crops(seed: int, **edits: str) -> Crops:
    pictures = stream(count=120, seed=seed, edits=PLANTED | edits)
    return look_at([rendering.pixels for rendering in pictures])


@pytest.fixture(scope="module")
def schedule() -> Schedule:
    return Schedule(3, 0, CPU, quiet)


def test_unlike_crops_are_told_apart(schedule: Schedule) -> None:
    seen = tell_apart(make_crops(1), make_crops(2, paper="white", ink="black"), None, schedule)
    assert seen.accuracy > 0.95
    assert seen.low < seen.accuracy
    assert seen.real.mean() > 0.7 > 0.3 > seen.drawn.mean()


def test_crops_of_one_recipe_are_not_told_apart(schedule: Schedule) -> None:
    seen = tell_apart(make_crops(1), make_crops(2), None, schedule)
    assert seen.n == 240
    assert abs(seen.accuracy - 0.5) < 0.12


def test_an_estimator_is_kept_and_read_back(schedule: Schedule) -> None:
    crops = make_crops(3)
    codes = np.arange(len(crops)) % 3
    trained = train_estimator(crops, {"a": codes}, {"a": 3}, schedule)
    again = unpack(pack(trained), CPU)
    assert (predict(again, crops)["a"] == predict(trained, crops)["a"]).all()
    assert predict(trained, crops)["a"].sum(axis=1) == pytest.approx(1)


def test_a_last_batch_of_one_crop_is_left_out(schedule: Schedule) -> None:
    # Of 72 crops 7 are held out: a batch of 64 and one crop are left.
    crops = make_crops(3).take(slice(0, 72))
    trained = train_estimator(
        crops, {"a": np.arange(72) % 3}, {"a": 3}, replace(schedule, n_epochs=1)
    )
    assert len(predict(trained, crops)["a"]) == 72


def test_groups_go_by_colour() -> None:
    dark, light = make_crops(4), make_crops(5, paper="white", ink="black", contrast="21")
    together = Crops(
        *(
            np.concatenate([getattr(dark, name), getattr(light, name)])
            for name in Crops.__dataclass_fields__
        )
    )
    groups = group_crops(together, seed=0)
    assert not set(groups[: len(dark)].tolist()) & set(groups[len(dark) :].tolist())


def test_every_factor_of_a_fit_has_parts(fonts: Catalogue) -> None:
    targets = make_targets(fonts, has_photos=False)
    assert {"size_px", "contrast", "blur_px", "font_category", "background"} <= set(targets)
