"""Commands that draw: render, render-vqa, merge, draw, recipe, words, fonts."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthtext.storage import parse_folder, parse_output
from synthtext_cli.balance import report_balance
from synthtext_cli.console import (
    N_NAMED,
    fail,
    print_document,
    print_table,
    say,
    show_progress,
    warn,
    warn_broken,
    warn_some,
)
from synthtext_cli.options import (
    DrawnFonts,
    FontFolder,
    NoVerify,
    Pattern,
    PhotoFolder,
    RecipeSource,
    Seed,
    Sentences,
    Words,
    choose_words,
    cover_plan,
    make_plan,
    parse_png,
    with_factors,
    write_one,
)

if TYPE_CHECKING:
    from synthtext.dataset.plan import Plan

N_SCENES = 1000
"""Default number of scenes."""


Out = Annotated[
    Path,
    typer.Option(
        parser=parse_output,
        help="Folder or address (s3://...), new or unfinished.",
        metavar="OUT",
    ),
]


@with_factors
def render(
    *,
    out: Out,
    words: Words = None,
    pattern: Pattern = None,
    sentences: Sentences = None,
    count: Annotated[
        int | None, typer.Option(help="Number of images; by default, each text is drawn once.")
    ] = None,
    seed: Seed = 0,
    cover: Annotated[
        int | None,
        typer.Option(
            help="Minimum number of times that each character of the alphabet is drawn in each"
            " split."
        ),
    ] = None,
    alphabet: Annotated[
        str | None,
        typer.Option(
            help="Characters for --cover: a list, a class such as '[A-Za-z0-9]', or a file. "
            "[those of the texts]"
        ),
    ] = None,
    recipe: RecipeSource = "default",
    fonts: DrawnFonts = None,
    backgrounds: PhotoFolder = None,
    workers: Annotated[
        int, typer.Option(help="Number of processes; the output does not depend on it.")
    ] = 1,
    engine: Annotated[str, typer.Option(help="local, or ray for a cluster.")] = "local",
    shards: Annotated[
        str | None, typer.Option(help="Shards to draw: A:B, or K/N for part K of N.")
    ] = None,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Redraw missing and damaged files of a dataset."),
    ] = False,
    task: Annotated[str, typer.Option(hidden=True)] = "words",
    annotations: Annotated[Path | None, typer.Option(hidden=True)] = None,
    edits: dict[str, str],
) -> None:
    """Render words and sentences into WebDataset shards.

    If a run is killed, the same command finishes it.

    synthtext render --words en --out data/words --count 100000 --size 12:64 --workers 2
    """
    # Until version 0.2, `render-vqa` can also be called as `render --task vqa`.
    if task not in ("words", "vqa"):
        fail(f"--task is {task!r}; it must be words or vqa")
    if task == "vqa":
        unused = [
            *edits,
            *_name_given(sentences=sentences, backgrounds=backgrounds, pattern=pattern),
            *_name_given(shards=shards, repair=repair or None, cover=cover, alphabet=alphabet),
            *_name_given(engine=engine if engine != "local" else None),
            *_name_given(recipe=recipe if recipe != "default" else None),
        ]
        if unused:
            fail(f"vqa draws its own signs; leave out {', '.join(unused)}")
        render_vqa(
            out=out, words=words, annotations=annotations, fonts=fonts, count=count, seed=seed,
            workers=workers,
        )  # fmt: skip
        return
    if annotations:
        fail("--annotations works only with `synthtext render-vqa`; use that, or leave it out")
    chosen = choose_words(words, pattern)
    plan = make_plan(
        chosen, sentences, recipe, edits, fonts, backgrounds, seed=seed, count=count
    )
    plan = cover_plan(plan, cover, alphabet, count=count)
    _render_plan(plan, out, workers=workers, engine=engine, shards=shards, repair=repair)


def _render_plan(
    plan: Plan, out: Path, *, workers: int, engine: str, shards: str | None, repair: bool
) -> None:
    from synthtext.dataset.folders import list_strays
    from synthtext.dataset.generate import render_dataset

    begin = time.perf_counter()
    counted: list[int] = []
    with show_progress(out) as advance:

        def note(unit: str, n_done: int, n_all: int | None) -> None:
            counted.append(n_done)
            advance(unit, n_done, n_all)

        manifest = render_dataset(
            plan, out, n_workers=workers, engine=engine, part=shards, repairs=repair,
            on_progress=note,
        )  # fmt: skip
    # The first count is the number drawn by earlier runs.
    n_new = counted[-1] - counted[0]
    _print_counts(out, manifest, n_new / (time.perf_counter() - begin))
    if repair:
        warn_some("not of this dataset", list(list_strays(out, manifest)))
    report_balance(out, manifest)


def render_vqa(
    *,
    out: Annotated[
        Path,
        typer.Option(
            parser=parse_output, help="Folder to write, new or unfinished.", metavar="OUT"
        ),
    ],
    words: Words = None,
    annotations: Annotated[
        Path | None,
        typer.Option(help="TextVQA's JSON: draw a stand-in for each of its images instead."),
    ] = None,
    fonts: FontFolder = None,
    count: Annotated[
        int | None, typer.Option(help="Number of scenes. [1000]", show_default=False)
    ] = None,
    seed: Seed = 0,
    workers: Annotated[
        int, typer.Option(help="Number of processes; the output does not depend on it.")
    ] = 1,
) -> None:
    """Render scenes with signs, and questions about them in TextVQA's format.

    If a run is stopped, the same command finishes it.

    synthtext render-vqa --count 5000 --out data/signs

    synthtext render-vqa --annotations TextVQA_0.5.1_val.json --out data/stand-ins
    """
    from synthtext.drawing.fonts import read_catalogue
    from synthtext.texts.words import read_words
    from synthtext.vqa.generate import check_apart, plan_scenes, plan_stand_ins, render_scenes
    from synthtext.vqa.textvqa import read_questions

    catalogue, listed = read_catalogue(fonts), read_words(words or "en")
    if annotations:
        if count is not None:
            fail("--annotations determines the number of images; leave out --count")
        check_apart(annotations, out)
        given = read_questions(annotations)
        warn_some("left out", given.broken)
        plan = plan_stand_ins(given, listed, catalogue, seed=seed, file=annotations.name)
    else:
        plan = plan_scenes(
            listed, catalogue, seed=seed, count=N_SCENES if count is None else count
        )
    with show_progress(out) as advance:
        manifest = render_scenes(plan, out, n_workers=workers, on_progress=advance)
    rows = [(name.replace("_", " "), f"{n:,}") for name, n in manifest["counts"].items()]
    print_table((str(out), ""), rows)
    warn_some(
        "not drawn", [f"{lost['scene']}: {lost['reason']}" for lost in manifest["not_drawn"]]
    )


def merge(
    parts: Annotated[
        list[Path],
        typer.Argument(
            parser=parse_folder, help="Folders of `render --shards`.", metavar="PARTS..."
        ),
    ],
    out: Out,
) -> None:
    """Move the shards of parts into one dataset and write its dataset.json.

    synthtext merge part-0 part-1 part-2 --out data/words
    """
    from synthtext.dataset.merge import merge_datasets

    with show_progress() as advance:
        manifest = merge_datasets(parts, out, on_progress=advance)
    _print_counts(out, manifest)
    report_balance(out, manifest)


def draw(
    key: Annotated[str, typer.Argument(help="Key of the image: the name of its files.")],
    *,
    folder: Annotated[
        Path,
        typer.Option(
            "--from", parser=parse_folder, help="Dataset written by `render`.", metavar="OUT"
        ),
    ],
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Change a field: FIELD=VALUE; repeatable.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(parser=parse_png, metavar="FILE", help="PNG to write. [KEY.png]"),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(
            help="A part of the image: background, undamaged, or a mask: ink, letters."
        ),
    ] = None,
    fonts: FontFolder = None,
    backgrounds: PhotoFolder = None,
    no_verify: NoVerify = False,
) -> None:
    """Redraw an image of a dataset, with some factors changed, or a part of it.

    synthtext draw --from data/words 000000007 --set blur_px=4 --set case=upper
    """
    from PIL import Image

    from synthtext.dataset.verify import find_rendering
    from synthtext.drawing.contact_sheets import write_image
    from synthtext.drawing.fonts import read_catalogue
    from synthtext.drawing.layers import draw_layer
    from synthtext.drawing.photos import read_photos
    from synthtext.drawing.rendering import render as render_spec
    from synthtext.spec_edits import edit_spec

    spec = edit_spec(
        find_rendering(folder, key, verify=not no_verify).spec, _split_pairs(changes or [])
    )
    photos = read_photos(backgrounds) if backgrounds else None
    catalogue = read_catalogue(fonts)
    if layer is None:
        write_one(render_spec(spec, catalogue, photos), out)
        return
    path = out or Path(f"{spec.key}-{layer}.png")
    write_image(path, Image.fromarray(draw_layer(layer, spec, catalogue, photos)))
    say(f"wrote {path}")


@with_factors
def print_recipe(
    name: Annotated[str, typer.Argument(help="A bundled recipe, or a TOML file.")] = "default",
    *,
    edits: dict[str, str],
) -> None:
    """Print a complete recipe, with a comment for each factor.

    The bundled recipes are default, clip-224, ocr-crops, rendered-sst2 and street.

    synthtext recipe ocr-crops --size 20:40 > mine.toml
    """
    from synthtext.recipe import edit_recipe, read_recipe
    from synthtext.recipe_toml import format_recipe

    print_document(format_recipe(edit_recipe(read_recipe(name), edits)))


def words(
    *,
    lang: Annotated[str | None, typer.Option(help="Language of the words, such as de.")] = None,
    pattern: Pattern = None,
    top: Annotated[int, typer.Option(help="Number of words, 1 to 1,000,000.")] = 10_000,
    seed: Seed = 0,
) -> None:
    r"""Print the most frequent words of a language, or texts that match a pattern.

    synthtext words --lang de --top 20000 > de.txt

    synthtext words --pattern '[A-Z]{2}-\d{4}' --top 500
    """
    from synthtext.texts.words import MAX_DRAWN, read_words

    if (lang is None) == (pattern is None):
        fail("give either --lang or --pattern")
    if not 1 <= top <= MAX_DRAWN:
        fail(f"--top is {top}; give a number from 1 to {MAX_DRAWN:,}")
    source = f"lang:{lang}:{top}" if lang is not None else f"pattern:{pattern}"
    listed = read_words(source, n_drawn=top, seed=seed)
    print_document("".join(f"{item}\n" for item in listed.items))


def fonts(
    folder: FontFolder = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            parser=parse_png, metavar="FILE", help="PNG to write, with a line in every font."
        ),
    ] = None,
) -> None:
    """List the fonts, bundled and your own, and draw a specimen sheet.

    synthtext fonts --fonts ~/myfonts --sheet fonts.png
    """
    from synthtext.drawing.contact_sheets import draw_specimen, write_image
    from synthtext.drawing.fonts import read_catalogue

    catalogue = read_catalogue(folder)
    rows = [
        (f.file, f.family, f.category, f.weight, "italic" if f.italic else "", f.licence)
        for f in catalogue.fonts.values()
    ]
    print_table(("file", "family", "category", "weight", "slant", "licence"), rows)
    warn_broken(catalogue.broken)
    if sheet:
        write_image(sheet, draw_specimen(catalogue))
        say(f"wrote {sheet}")


def _name_given(**options: object) -> list[str]:
    """Return the names of the options that were given."""
    return [name for name, value in options.items() if value is not None]


def _split_pairs(pairs: list[str]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise typer.BadParameter(
                f"{pair!r} is not of the form FIELD=VALUE", param_hint="--set"
            )
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def _print_counts(out: Path, manifest: dict[str, Any], images_per_s: float = 0.0) -> None:
    counts = manifest["counts"]
    rows = [
        ("images", f"{counts['drawn']:,} of {counts['asked']:,}"),
        ("shrunk to fit", f"{counts['shrunk']:,}"),
        ("duplicates merged", f"{counts['duplicates_merged']:,}"),
        ("shards", f"{counts['shards']:,}"),
        ("bytes", f"{counts['bytes']:,}"),
        ("complete", "yes" if manifest["complete"] else "no"),
    ]
    if images_per_s:
        rows.append(("images/s", f"{images_per_s:,.0f}"))
    print_table((str(out), ""), rows)
    for lost in manifest["not_drawn"][:N_NAMED]:
        warn(f"not drawn: {lost['reason']}")
    if counts["not_drawn"] > N_NAMED:
        warn(f"not drawn: {counts['not_drawn']:,} in total; {out}/dataset.json lists them")
