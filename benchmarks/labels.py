"""How well quads enclose the ink, with all factors of geometry and ink varied at once.

    python benchmarks/labels.py [--n 1000] [--seed 5]

Draws words and sentences from a recipe in which all of these factors vary widely, and measures
how far the farthest pixel of the letters lies outside the quads of characters and of words, and
outside the polygons of words that follow a curve or are warped.
Lines under and through a text do not belong to its letters.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from synthtext.dataset.generate import draw_images
from synthtext.dataset.manifest import NotDrawn
from synthtext.dataset.plan import Plan, list_shards, make_plan
from synthtext.drawing.fonts import Catalogue, read_catalogue
from synthtext.drawing.painting import cover
from synthtext.drawing.rendering import Quads, Rendering, fit, open_face_of, open_fallback
from synthtext.recipe import edit_recipe, read_recipe
from synthtext.spec import Spec
from synthtext.texts.reviews import review_sentences
from synthtext.texts.words import read_words

WIDE = {
    "kind": "word=4,sentence=1", "case": "as-is,lower,upper,title", "size_px": "6:80:log",
    "letter_spacing_em": "-0.1:0.3", "line_height": "0.9:1.8", "width_px": "0,160,224",
    "height_px": "0,224", "margin_px": "1:8", "rotation_deg": "-180:180",
    "yaw_deg": "-60:60", "pitch_deg": "-60:60", "arc_deg": "0=3,-90,-30,30,90",
    "wave_em": "0=2,0.1,0.3", "jitter_em": "0,0.05,0.1", "letter_rotation_deg": "0,5,15",
    "small_caps_frac": "0=3,0.5,0.8", "superscript_frac": "0=3,-0.4,0.4",
    "word_size_frac": "0=3,0.2,0.4", "word_font_frac": "0,0.5",
    "letter_size_frac": "0=3,0.1,0.3", "slant_deg": "0=2,-20:30",
    "glow_em": "0=3,0.1,0.3", "emboss_frac": "0=3,0.5,1",
    "underline_em": "0=3,0.05,0.15", "strike_em": "0=3,0.05,0.15",
    "warp_em": "0=2,0.04,0.12", "barrel_frac": "0=2,-0.2,0.2",
    "ink_fill": "any", "embolden_em": "-0.02,0,0.04,0.08", "wear_frac": "0,0.3",
    "ink_bleed_em": "0=2,0.02,0.06",
    "outline_em": "0,0.05,0.12", "extrude_em": "0,0.1,0.3", "shadow_em": "0,0.1,0.4",
    "background": "plain,gradient,noise,texture,clutter,writing", "occlusion_frac": "0,0.2",
    "other_words": "0=3,3,8", "other_place": "any",
}  # fmt: skip

SEEN = 25
"""Minimum coverage of a pixel, out of 255, that counts as ink."""


def make_wide_plan(n: int, seed: int) -> Plan:
    """Return the plan of n images, all in one shard."""
    edits = {**WIDE, "splits": "1,0,0", "shard_size": str(n)}
    recipe = edit_recipe(read_recipe("default"), edits)
    texts = {"word": read_words("en"), "sentence": review_sentences()}
    return make_plan(recipe, texts, read_catalogue(), count=n, seed=seed)


def draw_letters(spec: Spec, fonts: Catalogue) -> np.ndarray:
    """Return the coverage of the letters of an image: uint8 (H, W)."""
    face = open_face_of(spec, fonts)
    spec, placement, ground = fit(spec, face, open_fallback(spec, fonts))
    ink = np.zeros((ground.height_px, ground.width_px), np.uint8)
    letters, column, row = cover(spec, replace(placement, rules=None), ground)
    ink[row : row + letters.shape[0], column : column + letters.shape[1]] = letters
    return ink


def fill(polygons: Sequence[Quads], like: np.ndarray) -> np.ndarray:
    """Return 1 at the pixels of an image, (H, W), that lie in polygons (n, 2), elsewhere 0."""
    inside = np.zeros_like(like)
    for polygon in polygons:
        # Coordinates are in 256ths of a pixel; in OpenCV, the centre of a pixel is (0, 0).
        cv2.fillPoly(inside, [np.round((polygon - 0.5) * 256).astype(np.int32)], 1, shift=8)
    return inside


def measure_overhang(ink: np.ndarray, polygons: Sequence[Quads]) -> float:
    """Return the maximum distance of an ink pixel's centre from its nearest polygon, in px.

    It is 0 if all centres lie inside polygons.

    Args:
        ink: coverage, uint8 (H, W).
        polygons: quads or other polygons, each float32 (n, 2).
    """
    rows, columns = np.nonzero((ink >= SEEN) & (fill(polygons, ink) == 0))
    outside = [
        min(
            -cv2.pointPolygonTest(polygon.reshape(-1, 1, 2), place, measureDist=True)
            for polygon in polygons
        )
        for place in zip((columns + 0.5).tolist(), (rows + 0.5).tolist(), strict=True)
    ]
    return max(outside, default=0.0)


def measure_share(ink: np.ndarray, polygons: Sequence[Quads]) -> float:
    """Return the fraction of the area of polygons that ink covers."""
    return float(ink.sum() / 255 / max(1, fill(polygons, ink).sum()))


def list_labels(image: Rendering) -> dict[str, Sequence[Quads]]:
    """Return the labels of an image whose fit is measured, by what the table calls them."""
    labels = {"quads of characters": image.char_quads, "quads of words": image.word_quads}
    if not image.bent_polygons:
        return labels
    return {
        **labels,
        "quads of words, bent text": image.word_quads,
        "polygons of words, bent text": image.bent_polygons,
    }


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=5)
    asked = parser.parse_args()
    plan, fonts = make_wide_plan(asked.n, asked.seed), read_catalogue()
    not_drawn: Counter[str] = Counter()
    found: dict[str, list[tuple[float, float]]] = {}
    images = draw_images(plan, next(iter(list_shards(plan))))
    for image in track(images, "drawing", total=asked.n):
        if isinstance(image, NotDrawn):
            not_drawn[image.reason.rpartition("; ")[2]] += 1
            continue
        ink = draw_letters(image.spec, fonts)
        for name, polygons in list_labels(image).items():
            measured = measure_overhang(ink, polygons), measure_share(ink, polygons)
            found.setdefault(name, []).append(measured)
    table = Table(
        "", "images", "farthest ink outside, px", "images above 0.75 px", "median of area inked"
    )
    for name, each in found.items():
        overhangs, shares = map(np.array, zip(*each, strict=True))
        table.add_row(
            name, f"{len(each):,}", f"{overhangs.max():.2f}",
            f"{(overhangs > 0.75).sum():,}", f"{100 * np.median(shares):.1f} %",
        )  # fmt: skip
    console = Console()
    console.print(table)
    for reason, n in not_drawn.most_common():
        console.print(f"not drawn: {n:,}, {reason}")


if __name__ == "__main__":
    main()
