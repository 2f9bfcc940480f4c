"""Commands that inspect datasets: preview, stats, show, verify."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from synthtext.storage import parse_folder, parse_local, write_json
from synthtext_cli.balance import print_characters
from synthtext_cli.console import (
    fail,
    print_table,
    print_text,
    say,
    show_progress,
    warn,
    warn_broken,
)
from synthtext_cli.options import (
    DrawnFonts,
    Folder,
    FontFolder,
    NoVerify,
    PhotoFolder,
    RecipeSource,
    Seed,
    Sentences,
    Words,
    make_plan,
    parse_html,
    parse_png,
    with_factors,
    write_one,
)

if TYPE_CHECKING:
    from synthtext.dataset.browse import Mask
    from synthtext.dataset.statistics import Statistics
    from synthtext.drawing.rendering import Rendering

N_ON_SHEET, N_ON_PAGE = 36, 400
"""Default numbers of images."""


@with_factors
def preview(
    folder: Annotated[
        Path | None,
        typer.Argument(
            parser=parse_folder, help="Dataset written by `render`.", metavar="[OUT]"
        ),
    ] = None,
    *,
    sheet: Annotated[
        Path | None,
        typer.Option(
            parser=parse_png,
            metavar="FILE",
            help="PNG to write. [sheet.png, or none with --html]",
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            parser=parse_html,
            metavar="FILE",
            help="HTML page to write, to browse the images by factor.",
        ),
    ] = None,
    outcomes: Annotated[
        Path | None,
        typer.Option(
            help="Results of `probe --data OUT`, to sort the page by difficulty.",
            metavar="DIR",
        ),
    ] = None,
    masks: Annotated[
        bool,
        typer.Option("--masks", help="Let the page show the text of each image as a mask."),
    ] = False,
    n: Annotated[
        int | None,
        typer.Option("--n", help="Number of images. [36, or 400 on a page]", min=1, max=2000),
    ] = None,
    columns: Annotated[int, typer.Option(help="Images per row.", min=1, max=40)] = 6,
    boxes: Annotated[
        bool, typer.Option("--boxes", help="Draw the quads and polygons.")
    ] = False,
    words: Words = None,
    sentences: Sentences = None,
    seed: Seed = 0,
    recipe: RecipeSource = "default",
    fonts: DrawnFonts = None,
    backgrounds: PhotoFolder = None,
    no_verify: NoVerify = False,
    edits: dict[str, str],
) -> None:
    """Draw a contact sheet of a dataset, or of what `render` would draw.

    synthtext preview data/words --sheet sheet.png --boxes

    synthtext preview data/words --html page.html

    synthtext preview --words en --rotation -45:45 --sheet sheet.png
    """
    from synthtext.dataset.browse import write_page
    from synthtext.dataset.generate import draw_images
    from synthtext.dataset.manifest import NotDrawn, read_manifest
    from synthtext.dataset.plan import list_shards
    from synthtext.dataset.verify import spread_renderings
    from synthtext.drawing.contact_sheets import draw_sheet, write_image

    _check_page(html, folder, masks=masks, outcomes=outcomes)
    accuracy = _read_accuracy(outcomes) if outcomes else None
    n = n or (N_ON_PAGE if html else N_ON_SHEET)
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
    if html:
        known = None
        n_all = len(renderings)
        title = "what would be drawn"
        if folder:
            manifest = read_manifest(folder, verify=not no_verify)
            known, title = manifest["plan"]["fonts"], str(folder)
            n_all = sum(row["drawn"] for row in manifest["splits"].values())
        inked = _draw_masks(renderings, fonts, known) if masks else None
        write_page(html, renderings, title=title, n_all=n_all, accuracy=accuracy, masks=inked)
        say(f"wrote {html}")
    if sheet or not html:
        sheet = sheet or Path("sheet.png")
        write_image(sheet, draw_sheet(renderings, n_columns=columns, has_boxes=boxes))
        say(f"wrote {sheet}")


def _check_page(
    html: Path | None, folder: Path | None, *, masks: bool, outcomes: Path | None
) -> None:
    """Refuse options for a page if there is no page."""
    if masks and not html:
        fail("--masks needs a page; add --html page.html")
    if outcomes and not (html and folder):
        fail("--outcomes needs a page of a dataset; add OUT and --html page.html")


def _draw_masks(
    renderings: Sequence[Rendering], fonts: Path | None, known: Mapping[str, str] | None
) -> dict[str, Mask]:
    """Return masks of the images whose fonts are available, and report how many have none."""
    from synthtext.dataset.browse import draw_masks
    from synthtext.drawing.fonts import read_catalogue

    catalogue = read_catalogue(fonts)
    if known is None:
        known = {file: font.sha256 for file, font in catalogue.fonts.items()}
    found = draw_masks(renderings, catalogue, known)
    if len(found) < len(renderings):
        warn(
            f"{len(renderings) - len(found):,} images have no mask, because their fonts are"
            " missing; give them with --fonts"
        )
    return found


def _read_accuracy(path: Path) -> dict[str, float]:
    """Return the accuracy on each image, by its key."""
    from probes.tasks.outcomes import read_outcomes

    found = read_outcomes(path).groupby("key")["correct"].mean()
    return {str(key): float(value) for key, value in found.items()}


def show(
    folder: Folder,
    key: Annotated[str, typer.Argument(help="Key of the image.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(parser=parse_png, metavar="FILE", help="PNG to write. [KEY.png]"),
    ] = None,
    no_verify: NoVerify = False,
) -> None:
    """Write one image of a dataset as PNG and print its factors.

    synthtext show data/words 000000007
    """
    from synthtext.dataset.verify import find_rendering

    write_one(find_rendering(folder, key, verify=not no_verify), out)


BARS = " ▁▂▃▄▅▆▇█"
"""Heights of a histogram's bars, the empty one first."""

