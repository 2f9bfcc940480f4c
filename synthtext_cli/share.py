"""Commands for other tools: export, index, push."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synthtext.storage import parse_local
from synthtext_cli.console import print_table, say, show_progress, warn_broken, warn_some
from synthtext_cli.options import Folder, FontFolder, NoVerify


def export(
    folder: Folder,
    *,
    to: Annotated[
        str,
        typer.Option(
            help="folder, parquet, lmdb, doctr, paddleocr, mmocr, easyocr, tesstrain, icdar,"
            " totaltext, coco, yolo, yolo-obb, yolo-seg, page, alto, vlmeval, lmms-eval or"
            " clip-benchmark."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            parser=parse_local, metavar="DIR", help="Folder to write; it must not exist yet."
        ),
    ],
    crops: Annotated[
        bool,
        typer.Option(
            "--crops", help="Write upright crops of all words instead of whole images."
        ),
    ] = False,
    no_verify: NoVerify = False,
) -> None:
    """Write a dataset in the format of another tool, split by split.

    synthtext export data/words --to lmdb --crops --out data/words-lmdb
    """
    from synthtext.export.export import export_dataset

    with show_progress(out, resumes=False) as advance:
        counts = export_dataset(
            folder, out, to, crops=crops, verify=not no_verify, on_progress=advance
        )
    print_table((str(out), "images"), [(split, f"{n:,}") for split, n in counts.items()])


def index(folder: Folder, *, no_verify: NoVerify = False) -> None:
    """Write an index for each split, so that wids finds samples by number.

    synthtext index data/words
    """
    from synthtext.dataset.wids_index import index_shards

    for path in index_shards(folder, verify=not no_verify):
        say(f"wrote {path}")


def push(
    folder: Annotated[
        Path,
        typer.Argument(parser=parse_local, help="Dataset written by `render`.", metavar="OUT"),
    ],
    repo: Annotated[str, typer.Argument(help="Dataset repository.", metavar="ORG/NAME")],
    *,
    private: Annotated[
        bool, typer.Option("--private", help="Make a new repository private.")
    ] = False,
    branch: Annotated[
        str | None, typer.Option(help="Branch, created if it is missing. [main]")
    ] = None,
    fonts: FontFolder = None,
) -> None:
    """Send a finished dataset to the Hugging Face hub, as a dataset repository with a card.

    The token is the one that `hf auth login` stored, or HF_TOKEN. Files that the repository
    already has with the same content are not sent again.

    synthtext push data/words my-org/words --private
    """
    from synthtext.drawing.fonts import read_catalogue
    from synthtext.export.push import push_dataset

    catalogue = read_catalogue(fonts)
    warn_broken(catalogue.broken)
    with show_progress(repo) as advance:
        pushed = push_dataset(
            folder, repo, fonts=catalogue, private=private, branch=branch, on_progress=advance
        )
    warn_some("not part of this dataset, and left in the repository", pushed.strays)
    print_table(
        (pushed.url, "files"),
        [("sent", f"{pushed.n_sent:,}"), ("already there", f"{pushed.n_kept:,}")],
    )
