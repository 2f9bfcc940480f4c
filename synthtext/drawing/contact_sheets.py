"""Contact sheets: many images in one, with captions and, optionally, their quads."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from synthtext.drawing.degradations import jpeg
from synthtext.drawing.fonts import Catalogue, Font, bundled_folder
from synthtext.drawing.rendering import Quads, Rendering, render
from synthtext.errors import DatasetError
from synthtext.escapes import show_text
from synthtext.spec import Spec
from synthtext.storage import replace_file

GAP_PX = 8

CAPTION_PX = 12

CAPTION_FONT = "DejaVuSans.ttf"

PAPER, TEXT, FAINT = "#ffffff", "#111111", "#666666"

WORD_LINE, CHAR_LINE = "#e01b24", "#1c71d8"

SPECIMEN = "Hamburgefonstiv 0123"


def draw_sheet(
    renderings: Sequence[Rendering],
    *,
    n_columns: int = 6,
    tile_px: int = 224,
    has_boxes: bool = False,
) -> Image.Image:
    """Return a contact sheet.

    Args:
        renderings: what to show, row by row.
        n_columns: number of tiles in a row.
        tile_px: longest side of a tile; larger images are shrunk, smaller ones kept.
        has_boxes: whether words (red) and characters (blue) are outlined.

    Raises:
        DatasetError: there is nothing to show.
    """
    if not renderings:
        raise DatasetError("there are no images to show; render some first")
    tiles = [_draw_tile(rendering, tile_px, has_boxes) for rendering in renderings]
    captions = [_caption(rendering) for rendering in renderings]
    return _arrange(tiles, captions, min(n_columns, len(tiles)), tile_px)


def draw_specimen(
    catalogue: Catalogue, *, n_columns: int = 3, size_px: float = 34
) -> Image.Image:
    """Return a sheet with a line in every font of a catalogue."""
    tiles: list[Image.Image] = []
    captions = []
    for font in catalogue.fonts.values():
        rendering = render(_specimen_spec(font, size_px), catalogue)
        tiles.append(Image.fromarray(rendering.pixels))
        slant = " italic" if font.italic else ""
        captions.append((font.family, f"{font.category} {font.weight}{slant}  {font.file}"))
    return _arrange(tiles, captions, n_columns, max(tile.width for tile in tiles))


def draw_levels(
    rows: Mapping[str, Mapping[str, Spec]], catalogue: Catalogue, *, tile_px: int = 150
) -> Image.Image:
    """Return a sheet with a row for each factor and a tile for each of its levels.

    Args:
        rows: the levels of each factor, as text, and the specs that have them.
        catalogue: catalogue of their fonts.
        tile_px: longest side of a tile.

    Raises:
        DatasetError: there is nothing to show.
        DrawError: a text does not fit its image.
    """
    specs = [spec for row in rows.values() for spec in row.values()]
    renderings = [_show_file(render(spec, catalogue)) for spec in specs]
    if not renderings:
        raise DatasetError("there is no level to show; name a factor")
    n_columns = max(len(row) for row in rows.values())
    tiles: list[Image.Image | None] = []
    captions = []
    left = iter(renderings)
    for name, row in rows.items():
        tiles += [_draw_tile(next(left), tile_px, has_boxes=False) for _ in row]
        captions += [(name, level) for level in row]
        # A factor with fewer levels leaves the rest of its row empty.
        tiles += [None] * (n_columns - len(row))
        captions += [("", "")] * (n_columns - len(row))
    return _arrange(tiles, captions, n_columns, tile_px)


def write_image(path: Path, image: Image.Image) -> None:
    """Write an image as PNG, whole or not at all, replacing an existing one."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    replace_file(path, buffer.getvalue())


def _specimen_spec(font: Font, size_px: float) -> Spec:
    text = "".join(char for char in SPECIMEN if char == " " or ord(char) in font.characters)
    shown = text.strip() or chr(min(code for code in font.characters if code > 32))
    neutral = Spec(seed=0, index=0, split="train", kind="word", text=shown, font=font.file)
    return replace(neutral, size_px=size_px, width_px=0, height_px=0)


def _show_file(rendering: Rendering) -> Rendering:
    """Return the image after JPEG compression at the quality of its spec."""
    pixels = jpeg(rendering.pixels, rendering.spec.jpeg_quality)
    return replace(rendering, pixels=pixels)


def _draw_tile(rendering: Rendering, tile_px: int, has_boxes: bool) -> Image.Image:  # noqa: FBT001
    image = Image.fromarray(rendering.pixels)
    if has_boxes:
        pen = ImageDraw.Draw(image)
        for polygons, colour in (
            (rendering.char_quads, CHAR_LINE),
            (rendering.word_polygons, WORD_LINE),
        ):
            _outline(pen, polygons, colour)
    image.thumbnail((tile_px, tile_px), Image.Resampling.LANCZOS)
    return image


def _outline(pen: ImageDraw.ImageDraw, polygons: Iterable[Quads], colour: str) -> None:
    for polygon in polygons:
        # Corners are measured from the edges of pixels; Pillow measures from their centres.
        corners = np.round(polygon - 0.5).tolist()
        pen.polygon([tuple(corner) for corner in corners], outline=colour)


def _caption(rendering: Rendering) -> tuple[str, str]:
    spec = rendering.spec
    facts = f"x {rendering.x_height_px:.1f} px, {rendering.contrast_drawn:.1f}:1"
    return spec.drawn_text, f"{spec.font_family}, {facts}"


def _arrange(
    tiles: Sequence[Image.Image | None],
    captions: Sequence[tuple[str, str]],
    n_columns: int,
    width_px: int,
) -> Image.Image:
    """Return tiles in rows, each as high as its highest tile, with two-line captions."""
    # Captions use a font that covers more scripts than Pillow's own.
    font = ImageFont.truetype(bundled_folder() / CAPTION_FONT, CAPTION_PX)
    caption_px = 2 * (CAPTION_PX + 4)
    rows = [range(i, min(i + n_columns, len(tiles))) for i in range(0, len(tiles), n_columns)]
    heights = [max(tile.height for i in row if (tile := tiles[i])) for row in rows]
    sheet = Image.new(
        "RGB",
        (
            n_columns * (width_px + GAP_PX) + GAP_PX,
            sum(heights) + len(rows) * (caption_px + GAP_PX) + GAP_PX,
        ),
        PAPER,
    )
    pen = ImageDraw.Draw(sheet)
    top = GAP_PX
    for row, height in zip(rows, heights, strict=True):
        for column, i in enumerate(row):
            left = GAP_PX + column * (width_px + GAP_PX)
            if tile := tiles[i]:
                sheet.paste(tile, (left, top))
            for line, (text, colour) in enumerate(zip(captions[i], (TEXT, FAINT), strict=True)):
                y = top + height + 2 + line * (CAPTION_PX + 3)
                pen.text((left, y), _clip(show_text(text), font, width_px), colour, font)
        top += height + caption_px + GAP_PX
    return sheet


def _clip(text: str, font: ImageFont.FreeTypeFont, width_px: int) -> str:
    if font.getlength(text) <= width_px:
        return text
    while text and font.getlength(text + "...") > width_px:
        text = text[:-1]
    return text + "..."
