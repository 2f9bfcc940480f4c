"""Write the golden specs and images anew; look at the sheet before they are committed."""

from __future__ import annotations

from pathlib import Path

import orjson

from synthtext.codec import encode_pixels
from synthtext.fonts import read_catalogue
from synthtext.plan import Plan, make_plan, source_of
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.rendering import Rendering, render
from synthtext.reviews import review_sentences
from synthtext.sampling import sample_specs
from synthtext.sheets import draw_sheet
from synthtext.spec import Spec, spec_to_dict
from synthtext.words import read_words

FOLDER = Path(__file__).parent

N_IMAGES = 12


def golden_plan() -> Plan:
    """Return the plan of the golden images: every factor varies, words and sentences."""
    recipe = edit_recipe(default_recipe(), {"splits": "1,0,0", "kind": "word=2,sentence"})
    texts = {"word": read_words("en"), "sentence": review_sentences()}
    return make_plan(recipe, texts, read_catalogue(), seed=0, count=N_IMAGES)


def golden_specs() -> list[Spec]:
    """Return the specs of the golden images, drawn anew."""
    plan = golden_plan()
    source = source_of(plan, "train")
    return sample_specs(plan.recipe, source, plan.fonts, seed=0, indices=range(N_IMAGES))


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
