"""Commands for your own images: match, matrix, classify, vqa."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from synthtext.storage import parse_local
from synthtext_cli.config_file import ConfigFile
from synthtext_cli.console import (
    fail,
    print_table,
    print_text,
    say,
    show_progress,
    warn_some,
    write_results,
)
from synthtext_cli.options import (
    Device,
    NoVerify,
    Precision,
    Pretrained,
    Results,
    Seed,
    need_probes,
)
from synthtext_cli.runs import Overwrite, check_run, note_run, read_line

MAX_TEXT_CHARS = 1000
"""Maximum length of a text to match."""


Pictures = Annotated[
    list[Path], typer.Argument(help="Images, or folders of images.", metavar="IMAGES...")
]


TextList = Annotated[
    list[str] | None, typer.Option("--texts", help="Texts to rank; one or more.")
]


TextFile = Annotated[
    Path | None, typer.Option("--texts-file", help="File with one text per line.")
]


MatchModel = Annotated[
    str, typer.Option("--model", help="bundled, open_clip name, hf:ORG/NAME, or model folder.")
]


Prompts = Annotated[
    Path | None,
    typer.Option(
        "--prompts", help="File of prompt templates, one per line, with {} for the text."
    ),
]


def match(
    pictures: Pictures,
    *,
    texts: TextList = None,
    texts_file: TextFile = None,
    model: MatchModel = "ViT-B-32",
    pretrained: Pretrained = None,
    prompts: Prompts = None,
    top: Annotated[
        int, typer.Option("--top", help="Number of texts to print for each image.", min=1)
    ] = 5,
    out: Annotated[
        Path,
        typer.Option(
            parser=parse_local, metavar="DIR", help="Folder for match.json and match.png."
        ),
    ] = Path(),
    device: Device = "auto",
) -> None:
    """Print the best matching texts of each image, with their probabilities.

    synthtext match cat.jpg chart.png --texts "a dog" "a cat" "a diagram"
    """
    need_probes()
    from probes.data.images import keep_readable, list_images
    from probes.models.factory import load_model
    from probes.reports.image_grids import draw_bars
    from probes.tasks.matching import describe_entry, match_images

    listed = _list_texts(texts, texts_file)
    files, broken = keep_readable(list_images(pictures))
    warn_some("left out", broken)
    loaded = load_model(model, pretrained=pretrained, device=device)
    entries = match_images(loaded, files, listed, _read_prompts(prompts), n_best=top)
    write_results(
        out, "match", draw_bars(entries), [describe_entry(entry) for entry in entries]
    )
    for entry in entries:
        print_text(entry.title)
        rows = [
            (f"{100 * share:6.2f} %", text)
            for text, share in zip(entry.texts, entry.shares, strict=True)
        ]
        print_table(("", ""), rows)


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
            parser=parse_local, metavar="DIR", help="Folder for matrix.json and matrix.png."
        ),
    ] = Path(),
    device: Device = "auto",
) -> None:
    """Draw the cosine similarities of all images and texts.

    With one text per image, in the same order, recall at 1 and 5 is printed both ways.

    synthtext matrix a.jpg b.jpg --texts-file captions.txt
    """
    need_probes()
    from probes.data.images import keep_readable, list_images, name_file
    from probes.metrics.retrieval import measure_recall
    from probes.models.factory import load_model
    from probes.reports.image_grids import count_left_out, draw_matrix
    from probes.tasks.matching import compare_files

    listed = _list_texts(texts, texts_file)
    files, broken = keep_readable(list_images(pictures))
    warn_some("left out", broken)
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
    write_results(out, "matrix", draw_matrix(thumbnails, listed, cosines), summary)
    if left_out := count_left_out(len(files), len(listed)):
        say(f"{left_out}; matrix.json has them all")
    rows = [
        (way, f"{100 * r.at_1:.1f} %", f"{100 * r.chance_1:.1f} %",
         f"{100 * r.at_5:.1f} %", f"{100 * r.chance_5:.1f} %")
        for way, r in found.items()
    ]  # fmt: skip
    if rows:
        print_table(("", "R@1", "chance", "R@5", "chance"), rows)


def classify(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(help="Class folders, CIFAR-100, or shards with classes.")
    ],
    *,
    out: Results,
    model: MatchModel = "ViT-B-32",
    pretrained: Pretrained = None,
    prompts: Prompts = None,
    split: Annotated[str, typer.Option(help="Split to read, if the data has splits.")] = "test",
    no_verify: NoVerify = False,
    device: Device = "auto",
    precision: Precision = "auto",
    options_file: ConfigFile = None,
    overwrite: Overwrite = False,
) -> None:
    """Classify images zero-shot: top-1 and top-5 accuracy, by class, mistakes, and examples.

    Reads class folders, CIFAR-100 (binary or pickled), and WebDataset shards with
    classnames.txt.

    synthtext classify cifar-100-python --model ViT-B-32 --out results/cifar
    """
    need_probes()
    from probes.data.labelled import read_labelled
    from probes.models.factory import load_model
    from probes.reports.classification import format_accuracy, write_classification
    from probes.tasks.classification import TEMPLATES, classify, tabulate_accuracy

    check_run(context, out, overwrite=overwrite)
    labelled = read_labelled(folder, split, verify=not no_verify)
    own = _read_prompts(prompts) if prompts else ()
    loaded = load_model(model, pretrained=pretrained, device=device, precision=precision)
    templates = own or loaded.prompts or TEMPLATES
    note_run(context, out)
    guesses = classify(loaded, labelled, templates)
    write_classification(guesses, labelled, loaded, templates, out, read_line())
    warn_some("cannot be read", labelled.broken)
    table = format_accuracy(tabulate_accuracy(guesses, len(labelled.names)))
    print_table(table.columns, table.rows)
    say(f"wrote {out / 'report.html'}")


def vqa(
    context: typer.Context,
    *,
    annotations: Annotated[Path, typer.Option(help="TextVQA's JSON of the training split.")],
    val: Annotated[Path, typer.Option(help="TextVQA's JSON of the questions to answer.")],
    images: Annotated[Path, typer.Option(help="Folder with the images of both.")],
    out: Results,
    model: MatchModel = "ViT-B-32",
    pretrained: Pretrained = None,
    candidates: Annotated[
        int,
        typer.Option(
            help="Number of candidate answers, the most frequent of the training split."
        ),
    ] = 10_000,
    windows: Annotated[
        bool, typer.Option(help="Also look for the best answer in windows of each image.")
    ] = True,
    heads: Annotated[
        bool,
        typer.Option(
            help="Also train heads on the frozen embeddings, with and without hard negatives."
        ),
    ] = True,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    options_file: ConfigFile = None,
    overwrite: Overwrite = False,
) -> None:
    """Ask questions that are answered by text in the images, as in TextVQA.

    Reads annotations of versions 0.5.1 and 0.1, and those that render-vqa writes.

    synthtext vqa --annotations train.json --val val.json --images train_images --out res/vqa
    """
    need_probes()
    from probes.models.factory import load_model
    from probes.reports.vqa import list_methods, list_windows_found, verdict, write_vqa
    from probes.vqa.run import VqaConfig, run_vqa

    check_run(context, out, overwrite=overwrite)
    setting = VqaConfig(annotations, val, images, candidates, windows, heads, seed)
    loaded = load_model(model, pretrained=pretrained, device=device, precision=precision)
    note_run(context, out)
    with show_progress(out) as advance:
        done = run_vqa(loaded, setting, out, on_progress=advance)
    write_vqa(done, out, read_line())
    print_text(verdict(done))
    for table in [list_methods(done), *([list_windows_found(done)] if windows else [])]:
        print_table(table.columns, table.rows, table.title)
    warn_some("left out", done.notes)
    say(f"wrote {out / 'report.html'}")


def _list_texts(texts: list[str] | None, file: Path | None) -> list[str]:
    """Return the texts of an option and of a file, without duplicates."""
    from synthtext.texts.words import read_lines

    lines = [line for _, line in read_lines(file, MAX_TEXT_CHARS)] if file else []
    listed = list(dict.fromkeys([*(texts or []), *lines]))
    if not listed:
        fail("no texts were given; add --texts or --texts-file")
    return listed


def _read_prompts(file: Path | None) -> tuple[str, ...]:
    from probes.models.prompts import SLOT, read_templates

    return read_templates(file) if file else (SLOT,)
