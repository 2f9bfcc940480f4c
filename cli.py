"""The command line: parse options, call one function, print.

Heavy modules are imported inside the commands, so that `--help` answers at once and drawing
never loads torch.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from synthtext.errors import SynthtextError
from synthtext.signals import Stopped, catch_signals
from synthtext.storage import parse_folder, parse_local, parse_output
from synthtext_cli.console import (
    open_streams,
    print_document,
    print_note,
    print_table,
    print_text,
    show_progress,
)

if TYPE_CHECKING:
    from probes.models.base import Model
    from synthtext.dataset.plan import Plan
    from synthtext.drawing.rendering import Rendering

app = typer.Typer(
    name="synthtext",
    help="Draw text and measure who can read it.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

DRAW, LOOK, MEASURE, TRAIN, SHARE = "Draw", "Look", "Measure", "Train", "Share"

MAX_TEXT_CHARS = 1000
"""Longest text to match."""

USAGE_ERROR: Any = typer.BadParameter.__base__
"""What is raised for a wrong option, whether or not typer carries a click of its own."""

N_SCENES = 1000
"""Scenes that are drawn unless another number is asked for."""

N_NAMED = 10
"""Texts named in a summary, of those that could not be drawn."""


def _parse_png(text: str) -> Path:
    return _parse_file(text, ".png")


def _parse_csv(text: str) -> Path:
    return _parse_file(text, ".csv")


def _parse_file(text: str, suffix: str) -> Path:
    """Return a file to write, before any work is done for it."""
    path = parse_local(text)
    if path.suffix.lower() != suffix:
        _fail(f"{path} would be written as {suffix[1:].upper()}; give a name with {suffix}")
    if path.is_dir() or not path.parent.is_dir():
        _fail(f"{path} cannot be a file; give a name in a folder that is there")
    return path


Words = Annotated[
    str | None, typer.Option("--words", help="File of words, one a line, or a list: en. [en]")
]
Sentences = Annotated[
    str | None,
    typer.Option("--sentences", help="TSV of sentence and label, folder of them, or reviews."),
]
Seed = Annotated[int, typer.Option(help="0 or more; another seed, other images.")]
RecipeSource = Annotated[
    str, typer.Option("--recipe", help="TOML file, or one that is bundled; see `recipe`.")
]
FontFolder = Annotated[
    Path | None, typer.Option("--fonts", help="Folder of your own .ttf and .otf files.")
]
PhotoFolder = Annotated[
    Path | None, typer.Option("--backgrounds", help="Folder of photographs to draw on.")
]
Folder = Annotated[
    Path,
    typer.Argument(parser=parse_folder, help="Folder that `render` wrote.", metavar="OUT"),
]
NoVerify = Annotated[
    bool, typer.Option("--no-verify", help="Read shards even if they are not as written.")
]
Out = Annotated[
    Path,
    typer.Option(
        parser=parse_output, help="Folder or address (s3://...), new or begun.", metavar="OUT"
    ),
]
Pictures = Annotated[
    list[Path], typer.Argument(help="Pictures, or folders of them.", metavar="PICTURES...")
]
TextList = Annotated[
    list[str] | None, typer.Option("--texts", help="Texts, as many as you like.")
]
TextFile = Annotated[
    Path | None, typer.Option("--texts-file", help="File of texts, one a line.")
]
Pretrained = Annotated[str | None, typer.Option(help="As for probe.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Precision = Annotated[str, typer.Option(help="auto, fp32 or bf16.")]
Compiled = Annotated[bool, typer.Option("--compile", help="Compile the towers.")]
MatchModel = Annotated[str, typer.Option("--model", help="As for probe.")]
Prompts = Annotated[
    Path | None, typer.Option("--prompts", help="File of templates, {} for the text.")
]


def with_factors(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with an option for every entry of a recipe.

    The command takes them as `edits`, a dict of those that were given.
    """
    from synthtext.recipe import FACTORS, SETTINGS, option_name

    helps = {name: f"{factor.help}. [{factor.default}]" for name, factor in FACTORS.items()}
    helps |= {name: f"{meaning}." for name, meaning in SETTINGS.items()}

    @functools.wraps(command)
    def run(**options: Any) -> None:  # noqa: ANN401 - typer passes options of every type
        edits = {name: options.pop(name) for name in helps}
        command(
            **options, edits={name: text for name, text in edits.items() if text is not None}
        )

    own = inspect.signature(command, eval_str=True).parameters.values()
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                str | None,
                typer.Option(
                    "--format" if name == "image_format" else option_name(name),
                    help=help_text[0].upper() + help_text[1:],
                    rich_help_panel="Factors" if name in FACTORS else "Files",
                ),
            ],
        )
        for name, help_text in helps.items()
    ]
    kept = [parameter for parameter in own if parameter.name != "edits"]
    run.__signature__ = inspect.Signature([*kept, *added])  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in [*kept, *added]}
    return run


