"""Commands that look at what was drawn: preview, show, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synthtext.storage import parse_folder
from synthtext_cli.console import print_text, say, warn
from synthtext_cli.options import (
    Folder,
    FontFolder,
    NoVerify,
    PhotoFolder,
    RecipeSource,
    Seed,
    Sentences,
    Words,
    make_plan,
    parse_png,
    with_factors,
    write_one,
)


@with_factors
def preview(
    folder: Annotated[
        Path | None,
        typer.Argument(
            parser=parse_folder, help="Folder that `render` wrote.", metavar="[OUT]"
        ),
    ] = None,
    *,
    sheet: Annotated[
        Path, typer.Option(parser=parse_png, metavar="FILE", help="PNG to write.")
    ] = Path("sheet.png"),
    n: Annotated[int, typer.Option("--n", help="Images to show.", min=1, max=1000)] = 36,
    columns: Annotated[int, typer.Option(help="Images to a row.", min=1, max=40)] = 6,
    boxes: Annotated[bool, typer.Option("--boxes", help="Draw the quads.")] = False,
    words: Words = None,
    sentences: Sentences = None,
    seed: Seed = 0,
    recipe: RecipeSource = "default",
    fonts: FontFolder = None,
    backgrounds: PhotoFolder = None,
    no_verify: NoVerify = False,
    edits: dict[str, str],
) -> None:
    """Draw a contact sheet, of a dataset or of what a render would draw.

    synthtext preview data/words --sheet sheet.png --boxes

    synthtext preview --words en --rotation -45:45 --sheet sheet.png
    """
    from synthtext.dataset.generate import draw_images
    from synthtext.dataset.manifest import NotDrawn
    from synthtext.dataset.plan import list_shards
    from synthtext.dataset.verify import spread_renderings
    from synthtext.drawing.contact_sheets import draw_sheet, write_image

    if folder is not None:
        renderings = spread_renderings(folder, n, verify=not no_verify)
    else:
        plan = make_plan(
            words, sentences, recipe, edits, fonts, backgrounds, seed=seed, count=n
        )
        drawn = [image for shard in list_shards(plan) for image in draw_images(plan, shard)]
        renderings = [image for image in drawn if not isinstance(image, NotDrawn)]
        for lost in drawn:
            if isinstance(lost, NotDrawn):
                warn(f"not drawn: {lost.reason}")
    write_image(sheet, draw_sheet(renderings, n_columns=columns, has_boxes=boxes))
    say(f"wrote {sheet}")


def show(
    folder: Folder,
    key: Annotated[str, typer.Argument(help="Key of the image.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(parser=parse_png, metavar="FILE", help="PNG to write; else KEY.png."),
    ] = None,
    no_verify: NoVerify = False,
) -> None:
    """Write one image of a dataset as PNG and print its factors.

    synthtext show data/words 000000007
    """
    from synthtext.dataset.verify import find_rendering

    write_one(find_rendering(folder, key, verify=not no_verify), out)


def verify(folder: Folder) -> None:
    """Check every shard against dataset.json, and every sample for its parts.

    Prints a line for each fault, and ends with 1 if there is any.

    synthtext verify data/words
    """
    from synthtext.dataset.verify import is_all_sealed, verify_dataset

    n_faults = 0
    for fault in verify_dataset(folder):
        n_faults += 1
        print_text(fault)
    if n_faults:
        raise typer.Exit(1)
    if not is_all_sealed(folder):
        say("it is of an earlier version: its shards alone have checksums")
    say(f"{folder} is whole")
