from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from fake_encoders import knowing_model
from probes.data.rendered import read_trials
from probes.data.stimuli import draw_stimuli
from probes.data.trials import Trial
from probes.metrics.breakdown import list_factors, tabulate_factor, tabulate_thresholds
from probes.reports.losses import list_losses
from probes.reports.pictures import choose_shots, find_pixels
from probes.reports.probe import _join_notes, summarize
from probes.tasks.config import ProbeConfig
from probes.tasks.run import run_probe
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


def test_what_is_left_out_is_one_sentence() -> None:
    notes = (
        "it is fitted to 4 of 8 rows, one word in 2",
        "blur_px is left out: the factors before it determine it",
        "font Lato_400Regular.ttf is left out: the factors before it determine it",
        "zipf is left out: it is missing in 5 rows",
    )
    assert _join_notes(notes) == (
        " It is fitted to 4 of 8 rows, one word in 2. Left out: blur, px, font Lato (the factors"
        " before it determine it); word frequency, Zipf scale (it is missing in 5 rows)."
    )
    assert _join_notes(()) == ""


def test_a_report_counts_what_the_model_cannot_see_and_shows_every_level(
    tmp_path: Path, fonts: Catalogue
) -> None:
    recipe = edit_recipe(
        default_recipe(),
        {
            "size_px": "28",
            "width_px": "400",
            "height_px": "64",
            "x_frac": "0,0.5=3",
            "splits": "0,0,1",
        },
    )
    (tmp_path / "words.txt").write_text("\n".join(a + b for a in "aeo" for b in "cnmsvx"))
    texts = {"word": read_words(tmp_path / "words.txt")}
    render_dataset(make_plan(recipe, texts, read_catalogue(), count=200), tmp_path / "data")
    trials = read_trials(tmp_path / "data").trials
    config = ProbeConfig(data=tmp_path / "data", ks=(2,), templates=("{}", "{} and more"))
    seeing = knowing_model(trials)
    cropping = replace(
        seeing, input_px=64, preprocessing={"resize_mode": "shortest"}, max_tokens=10
    )
    n_texts = len({trial.spec.text for trial in trials})
    for model, losses in (
        (seeing, []),
        (cropping, [("cut off by the tokenizer", f"{n_texts} of {2 * n_texts} prompts")]),
    ):
        done = run_probe(model, config, tmp_path / f"out-{model.max_tokens}")
        assert done
        summary = summarize(done, tabulate_thresholds(done.outcomes))
        found = list_losses(summary)
        assert found[: len(losses)] == losses
        shots, cells = choose_shots(done, fonts)
        for name in list_factors(done.outcomes):
            for label in tabulate_factor(done.outcomes, name).table["label"]:
                of_level = [shots[place] for place in cells[name][""][label]]
                assert of_level
                assert len(of_level) == len({shot["png"] for shot in of_level})
        n_cropped = summary["question"]["n_images_cropped"]
        assert n_cropped == (0 if model is seeing else sum(t.spec.x_frac == 0 for t in trials))
        assert (f"in {n_cropped} of {len(trials)} images" in dict(found).values()) == bool(
            n_cropped
        )