@app.command(
    rich_help_panel=DRAW, short_help="Write shards: render --words en --out data/words"
)
@with_factors
def render(
    *,
    out: Out,
    words: Words = None,
    sentences: Sentences = None,
    count: Annotated[
        int | None, typer.Option(help="Images in all; without it, each text once.")
    ] = None,
    seed: Seed = 0,
    recipe: RecipeSource = "default",
    fonts: FontFolder = None,
    backgrounds: PhotoFolder = None,
    workers: Annotated[int, typer.Option(help="Processes; the bytes stay the same.")] = 1,
    engine: Annotated[
        str, typer.Option(help="local, or ray: a cluster of machines.")
    ] = "local",
    shards: Annotated[
        str | None, typer.Option(help="A:B or K/N: draw some of the shards only.")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Draw shards again whose bytes have changed.")
    ] = False,
    task: Annotated[
        str, typer.Option(help="words, or vqa: signs, and questions in TextVQA's format.")
    ] = "words",
    annotations: Annotated[
        Path | None,
        typer.Option(help="With vqa: TextVQA's JSON, to draw stand-ins for its pictures."),
    ] = None,
    edits: dict[str, str],
) -> None:
    """Draw words and sentences into WebDataset shards, or scenes with questions about them.

    A killed run is finished by the same command.

    synthtext render --words en --out data/words --count 100000 --size 12:64 --workers 2

    synthtext render --task vqa --count 5000 --out data/signs
    """
    if task not in ("words", "vqa"):
        _fail(f"there is no task {task!r} to render; it is words or vqa")
    if task == "vqa":
        unused = [*edits, *_name_given(sentences=sentences, backgrounds=backgrounds)]
        unused += _name_given(shards=shards, repair=repair or None)
        unused += ["engine"] if engine != "local" else []
        if unused or recipe != "default":
            _fail(f"vqa draws signs of its own; leave out {', '.join(unused) or 'recipe'}")
        _render_scenes(words, annotations, fonts, out, seed=seed, count=count, workers=workers)
        return
    if annotations:
        _fail("annotations are drawn with --task vqa; add it, or leave them out")
    from synthtext.dataset.folders import list_strays
    from synthtext.dataset.generate import render_dataset

    plan = _make_plan(
        words, sentences, recipe, edits, fonts, backgrounds, seed=seed, count=count
    )
    begin = time.perf_counter()
    try:
        with show_progress() as advance:
            manifest = render_dataset(
                plan, out, n_workers=workers, engine=engine, part=shards, repairs=repair,
                on_progress=advance,
            )  # fmt: skip
    except Stopped as stopped:
        _stop(stopped, f"in {out} ")
    _print_counts(out, manifest, time.perf_counter() - begin)
    if repair:
        _warn_some("not of this dataset", list(list_strays(out, manifest)))


