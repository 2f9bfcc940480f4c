"""Scenes: words on signs of several colours and places, and questions about them.

They are a substitute for photographs of streets and shops: the true answer and its position are
known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from synthtext.drawing.backgrounds import draw_paper
from synthtext.drawing.colours import measure_luminance, parse_hex
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.rendering import Pixels, Rendering, render
from synthtext.errors import DrawError
from synthtext.font_choice import choose_font
from synthtext.rng import draw_bits, unfold
from synthtext.spec import CASES, Spec
from synthtext.vqa.textvqa import Box

SIDE_PX = 448

COLOURS = {
    "red": "#c0392b", "orange": "#e67e22", "yellow": "#f4d03f", "green": "#1e8449",
    "blue": "#2471a3", "purple": "#7d3c98", "white": "#fdfefe", "black": "#17202a",
}  # fmt: skip

ROWS, COLUMNS = 3, 2

PLACES = ("top left", "top right", "left", "right", "bottom left", "bottom right")
"""Positions of signs, row by row; each lies completely in a window of half the side length."""

GROUNDS = ("#b8b2a7", "#a3b1a8", "#9fa8b3", "#c9c3bb", "#8f9594", "#b5a99c")
"""Colours of walls; no sign has them."""

PAPERS = ("gradient", "noise", "texture")

SIZES_PX = (24.0, 48.0)

GAP_PX = 6
"""Minimum distance of a sign from the edge of its cell."""

MARGINS_PX = (5, 12)
"""Margin around the text on its sign."""


@dataclass(frozen=True)
class Sign:
    """A text on a board.

    Attributes:
        spec: the spec of its text.
        colour: name of the board's colour, of `COLOURS`.
        place: one of `PLACES`.
        x_frac: position in its cell, 0 left to 1 right.
        y_frac: position in its cell, 0 top to 1 bottom.
    """

    spec: Spec
    colour: str
    place: str
    x_frac: float
    y_frac: float


@dataclass(frozen=True)
class Scene:
    """Signs on a wall, and every choice behind them.

    Attributes:
        name: name of its file, without the extension.
        split: `train` or `val`.
        signs: the signs; no two have the same colour or place.
        ground: spec of the wall, whose text is not drawn.
    """

    name: str
    split: str
    signs: tuple[Sign, ...]
    ground: Spec


@dataclass(frozen=True)
class Drawn:
    """A rendered scene.

    Attributes:
        scene: the choices behind it.
        pixels: uint8 (H, W, 3), RGB.
        boxes: bounding box of the text of each sign: left, top, right, bottom in px; None if it
        has no ink.
        lost: a sentence for each missing sign on why it could not be drawn.
    """

    scene: Scene
    pixels: Pixels
    boxes: tuple[Box | None, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True)
class Query:
    """A question about a scene, its answer, and the index of the sign with the answer."""

    question: str
    answer: str
    sign: int


def sample_scene(
    texts: Sequence[str], fonts: Catalogue, *, name: str, split: str, seed: int, index: int
) -> Scene:
    """Return a scene in which each text has a sign.

    Args:
        texts: 1 to 6 texts.
        fonts: the fonts to choose from; a sign whose text none covers cannot be drawn.
        name: name of its file.
        split: `train` or `val`.
        seed: 0 or more.
        index: index of the scene; determines its choices together with the seed.
    """
    places, colours, looks, walls = (
        unfold(int(bits) >> 32, n)
        for bits, n in zip(
            draw_bits(seed, "scene", index, index + 1)[0].tolist(),
            (len(PLACES), len(COLOURS), 6 * len(PLACES), 4),
            strict=True,
        )
    )
    names = [list(COLOURS)[k] for k in np.argsort(colours).tolist()]
    signs = []
    for number, text in enumerate(texts):
        case, font, size, x, y, room = looks[6 * number : 6 * number + 6]
        drawn_in = ("as-is", "upper", "title")[int(3 * case)]
        found = choose_font(fonts, CASES[drawn_in](text), font)
        low, high = SIZES_PX
        board = COLOURS[names[number]]
        is_dark = measure_luminance(parse_hex(board)) < 0.3
        spec = Spec(
            seed=seed, index=index, split=split, kind="word", text=text, case=drawn_in,
            font=found.file if found else "", width_px=0, height_px=0, paper=board,
            size_px=round(low * (high / low) ** size, 1),
            ink="#ffffff" if is_dark else "#000000",
            margin_px=round(MARGINS_PX[0] + room * (MARGINS_PX[1] - MARGINS_PX[0])),
            shrink=True,
        )  # fmt: skip
        place = PLACES[int(np.argsort(places)[number])]
        signs.append(Sign(spec, names[number], place, round(x, 3), round(y, 3)))
    kind, first, second, grain = walls
    ground = Spec(
        seed=seed, index=index, split=split, kind="word", text="", font="",
        width_px=SIDE_PX, height_px=SIDE_PX, background=PAPERS[int(len(PAPERS) * kind)],
        paper=GROUNDS[int(len(GROUNDS) * first)], paper2=GROUNDS[int(len(GROUNDS) * second)],
        paper_seed=int(grain * 2**32),
    )  # fmt: skip
    return Scene(name, split, tuple(signs), ground)


def draw_scene(scene: Scene, fonts: Catalogue) -> Drawn:
    """Return the rendered scene, without signs that cannot be drawn."""
    side_px = scene.ground.width_px
    pixels = draw_paper(scene.ground, side_px, side_px)
    boxes: list[Box | None] = []
    lost: list[str] = []
    for sign in scene.signs:
        try:
            rendering = _draw_sign(sign, fonts)
        except DrawError as error:
            boxes.append(None)
            lost.append(str(error))
            continue
        height, width = rendering.pixels.shape[:2]
        row, column = divmod(PLACES.index(sign.place), COLUMNS)
        # Edges of cells in whole px; the last cell takes the remainder.
        left, right = (side_px * k // COLUMNS for k in (column, column + 1))
        top, bottom = (side_px * k // ROWS for k in (row, row + 1))
        x = left + GAP_PX + round(sign.x_frac * (right - left - 2 * GAP_PX - width))
        y = top + GAP_PX + round(sign.y_frac * (bottom - top - 2 * GAP_PX - height))
        pixels[y : y + height, x : x + width] = rendering.pixels
        boxes.append(_find_box(rendering, x, y))
    return Drawn(scene, pixels, tuple(boxes), tuple(lost))


def ask_about(scene: Scene) -> list[Query]:
    """Return two questions: one by a sign's position, one by another sign's colour."""
    first, last = scene.signs[0], scene.signs[-1]
    return [
        Query(f"what word is at the {first.place}?", first.spec.text, 0),
        Query(f"what does the {last.colour} sign say?", last.spec.text, len(scene.signs) - 1),
    ]


def _draw_sign(sign: Sign, fonts: Catalogue) -> Rendering:
    """Return a board that fits its cell: at the text's size, or wrapped and smaller."""
    most_px = (SIDE_PX // COLUMNS - 2 * GAP_PX, SIDE_PX // ROWS - 2 * GAP_PX)
    try:
        rendering = render(sign.spec, fonts)
    except DrawError:
        if not sign.spec.font:
            raise
    else:
        height, width = rendering.pixels.shape[:2]
        if width <= most_px[0] and height <= most_px[1]:
            return rendering
    is_phrase = " " in sign.spec.text
    fitted = replace(
        sign.spec,
        kind="sentence" if is_phrase else "word",
        width_px=most_px[0],
        height_px=most_px[1] if is_phrase else round(2 * sign.spec.size_px),
    )
    return render(fitted, fonts)


def _find_box(rendering: Rendering, x: int, y: int) -> Box:
    corners: NDArray[np.float32] = rendering.word_quads.reshape(-1, 2) + np.array((x, y))
    left, top = corners.min(axis=0).round(2).tolist()
    right, bottom = corners.max(axis=0).round(2).tolist()
    return left, top, right, bottom
