from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from probes.data.rendered import read_trials
from probes.data.stimuli import draw_stimuli
from probes.data.trials import Trial
from probes.reports.probe import find_pixels
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.plan import make_plan
from synthtext.drawing.fonts import Catalogue, bundled_folder, read_catalogue
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.spec import Spec
from synthtext.texts.words import read_words


def test_a_report_shows_the_damage_that_the_model_saw(spec: Spec, fonts: Catalogue) -> None:
    damaged, whole = (
        Trial(f"{quality}", replace(spec, jpeg_quality=quality)) for quality in (5, 100)
    )
    (seen,) = draw_stimuli([damaged])[0]()
    shown = find_pixels(damaged, None, fonts)
    assert (shown == seen.pixels).all()
    assert (shown != find_pixels(whole, None, fonts)).any()


def test_a_report_shows_what_was_drawn_with_fonts_that_are_not_here(
    tmp_path: Path, fonts: Catalogue
) -> None:
    own = tmp_path / "mine.ttf"
    shutil.copy(bundled_folder() / "Lato_700Bold.ttf", own)
    recipe = edit_recipe(default_recipe(), {"font_category": "user"})
    plan = make_plan(recipe, {"word": read_words("en")}, read_catalogue(own), count=40)
    data = tmp_path / "data"
    render_dataset(plan, data)
    shown = read_trials(data)
    seen = shown.chunks[0]()[0]
    (trial,) = (trial for trial in shown.trials if trial.key == seen.key)
    assert trial.spec.font == "mine.ttf"
    np.testing.assert_array_equal(find_pixels(trial, data, fonts), seen.pixels)