@app.command(rich_help_panel=DRAW, short_help="Join parts of a run: merge a b --out all")
def merge(
    parts: Annotated[
        list[Path],
        typer.Argument(
            parser=parse_folder, help="Folders that render --shards wrote.", metavar="PARTS..."
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


@app.command(
    rich_help_panel=DRAW, short_help="Draw one again: draw --from OUT KEY --set blur_px=4"
)
def draw(
    key: Annotated[str, typer.Argument(help="Key of the image, as its files are named.")],
    *,
    folder: Annotated[
        Path,
        typer.Option(
            "--from", parser=parse_folder, help="Folder that `render` wrote.", metavar="OUT"
        ),
    ],
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="FIELD=VALUE, as often as you like.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(parser=_parse_png, metavar="FILE", help="PNG to write; else KEY.png."),
    ] = None,
    fonts: FontFolder = None,
    backgrounds: PhotoFolder = None,
    no_verify: NoVerify = False,
) -> None:
    """Draw an image of a dataset again, with some of its factors changed.

    synthtext draw --from data/words 000000007 --set blur_px=4 --set case=upper
    """
    from synthtext.dataset.verify import find_rendering
    from synthtext.drawing.fonts import read_catalogue
    from synthtext.drawing.photos import read_photos
    from synthtext.drawing.rendering import render as render_spec
    from synthtext.spec import edit_spec

    spec = edit_spec(
        find_rendering(folder, key, verify=not no_verify).spec, _split_pairs(changes or [])
    )
    photos = read_photos(backgrounds) if backgrounds else None
    _write_one(render_spec(spec, read_catalogue(fonts), photos), out)


@app.command("recipe", rich_help_panel=DRAW, short_help="Print a recipe: recipe > mine.toml")
@with_factors
def print_recipe(
    name: Annotated[str, typer.Argument(help="A bundled recipe, or a TOML file.")] = "default",
    *,
    edits: dict[str, str],
) -> None:
    """Print a recipe in full, with a comment for each factor.

    Bundled are default, clip-224, ocr-crops and rendered-sst2.

    synthtext recipe ocr-crops --size 20:40 > mine.toml
    """
    from synthtext.recipe import edit_recipe, format_recipe, read_recipe

    print_document(format_recipe(edit_recipe(read_recipe(name), edits)))


@app.command(rich_help_panel=DRAW, short_help="List fonts: fonts --sheet fonts.png")
def fonts(
    folder: FontFolder = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            parser=_parse_png, metavar="FILE", help="PNG to write: a line in every font."
        ),
    ] = None,
) -> None:
    """List the fonts, bundled and your own, and draw a specimen of each.

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
    _warn_broken(catalogue.broken)
    if sheet:
        write_image(sheet, draw_specimen(catalogue))
        _say(f"wrote {sheet}")


@app.command(rich_help_panel=LOOK, short_help="A contact sheet: preview OUT --sheet sheet.png")
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
        Path, typer.Option(parser=_parse_png, metavar="FILE", help="PNG to write.")
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
        plan = _make_plan(
            words, sentences, recipe, edits, fonts, backgrounds, seed=seed, count=n
        )
        drawn = [image for shard in list_shards(plan) for image in draw_images(plan, shard)]
        renderings = [image for image in drawn if not isinstance(image, NotDrawn)]
        for lost in drawn:
            if isinstance(lost, NotDrawn):
                _say(f"not drawn: {lost.reason}")
    write_image(sheet, draw_sheet(renderings, n_columns=columns, has_boxes=boxes))
    _say(f"wrote {sheet}")


@app.command(rich_help_panel=LOOK, short_help="One image and its factors: show OUT KEY")
def show(
    folder: Folder,
    key: Annotated[str, typer.Argument(help="Key of the image.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(parser=_parse_png, metavar="FILE", help="PNG to write; else KEY.png."),
    ] = None,
    no_verify: NoVerify = False,
) -> None:
    """Write one image of a dataset as PNG and print its factors.

    synthtext show data/words 000000007
    """
    from synthtext.dataset.verify import find_rendering

    _write_one(find_rendering(folder, key, verify=not no_verify), out)


@app.command(rich_help_panel=LOOK, short_help="Check every byte: verify OUT")
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
        _say("it is of an earlier version: its shards alone have checksums")
    _say(f"{folder} is whole")


@app.command(
    rich_help_panel=MEASURE, short_help="Who can read: probe --model ViT-L-14 --out res"
)
def probe(
    *,
    model: Annotated[
        str,
        typer.Option(help="Name in open_clip, hf-hub:..., folder, or python:module:factory."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            parser=parse_local, metavar="DIR", help="Folder of results, made if need be."
        ),
    ],
    pretrained: Annotated[
        str | None, typer.Option(help="Tag, file, TAG=FILE, or random. [openai if there is]")
    ] = None,
    task: Annotated[
        str,
        typer.Option(
            help="words, distractors, pseudowords, sentences, sentiment, where, attack."
        ),
    ] = "words",
    data: Annotated[
        Path | None, typer.Option(help="Folder that `render` wrote, instead of a design.")
    ] = None,
    design: Annotated[
        str | None,
        typer.Option(help="Factors to vary, or latin. [size,contrast,rotation,blur,font,case]"),
    ] = None,
    n: Annotated[int, typer.Option("--n", "-n", help="Words at each level.")] = 200,
    k: Annotated[
        str | None,
        typer.Option("--k", help="Candidates to choose among. [2,10,100,1000,10000]"),
    ] = None,
    vocabulary: Annotated[
        str, typer.Option(help="Word list to draw from and to choose among.")
    ] = "en",
    prompts: Annotated[
        Path | None, typer.Option(help="File of templates, one a line, {} for the word.")
    ] = None,
    linear: Annotated[
        bool, typer.Option("--linear", help="With sentiment and --data: a linear probe too.")
    ] = False,
    seed: Seed = 0,
    no_verify: NoVerify = False,
    device: Device = "auto",
    precision: Precision = "auto",
    compiled: Compiled = False,
) -> None:
    """Measure a model's zero-shot reading accuracy per factor, with intervals.

    Writes outcomes.parquet, summary.json, report.html and plots/ into the folder.

    synthtext probe --model ViT-L-14 --design size,rotation,contrast --n 200 --out results/l14

    synthtext probe --model ViT-B-32 --data data/words --out results/words
    """
    _need_probes()
    from probes.models.factory import load_model
    from probes.models.prompts import read_templates
    from probes.reports.page import list_tables, write_report
    from probes.tasks.run import Setting, run_probe

    setting = Setting(
        task=task,
        design=design or Setting.design,
        data=data,
        n=n,
        ks=_parse_whole("--k", k) if k else (),
        templates=read_templates(prompts) if prompts else (),
        vocabulary=vocabulary,
        seed=seed,
        verify=not no_verify,
    )
    loaded = load_model(
        model, pretrained=pretrained, device=device, precision=precision, compile=compiled
    )
    try:
        with show_progress() as advance:
            done = run_probe(loaded, setting, out, on_progress=advance)
    except Stopped as stopped:
        _stop(stopped, f"in {out} ")
    if done is None:  # Under torchrun the first process alone reports.
        return
    summary = write_report(done, out)
    _print_headline(summary)
    for table in list_tables(done, summary):
        print_table(table.columns, table.rows, table.title)
    _warn_some("cannot be read", done.broken)
    if linear:
        _probe_linear(loaded, data, out, verify=not no_verify)
    _say(f"wrote {out / 'report.html'}")


@app.command(rich_help_panel=MEASURE, short_help="Two probes, paired: compare res/a res/b")
def compare(
    one: Annotated[Path, typer.Argument(help="Folder of results.", metavar="A")],
    other: Annotated[Path, typer.Argument(help="Another, of the same pictures.", metavar="B")],
    out: Annotated[
        Path | None, typer.Option(parser=_parse_csv, metavar="FILE", help="CSV file to write.")
    ] = None,
) -> None:
    """Compare two probes picture by picture: exact McNemar and paired differences.

    synthtext compare results/b32 results/l14
    """
    _need_probes()
    from probes.metrics.breakdown import list_factors
    from probes.metrics.paired import compare as compare_rows
    from probes.tasks.outcomes import read_outcomes
    from synthtext.storage import replace_file

    first, second = read_outcomes(one), read_outcomes(other)
    table = compare_rows(first, second, list_factors(first))
    if out:
        replace_file(out, table.to_csv(index=False).encode())
    rows = [
        (
            row["factor"], row["level"], row["n_seen"], f"{row['accuracy_a']:.3f}",
            f"{row['accuracy_b']:.3f}", f"{row['difference']:+.3f}",
            f"{row['low']:+.3f} to {row['high']:+.3f}", f"{row['p_holm']:.2g}",
        )
        for row in table.to_dict("records")
    ]  # fmt: skip
    names = ("factor", "level", "n", "A", "B", "B - A", "95 % interval", "p (Holm)")
    print_table(names, rows)


@app.command(rich_help_panel=MEASURE, short_help='Which text fits: match a.jpg --texts "a dog"')
def match(
    pictures: Pictures,
    *,
    texts: TextList = None,
    texts_file: TextFile = None,
    model: MatchModel = "ViT-B-32",
    pretrained: Pretrained = None,
    prompts: Prompts = None,
    top: Annotated[int, typer.Option("--top", help="Texts to a picture.", min=1)] = 5,
    out: Annotated[
        Path,
        typer.Option(
            parser=parse_local, metavar="DIR", help="Folder of match.json and match.png."
        ),
    ] = Path(),
    device: Device = "auto",
) -> None:
    """Print the texts that fit each picture best, with their probabilities among all texts.

    synthtext match cat.jpg chart.png --texts "a dog" "a cat" "a diagram"
    """
    _need_probes()
    from probes.data.images import keep_readable, list_images
    from probes.models.factory import load_model
    from probes.reports.image_grids import draw_bars
    from probes.tasks.matching import describe_entry, match_images

    listed = _list_texts(texts, texts_file)
    files, broken = keep_readable(list_images(pictures))
    _warn_some("left out", broken)
    loaded = load_model(model, pretrained=pretrained, device=device)
    entries = match_images(loaded, files, listed, _read_prompts(prompts), n_best=top)
    _write_results(
        out, "match", draw_bars(entries), [describe_entry(entry) for entry in entries]
    )
    for entry in entries:
        print_text(entry.title)
        rows = [
            (f"{100 * share:6.2f} %", text)
            for text, share in zip(entry.texts, entry.shares, strict=True)
        ]
        print_table(("", ""), rows)


@app.command(rich_help_panel=MEASURE, short_help="All cosines: matrix *.jpg --texts-file F")
def matrix(
    pictures: Pictures,
    *,
    texts: TextList = None,
    texts_file: TextFile = None,
    model: MatchModel = "ViT-B-32",
    pretrained: Pretrained = None,
    prompts: Prompts = None,
    out: Annotated[
        Path,
        typer.Option(
            parser=parse_local, metavar="DIR", help="Folder of matrix.json and matrix.png."
        ),
    ] = Path(),
    device: Device = "auto",
) -> None:
    """Draw the cosine of every picture with every text, and tell who finds its partner.

    With one text for each picture, in their order, recall at 1 and 5 is told both ways.

    synthtext matrix a.jpg b.jpg --texts-file captions.txt
    """
    _need_probes()
    from probes.data.images import keep_readable, list_images, name_file
    from probes.metrics.retrieval import measure_recall
    from probes.models.factory import load_model
    from probes.reports.image_grids import count_left_out, draw_matrix
    from probes.tasks.matching import compare_files

    listed = _list_texts(texts, texts_file)
    files, broken = keep_readable(list_images(pictures))
    _warn_some("left out", broken)
    loaded = load_model(model, pretrained=pretrained, device=device)
    thumbnails, cosines = compare_files(loaded, files, listed, _read_prompts(prompts))
    found = {}
    if len(files) == len(listed) > 1:
        found = {
            "picture -> text": measure_recall(cosines),
            "text -> picture": measure_recall(cosines.T),
        }
    summary: dict[str, Any] = {
        "pictures": list(map(name_file, files)), "texts": listed, "cosines": cosines,
    }  # fmt: skip
    if found:
        summary["recall"] = {way: vars(recall) for way, recall in found.items()}
    _write_results(out, "matrix", draw_matrix(thumbnails, listed, cosines), summary)
    if left_out := count_left_out(len(files), len(listed)):
        _say(f"{left_out}; matrix.json has them all")
    rows = [
        (way, f"{100 * r.at_1:.1f} %", f"{100 * r.chance_1:.1f} %",
         f"{100 * r.at_5:.1f} %", f"{100 * r.chance_5:.1f} %")
        for way, r in found.items()
    ]  # fmt: skip
    if rows:
        print_table(("", "R@1", "chance", "R@5", "chance"), rows)


@app.command(rich_help_panel=MEASURE, short_help="What is on it: classify DIR --out res/c")
def classify(
    folder: Annotated[
        Path, typer.Argument(help="Class folders, CIFAR-100, or shards with classes.")
    ],
    *,
    out: Annotated[
        Path,
        typer.Option(
            parser=parse_local, metavar="DIR", help="Folder of results, made if need be."
        ),
    ],
    model: MatchModel = "ViT-B-32",
    pretrained: Pretrained = None,
    prompts: Prompts = None,
    split: Annotated[str, typer.Option(help="Part of it, where it has parts.")] = "test",
    no_verify: NoVerify = False,
    device: Device = "auto",
    precision: Precision = "auto",
) -> None:
    """Name pictures zero-shot: top 1 and top 5, by class, mistakes, and examples.

    Reads class folders, CIFAR-100 in its binary and its pickled version, and WebDataset shards
    with classnames.txt.

    synthtext classify cifar-100-python --model ViT-B-32 --out results/cifar
    """
    _need_probes()
    from probes.data.labelled import read_album
    from probes.models.factory import load_model
    from probes.reports.classification import format_accuracy, write_classification
    from probes.tasks.classification import TEMPLATES, classify, tabulate_accuracy

    album = read_album(folder, split, verify=not no_verify)
    templates = _read_prompts(prompts) if prompts else TEMPLATES
    loaded = load_model(model, pretrained=pretrained, device=device, precision=precision)
    guesses = classify(loaded, album, templates)
    write_classification(guesses, album, loaded, templates, out)
    _warn_some("cannot be read", album.broken)
    table = format_accuracy(tabulate_accuracy(guesses, len(album.names)))
    print_table(table.columns, table.rows)
    _say(f"wrote {out / 'report.html'}")


@app.command(rich_help_panel=MEASURE, short_help="Ask: vqa --annotations T --val V --images D")
def vqa(
    *,
    annotations: Annotated[Path, typer.Option(help="TextVQA's JSON of training.")],
    val: Annotated[Path, typer.Option(help="TextVQA's JSON of the questions to ask.")],
    images: Annotated[Path, typer.Option(help="Folder of the pictures of both.")],
    out: Annotated[
        Path,
        typer.Option(
            parser=parse_local, metavar="DIR", help="Folder of results, made if need be."
        ),
    ],
    model: MatchModel = "ViT-B-32",
    pretrained: Pretrained = None,
    candidates: Annotated[
        int, typer.Option(help="Answers to choose among, the commonest of training.")
    ] = 10_000,
    windows: Annotated[
        bool, typer.Option(help="Look for the window of a picture that answers best.")
    ] = True,
    heads: Annotated[
        bool, typer.Option(help="Train heads on the frozen vectors, with hard negatives too.")
    ] = True,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
) -> None:
    """Ask questions about pictures that are answered by text in them, as TextVQA does.

    Reads annotations of version 0.5.1 and 0.1, and those that render --task vqa writes.

    synthtext vqa --annotations train.json --val val.json --images train_images --out res/vqa
    """
    _need_probes()
    from probes.models.factory import load_model
    from probes.reports.vqa import list_methods, list_windows_found, verdict, write_vqa
    from probes.vqa.run import Setting, run_vqa

    setting = Setting(annotations, val, images, candidates, windows, heads, seed)
    loaded = load_model(model, pretrained=pretrained, device=device, precision=precision)
    try:
        with show_progress() as advance:
            done = run_vqa(loaded, setting, out, on_progress=advance)
    except Stopped as stopped:
        _stop(stopped, f"in {out} ")
    write_vqa(done, out)
    print_text(verdict(done))
    for table in [list_methods(done), *([list_windows_found(done)] if windows else [])]:
        print_table(table.columns, table.rows, table.title)
    _warn_some("left out", done.notes)
    _say(f"wrote {out / 'report.html'}")


@app.command(rich_help_panel=MEASURE, short_help="What to ask: experiments")
def experiments() -> None:
    """List the experiments that this program was made for, with the commands that run them.

    synthtext experiments
    """
    from synthtext_cli.experiments import EXPERIMENTS

    for experiment in EXPERIMENTS:
        print_table((experiment.title,), ())
        print_text(experiment.question)
        for command in (*experiment.commands, experiment.page):
            print_text(f"  {command}")
        print_text()


@app.command(rich_help_panel=MEASURE, short_help="Models there are: models --find ViT-B")
def models(
    find: Annotated[str, typer.Option(help="Part of the names to list.")] = "",
) -> None:
    """List the models open_clip knows: tags, input, patch, parameters, GFLOP, what is here.

    synthtext models --find ViT-L
    """
    _need_probes()
    from probes.models.registry import list_models

    rows = [
        (
            row.name, row.input_px or "", row.patch_px or "",
            f"{row.parameters_m:,.1f}" if row.parameters_m else "",
            f"{row.gflop:,.1f}" if row.gflop else "",
            ",".join(row.cached), ",".join(row.tags),
        )
        for row in list_models()
        if find.lower() in row.name.lower()
    ]  # fmt: skip
    print_table(("model", "px", "patch", "M param", "GFLOP", "here", "tags"), rows)


@app.command(rich_help_panel=MEASURE, short_help="How fast: bench --probe --model ViT-B-32")
def bench(
    *,
    n: Annotated[int, typer.Option("--n", help="Images to a round.", min=1)] = 512,
    probed: Annotated[bool, typer.Option("--probe", help="Measure a model as well.")] = False,
    model: Annotated[str, typer.Option(help="As for probe.")] = "ViT-B-32",
    pretrained: Annotated[
        str, typer.Option(help="As for probe; random needs no file.")
    ] = "random",
    device: Device = "auto",
    precision: Precision = "auto",
    compiled: Compiled = False,
) -> None:
    """Measure images/s of drawing and, with --probe, of a model on this machine.

    synthtext bench --probe --model ViT-L-14 --n 4096
    """
    from synthtext.dataset.generate import measure_drawing

    plan = _make_plan(None, None, "default", {"splits": "1,0,0"}, None, None, seed=0, count=n)
    rows: list[tuple[str, str]] = [
        ("drawn, one process, images/s", f"{measure_drawing(plan):,.0f}")
    ]
    if probed:
        _need_probes()
        from probes.embeddings.throughput import measure_speed
        from probes.models.factory import load_model

        loaded = load_model(
            model, pretrained=pretrained, device=device, precision=precision, compile=compiled
        )
        found = measure_speed(loaded, n)
        rows += [
            ("device, precision", f"{loaded.device}, {loaded.precision}"),
            ("embedded from memory, images/s", f"{found.in_memory:,.1f}"),
            ("end to end, images/s", f"{found.end_to_end:,.1f}"),
            ("end to end, of that from memory", f"{found.end_to_end / found.in_memory:.2f}"),
            ("time waiting for pictures", f"{found.share_waiting:.1%}"),
            ("matrix product, TFLOP/s", f"{found.ceiling_tflops:,.2f}"),
        ]
        if found.tflops is not None:
            share = found.tflops / found.ceiling_tflops
            rows.append(
                ("encoder, TFLOP/s", f"{found.tflops:,.2f}, {share:.0%} of the product")
            )
    print_table(("bench", ""), rows)


@app.command(
    rich_help_panel=TRAIN, short_help="Teach it: finetune --model X --data OUT --out DIR"
)
def finetune(
    *,
    model: Annotated[str, typer.Option(help="As for probe, but no code of your own.")],
    data: Annotated[Path, typer.Option(help="Folder that `render` wrote.")],
    out: Annotated[
        Path,
        typer.Option(
            parser=parse_local,
            metavar="DIR",
            help="Folder of the run, new or to take up again.",
        ),
    ],
    pretrained: Pretrained = None,
    task: Annotated[
        str, typer.Option(help="words, or sentiment: the labels of reviews.")
    ] = "words",
    arm: Annotated[
        str, typer.Option(help="head, vision, full, lora or scratch: what is trained.")
    ] = "vision",
    batches: Annotated[
        str, typer.Option(help="random, image, text, both or edit: who shares a batch.")
    ] = "random",
    epochs: Annotated[int, typer.Option(help="Times that each picture is seen.", min=1)] = 1,
    steps: Annotated[int, typer.Option(help="Steps instead of epochs.", min=0)] = 0,
    batch_size: Annotated[int, typer.Option(help="Pictures to a batch.", min=2)] = 256,
    accumulate: Annotated[int, typer.Option(help="Batches to a step.", min=1)] = 1,
    lr: Annotated[float, typer.Option(help="Highest rate; 0 takes the arm's.", min=0)] = 0.0,
    weight_decay: Annotated[float, typer.Option(help="Of AdamW.", min=0)] = 0.1,
    warmup: Annotated[
        float, typer.Option(help="Share of the steps to warm up.", min=0, max=1)
    ] = 0.05,
    loss: Annotated[str, typer.Option(help="clip or siglip.")] = "clip",
    no_mask: Annotated[
        bool, typer.Option("--no-mask", help="Equal captions count as wrong for each other.")
    ] = False,
    letters: Annotated[
        float, typer.Option(help="Weight of the loss that names letters.", min=0)
    ] = 0.0,
    distill: Annotated[
        float, typer.Option(help="Weight of the drift from the original.", min=0)
    ] = 0.0,
    mix: Annotated[
        Path | None, typer.Option(help="Folder of shards with natural pairs.")
    ] = None,
    mix_share: Annotated[float, typer.Option(help="Of each batch.", min=0.0, max=0.9)] = 0.25,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="FACTOR=LEVELS to leave out and be proven on, often."),
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="File of templates, one a line, {} for the text.")
    ] = None,
    resample: Annotated[
        bool, typer.Option("--resample", help="Draw with replacement, not each once.")
    ] = False,
    retention: Annotated[
        Path | None, typer.Option(help="Class folders, or a render, not to be forgotten.")
    ] = None,
    retention_limit: Annotated[
        float, typer.Option(help="Points of it that may be lost.", min=0, max=100)
    ] = 1.0,
    save_every: Annotated[int, typer.Option(help="Steps to a checkpoint.", min=1)] = 500,
    seed: Seed = 0,
    no_verify: NoVerify = False,
    device: Device = "auto",
    precision: Precision = "auto",
    checkpointing: Annotated[
        bool, typer.Option("--checkpointing", help="Less memory, more time.")
    ] = False,
    compiled: Compiled = False,
) -> None:
    """Train a model on the split train, and prove on test what was gained and kept.

    Writes model/, which open_clip and probe load, report.html, summary.json, plots/ and
    tensorboard/ into the folder. A killed run goes on with the same command.

    synthtext finetune --model ViT-B-32 --data data/words --out runs/b32

    synthtext finetune --model ViT-B-32 --data data/words --out runs/hard --arm lora
    --batches both --exclude font_category=script --exclude size_px=8:12 --retention photos/
    """
    _need_probes()
    from probes.data.pairs import parse_exclusion
    from probes.models.prompts import read_templates
    from probes.reports.finetune import list_gains, verdict, write_proof
    from probes.training.config import Setting
    from probes.training.finetune import run_finetune
    from probes.training.loop import Schedule

    setting = Setting(
        model=model,
        data=data,
        task=task,
        pretrained=pretrained,
        arm=arm,
        batches=batches,
        resamples=resample,
        exclude=parse_exclusion(exclude or []),
        mix=mix,
        mix_frac=mix_share,
        n_epochs=epochs,
        batch_size=batch_size,
        templates=read_templates(prompts) if prompts else (),
        precision=precision,
        device=device,
        checkpointing=checkpointing,
        retention=retention,
        retention_limit=retention_limit / 100,
        seed=seed,
        verify=not no_verify,
        schedule=Schedule(
            n_steps=steps,
            lr=lr,
            weight_decay=weight_decay,
            warmup_frac=warmup,
            n_accumulated=accumulate,
            loss=loss,
            masks=not no_mask,
            letters=letters,
            distill=distill,
            compiles=compiled,
            save_every=save_every,
        ),
    )
    try:
        with show_progress() as advance:
            done = run_finetune(setting, out, on_progress=advance)
    except Stopped as stopped:
        _stop(stopped, f"in {out} ")
    if done is None:  # Under torchrun the first process alone reports.
        return
    write_proof(done, out)
    print_text(verdict(done))
    table = list_gains(done.gains)
    print_table(table.columns, table.rows)
    _say(f"wrote {out / 'model'} and {out / 'report.html'}")


@app.command(rich_help_panel=SHARE, short_help="Other layouts: export OUT --to lmdb --out DIR")
def export(
    folder: Folder,
    *,
    to: Annotated[
        str,
        typer.Option(
            help="folder, parquet, lmdb, doctr, paddleocr, icdar, coco or clip-benchmark."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            parser=parse_local, metavar="DIR", help="Folder to write; it must be new."
        ),
    ],
    crops: Annotated[
        bool, typer.Option("--crops", help="Every word cut out upright, not whole pictures.")
    ] = False,
    no_verify: NoVerify = False,
) -> None:
    """Write a dataset in the layout of another tool, split by split.

    synthtext export data/words --to lmdb --crops --out data/words-lmdb
    """
    from synthtext.export.export import export_dataset

    try:
        with show_progress() as advance:
            counts = export_dataset(
                folder, out, to, crops=crops, verify=not no_verify, on_progress=advance
            )
    except Stopped as stopped:
        _say(f"stopped; nothing was written to {out}")
        raise typer.Exit(stopped.exit_code) from None
    print_table((str(out), "pictures"), [(split, f"{n:,}") for split, n in counts.items()])


@app.command(rich_help_panel=SHARE, short_help="By number: index OUT writes wids' JSON")
def index(folder: Folder, *, no_verify: NoVerify = False) -> None:
    """Write the index of each split by which wids finds samples by their number.

    synthtext index data/words
    """
    from synthtext.dataset.wids_index import index_shards

    for path in index_shards(folder, verify=not no_verify):
        _say(f"wrote {path}")


def main() -> NoReturn:
    """Run the command line; every failure that a user can mend is one line and exit code 2."""
    open_streams()
    words = sys.argv[1:]
    if sys.platform == "win32":
        _fail("Windows is not supported; use Linux, or WSL on Windows")
    notes = logging.getLogger("probes")
    notes.addHandler(_Notes())
    notes.propagate = False
    try:
        _check_words(words)
        with catch_signals():
            code = _make_command(words)(_repeat("--texts", words), standalone_mode=False)
        sys.exit(code)
    except Stopped as stopped:
        _stop(stopped)
    except SynthtextError as error:
        _fail(str(error))
    except USAGE_ERROR as error:
        # Without any words, the help has been shown instead.
        if words:
            _fail(error.format_message())
        sys.exit(2)
    except OSError as error:
        _fail(f"{error.filename or 'a file'} cannot be used: {error.strerror or error}")


def _check_words(words: Sequence[str]) -> None:
    """Refuse what cannot be written into JSON or asked of a model."""
    for word in words:
        if not word.isprintable() and any("\ud800" <= char <= "\udfff" for char in word):
            given = os.fsencode(word).decode("utf-8", "backslashreplace")
            _fail(f"the argument '{given}' is not UTF-8; rename the file, or type it in UTF-8")


def _make_command(words: Sequence[str]) -> Callable[..., int | None]:
    """Return the command line as one command, whose help is shown letter by letter."""
    command = typer.main.get_command(app)
    if not words or {"-h", "--help"} & set(words):
        from rich.markup import escape

        for each in command.commands.values():  # type: ignore[attr-defined]
            for option in each.params:
                # Rich would take [0:4] for a mark of its own, and show nothing.
                option.help = escape(getattr(option, "help", None) or "")
    return command


class _Notes(logging.Handler):
    """Prints a line for what a module logs: what was amiss although the work goes on."""

    def emit(self, record: logging.LogRecord) -> None:
        _say(record.getMessage())


def _repeat(option: str, words: list[str]) -> list[str]:
    """Return a command line in which an option stands before each of its values.

    >>> _repeat("--texts", ["match", "a.jpg", "--texts", "a dog", "a cat", "--top", "2"])
    ['match', 'a.jpg', '--texts', 'a dog', '--texts', 'a cat', '--top', '2']
    """
    written: list[str] = []
    is_open = False
    for word in words:
        if word.startswith("--"):
            is_open = word == option
        elif is_open and written[-1] != option:
            written.append(option)
        written.append(word)
    return written


def _probe_linear(model: Model, data: Path | None, out: Path, *, verify: bool) -> None:
    """Run a linear probe beside a zero-shot one, print it and write `linear.json`."""
    import shutil

    from probes.tasks.linear_probe import describe_linear, run_linear

    if data is None:
        _fail("a linear probe needs pictures to learn from; give --data")
    found = describe_linear(run_linear(model, data, out / "vectors", verify=verify))
    shutil.rmtree(out / "vectors")
    _write_json(out / "linear.json", found)
    names = ("accuracy", "low", "high", "precision", "recall", "f1", "strength")
    rows = [(name, f"{found[name]:.4g}") for name in names]
    print_table(("figure", "value"), rows, "Linear probe")


def _render_scenes(
    words: str | None,
    annotations: Path | None,
    fonts: Path | None,
    out: Path,
    *,
    seed: int,
    count: int | None,
    workers: int,
) -> None:
    """Draw scenes of their own, or stand-ins for the pictures of an annotation file."""
    from synthtext.drawing.fonts import read_catalogue
    from synthtext.texts.words import read_words
    from synthtext.vqa.generate import check_apart, plan_scenes, plan_stand_ins, render_scenes
    from synthtext.vqa.textvqa import read_questions

    catalogue, listed = read_catalogue(fonts), read_words(words or "en")
    if annotations:
        if count is not None:
            _fail("with --annotations there are as many pictures as they ask about; no --count")
        check_apart(annotations, out)
        given = read_questions(annotations)
        _warn_some("left out", given.broken)
        plan = plan_stand_ins(given, listed, catalogue, seed=seed, file=annotations.name)
    else:
        plan = plan_scenes(listed, catalogue, seed=seed, count=count or N_SCENES)
    try:
        with show_progress() as advance:
            manifest = render_scenes(plan, out, n_workers=workers, on_progress=advance)
    except Stopped as stopped:
        _stop(stopped, f"in {out} ")
    rows = [(name.replace("_", " "), f"{n:,}") for name, n in manifest["counts"].items()]
    print_table((str(out), ""), rows)
    _warn_some(
        "not drawn", [f"{lost['scene']}: {lost['reason']}" for lost in manifest["not_drawn"]]
    )


def _name_given(**options: object) -> list[str]:
    """Return the names of the options that were given."""
    return [name for name, value in options.items() if value is not None]


def _warn_some(what: str, reasons: Sequence[str]) -> None:
    """Print the first of some reasons, and how many there are."""
    for reason in reasons[:N_NAMED]:
        _say(f"{what}: {reason}")
    if len(reasons) > N_NAMED:
        _say(f"{what}: {len(reasons):,} in all")


def _list_texts(texts: list[str] | None, file: Path | None) -> list[str]:
    """Return the texts of an option and of a file, each once."""
    from synthtext.texts.words import read_lines

    lines = [line for _, line in read_lines(file, MAX_TEXT_CHARS)] if file else []
    listed = list(dict.fromkeys([*(texts or []), *lines]))
    if not listed:
        _fail("there are no texts; give --texts or --texts-file")
    return listed


def _read_prompts(file: Path | None) -> tuple[str, ...]:
    from probes.models.prompts import SLOT, read_templates

    return read_templates(file) if file else (SLOT,)


def _write_results(out: Path, name: str, png: bytes, summary: object) -> None:
    """Write a picture and a JSON file of the same name."""
    from synthtext.storage import replace_file

    out.mkdir(parents=True, exist_ok=True)
    replace_file(out / f"{name}.png", png)
    _write_json(out / f"{name}.json", summary)
    _say(f"wrote {out / name}.png and {out / name}.json")


def _write_json(path: Path, content: object) -> None:
    import orjson

    from synthtext.storage import replace_file

    settings = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY
    replace_file(path, orjson.dumps(content, option=settings))


def _fail(message: str) -> NoReturn:
    _say(f"synthtext: {message}")
    sys.exit(2)


def _stop(stopped: Stopped, where: str = "") -> NoReturn:
    """End a command that was interrupted, and say how to go on."""
    _say(f"stopped; what is finished {where}is whole, and the same command goes on")
    sys.exit(stopped.exit_code)


def _say(message: str) -> None:
    print_note(message)


def _make_plan(
    words: str | None,
    sentences: str | None,
    recipe: str,
    edits: dict[str, str],
    fonts: Path | None,
    backgrounds: Path | None,
    *,
    seed: int,
    count: int | None,
) -> Plan:
    from synthtext.dataset.plan import make_plan, read_texts
    from synthtext.drawing.fonts import read_catalogue
    from synthtext.drawing.photos import read_photos
    from synthtext.recipe import edit_recipe, read_recipe

    edited = edit_recipe(read_recipe(recipe), edits)
    papers = str(edited.draws["background"])
    if backgrounds and "background" not in edits and "photo" not in papers:
        # Who gives photographs wants them drawn on, as often as any other paper.
        edited = edit_recipe(edited, {"background": f"{papers},photo"})
    texts = read_texts(words, sentences, edited)
    catalogue = read_catalogue(fonts)
    _warn_broken(catalogue.broken)
    photos = read_photos(backgrounds) if backgrounds else None
    _warn_some("left out", photos.broken if photos else ())
    return make_plan(edited, texts, catalogue, seed=seed, count=count, photos=photos)


def _need_probes() -> None:
    """Say what to install where the renderer is alone."""
    for package in ("torch", "open_clip", "pandas", "sklearn"):
        if importlib.util.find_spec(package) is None:
            _fail(f"measuring needs {package}; type: pip install 'synthtext[probe]'")


def _parse_whole(option: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is no list of whole numbers", param_hint=option
        ) from (error)


def _print_headline(summary: dict[str, Any]) -> None:
    rows = [
        (
            f"1 of {row['k']:,}", f"{row['accuracy']:.4f}",
            f"{row['low']:.4f} to {row['high']:.4f}", f"{row['chance']:.4f}",
            "at chance" if row["at_chance"] else "",
        )
        for row in summary["headline"]
    ]  # fmt: skip
    print_table(("choice", "accuracy", "95 % interval", "chance", ""), rows)


def _split_pairs(pairs: list[str]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise typer.BadParameter(f"{pair!r} is no FIELD=VALUE", param_hint="--set")
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def _write_one(rendering: Rendering, out: Path | None) -> None:
    from PIL import Image

    from synthtext.dataset.codec import MEASURED
    from synthtext.drawing.contact_sheets import write_image
    from synthtext.spec import spec_to_dict

    out = out or Path(f"{rendering.spec.key}.png")
    write_image(out, Image.fromarray(rendering.pixels))
    height, width = rendering.pixels.shape[:2]
    facts = spec_to_dict(rendering.spec) | {
        "drawn_text": rendering.spec.drawn_text,
        **{name: getattr(rendering, name) for name in MEASURED},
        "image": f"{width}x{height} px",
    }
    print_table(("factor", "value"), [(name, str(value)) for name, value in facts.items()])
    _say(f"wrote {out}")


def _print_counts(out: Path, manifest: dict[str, Any], seconds: float | None = None) -> None:
    counts = manifest["counts"]
    rows = [
        ("images", f"{counts['drawn']:,} of {counts['asked']:,}"),
        ("shrunk to fit", f"{counts['shrunk']:,}"),
        ("duplicates merged", f"{counts['duplicates_merged']:,}"),
        ("shards", f"{counts['shards']:,}"),
        ("bytes", f"{counts['bytes']:,}"),
        ("complete", "yes" if manifest["complete"] else "no"),
    ]
    if seconds is not None:
        rows.append(("images/s", f"{counts['drawn'] / seconds:,.0f}"))
    print_table((str(out), ""), rows)
    for lost in manifest["not_drawn"][:N_NAMED]:
        _say(f"not drawn: {lost['reason']}")
    if counts["not_drawn"] > N_NAMED:
        _say(f"not drawn: {counts['not_drawn']:,} in all; {out}/dataset.json names them")


def _warn_broken(broken: tuple[str, ...]) -> None:
    for reason in broken:
        _say(f"left out: {reason}")


if __name__ == "__main__":
    main()
