from __future__ import annotations

import os
import subprocess
import sys

import pytest

from synthtext.environment import ALTERING

DRAW = """
import hashlib, io
from synthtext.dataset.codec import encode
from synthtext.drawing.fonts import read_catalogue
from synthtext.dataset.generate import draw_images
from synthtext.dataset.plan import list_shards, make_plan
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.drawing.contact_sheets import draw_sheet
from synthtext.texts.words import read_words

edits = {"background": "plain,noise,texture", "blur_px": "0:2", "splits": "1,0,0"}
recipe = edit_recipe(default_recipe(), edits)
plan = make_plan(recipe, {"word": read_words("en")}, read_catalogue(), count=40)
images = [image for shard in list_shards(plan) for image in draw_images(plan, shard)]
digest = hashlib.sha256()
for image in images:
    digest.update(encode(image, "png").files["png"])
sheet = io.BytesIO()
draw_sheet(images[:4]).save(sheet, "PNG")
digest.update(sheet.getvalue())
print(digest.hexdigest())
"""


def draw(**variables: str) -> str:
    clean = {name: value for name, value in os.environ.items() if name not in ALTERING}
    command = [sys.executable, "-c", DRAW]
    done = subprocess.run(
        command, env=clean | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def clean() -> str:
    return draw()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HB_SHAPER_LIST", "fallback"),
        ("HB_OPTIONS", "uniscribe-bug-compatible"),
        ("HB_FONT_FUNCS", "fallback"),
        ("HB_FACE_LOADER", "ft"),
        ("FREETYPE_PROPERTIES", "cff:no-stem-darkening=0 truetype:interpreter-version=35"),
        ("OPENCV_CPU_DISABLE", "AVX2,AVX512_SKX,FP16"),
        ("OPENCV_IPP", "disabled"),
    ],
)
def test_the_environment_changes_no_pixel(clean: str, name: str, value: str) -> None:
    assert name in ALTERING
    assert draw(**{name: value}) == clean