N_VALUES = 6
"""Number of values of a category to list; the rest is counted."""


def gallery(
    *,
    out: Annotated[Path, typer.Option(parser=parse_png, metavar="FILE", help="PNG to write.")],
    text: Annotated[str, typer.Option(help="Text to draw.")] = "quartz",
    factors: Annotated[
        str | None,
        typer.Option(help="Factors to show, such as blur,shadow. [all]"),
    ] = None,
    fonts: FontFolder = None,
) -> None:
    """Draw one text at every level of every factor, with a row for each factor.

    synthtext gallery --out gallery.png --factors blur,shadow,wear
    """
    from probes.data.designs import list_levels, parse_design
    from synthtext.drawing.contact_sheets import draw_levels, write_image
    from synthtext.drawing.fonts import read_catalogue

    chosen = parse_design(factors) if factors else None
    catalogue = read_catalogue(fonts)
    warn_broken(catalogue.broken)
    write_image(out, draw_levels(list_levels(text, chosen), catalogue))
    say(f"wrote {out}")


def stats(
    folder: Folder,
    *,
    json: Annotated[
        Path | None,
        typer.Option(parser=parse_local, metavar="FILE", help="JSON file for all statistics."),
    ] = None,
    no_verify: NoVerify = False,
) -> None:
    """Print statistics of a dataset: texts, characters, fonts, distribution of each factor.

    synthtext stats data/words --json stats.json
    """
    import dataclasses

    from synthtext.dataset.statistics import count_dataset

    with show_progress() as advance:
        found = count_dataset(folder, verify=not no_verify, on_progress=advance)
    _print_statistics(folder, found)
    if json:
        write_json(json, dataclasses.asdict(found))
        say(f"wrote {json}")


def _print_statistics(folder: Path, found: Statistics) -> None:
    print_table(
        (str(folder), "images", "different texts"),
        [(split, f"{n:,}", f"{found.texts[split]:,}") for split, n in found.images.items()],
    )
    print_table(
        ("number", "minimum", "5 %", "median", "95 %", "maximum", "histogram"),
        [
            (name, *(f"{value:.4g}" for value in each.quantiles), _draw_bars(each.counts))
            for name, each in found.numbers.items()
        ],
    )
    print_table(
        ("category", "values", "fraction of images"),
        [
            (name, f"{len(each):,}", _list_shares(each))
            for name, each in found.categories.items()
        ],
    )
    print_table(
        ("characters", "total"),
        [(f"{len(found.characters):,} different", f"{sum(found.characters.values()):,}")],
    )
    print_characters(found.split_characters)
    same = ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value or '(none)'}"
        for name, value in found.constants.items()
    )
    print_text(f"the same in every image: {same}")


def _draw_bars(counts: Sequence[int]) -> str:
    top = max(counts)
    # A single image already makes a visible bar.
    return "".join(BARS[-(-n * (len(BARS) - 1) // top)] for n in counts)


def _list_shares(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    named = [f"{name or '(none)'} {100 * n / total:.3g} %" for name, n in counts.items()]
    rest = len(named) - N_VALUES
    return ", ".join(named[:N_VALUES]) + (f", and {rest:,} more" if rest > 0 else "")


def verify(folder: Folder) -> None:
    """Check every file and shard against dataset.json, and every sample for completeness.

    Prints one line per fault; the exit code is 1 if there is any.

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
        say("an earlier version wrote this dataset: only its shards have checksums")
    say(f"{folder} is complete and undamaged")
