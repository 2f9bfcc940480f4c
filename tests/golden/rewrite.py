"""Write the golden specs and images anew; look at the sheet before they are committed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson

from synthtext.dataset.codec import encode_pixels
from synthtext.dataset.plan import Plan, make_plan, source_of
from synthtext.drawing.backgrounds import BACKGROUNDS
from synthtext.drawing.contact_sheets import draw_sheet
from synthtext.drawing.fonts import read_catalogue
from synthtext.drawing.rendering import Rendering, render
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.sampling import sample_specs
from synthtext.spec import Spec, spec_to_dict
from synthtext.texts.reviews import review_sentences
from synthtext.texts.words import read_words

FOLDER = Path(__file__).parent

EDITS = {"splits": "1,0,0", "kind": "word=2,sentence"}

RUNS = {
    range(12): EDITS,
    range(12, 16): {
        **EDITS, "yaw_deg": "-60:60", "pitch_deg": "-50:50", "background": "clutter",
    },
}  # fmt: skip
"""Every factor of the default recipe varies; then those that it leaves alone."""

SEEN = ("plain", "gradient", "noise", "texture", "clutter")
"""Backgrounds that the images of these runs have."""

RUNS |= {
    range(16 + number, 17 + number): {**EDITS, "background": kind}
    for number, kind in enumerate(kind for kind in BACKGROUNDS if kind not in SEEN)
}
"""Then one image of each other background."""

N_IMAGES = max(indices.stop for indices in RUNS)


def golden_plan(edits: Mapping[str, str]) -> Plan:
    """Return the plan of golden images, words and sentences."""
    recipe = edit_recipe(default_recipe(), edits)
    texts = {"word": read_words("en"), "sentence": review_sentences()}
    return make_plan(recipe, texts, read_catalogue(), seed=0, count=N_IMAGES)


def golden_specs() -> list[Spec]:
    """Return the specs of the golden images, drawn anew."""
    specs = []
    for indices, edits in RUNS.items():
        plan = golden_plan(edits)
        source = source_of(plan, "train")
        specs += sample_specs(plan.recipe, source, plan.fonts, seed=0, indices=indices)
    return specs


def golden_renderings() -> list[Rendering]:
    """Return the golden images, drawn anew."""
    fonts = read_catalogue()
    return [render(spec, fonts) for spec in golden_specs()]


if __name__ == "__main__":
    lines = [orjson.dumps(spec_to_dict(spec)) for spec in golden_specs()]
    (FOLDER / "specs.jsonl").write_bytes(b"\n".join([*lines, b""]))
    for rendering in golden_renderings():
        raw = encode_pixels(rendering.pixels, "png", 100)
        (FOLDER / f"{rendering.spec.key}.png").write_bytes(raw)
    draw_sheet(golden_renderings(), n_columns=4, has_boxes=True).save(FOLDER / "sheet.png")
