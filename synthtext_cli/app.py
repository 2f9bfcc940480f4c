"""The command line: the commands in their groups, and how errors are reported."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NoReturn

import typer

from synthtext.errors import SynthtextError
from synthtext.signals import Stopped, catch_signals
from synthtext_cli import (
    compare,
    draw,
    fitting,
    images,
    imported,
    look,
    models,
    probe,
    scored,
    share,
    train,
)
from synthtext_cli.console import (
    LOG_EVERY_S,
    explain,
    fail,
    open_streams,
    print_text,
    start_logging,
    stop,
)

USAGE_ERROR: Any = typer.BadParameter.__base__
"""The error of a wrong option, whether or not typer includes its own copy of click."""

app = typer.Typer(
    name="synthtext",
    help="Render text images and measure how well models read them.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _show_version(asked: bool) -> None:  # noqa: FBT001 - typer passes it by position.
    if asked:
        from importlib.metadata import version

        print_text(f"synthtext {version('synthtext')}")
        raise typer.Exit


@app.callback()
def _take_options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version and exit.",
            is_eager=True,
            callback=_show_version,
        ),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log every step, with the time.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print results and warnings only.")
    ] = False,
    log_every: Annotated[
        float,
        typer.Option(
            metavar="S",
            help="Seconds between progress lines. [30]",
            min=0,
            show_default=False,
        ),
    ] = 30.0,
) -> None:
    """Take the options that precede a command."""
    if verbose and quiet:
        fail("--verbose and --quiet contradict each other; give one of them")
    LOG_EVERY_S.set(log_every)
    start_logging(verbose=verbose, quiet=quiet)


COMMANDS = {
    "Render": (
        (draw.render, "render", "Render shards: render --words en --out data/words"),
        (draw.render_vqa, "render-vqa", "Scenes with questions: render-vqa --out data/s"),
        (draw.merge, "merge", "Join the parts of a run: merge a b --out all"),
        (draw.draw, "draw", "Redraw an image: draw --from OUT KEY --set blur_px=4"),
        (draw.print_recipe, "recipe", "Print a recipe: recipe > mine.toml"),
        (fitting.fit, "fit", "Fit a recipe to crops: fit crops/ --out mine.toml"),
        (draw.words, "words", "List words: words --lang de --top 20000"),
        (draw.fonts, "fonts", "List fonts: fonts --sheet fonts.png"),
    ),
    "Inspect": (
        (look.preview, "preview", "Contact sheet: preview OUT --sheet sheet.png"),
        (look.gallery, "gallery", "Every factor at its levels: gallery --out all.png"),
        (look.stats, "stats", "Statistics: stats OUT"),
        (look.show, "show", "Show an image: show OUT KEY"),
        (look.verify, "verify", "Check every file: verify OUT"),
    ),
    "Measure": (
        (probe.probe, "probe", "Probe a model: probe --model ViT-L-14 --out res"),
        (compare.compare, "compare", "Compare results: compare res/a res/b res/c"),
        (imported.import_table, "import", "Import answers: import FILE --out res"),
        (scored.score, "score", "Score each image: score OUT --model M --out B"),
        (images.match, "match", 'Rank texts: match a.jpg --texts "a dog"'),
        (images.matrix, "matrix", "Similarity matrix: matrix *.jpg --texts-file F"),
        (images.classify, "classify", "Classify images: classify DIR --out res/c"),
        (images.vqa, "vqa", "Answer questions: vqa --annotations T --val V --images D"),
        (models.experiments, "experiments", "List experiments: experiments"),
        (models.models, "models", "List models: models --find ViT-B"),
        (models.bench, "bench", "Throughput: bench --probe --model ViT-B-32"),
    ),
    "Train and export": (
        (train.finetune, "finetune", "Fine-tune: finetune --model X --data OUT --out DIR"),
        (share.export, "export", "Convert: export OUT --to lmdb --out DIR"),
        (share.index, "index", "Index for wids: index OUT"),
        (share.push, "push", "Upload to Hugging Face: push OUT ORG/NAME"),
    ),
}
"""Each group of commands: function, name and example."""

for group, commands in COMMANDS.items():
    for command, name, example in commands:
        app.command(name, rich_help_panel=group, short_help=example)(command)


def main() -> NoReturn:
    """Run the command line; a failure that a user can fix is one line and exit code 2."""
    open_streams()
    words = sys.argv[1:]
    if sys.platform == "win32":
        fail("Windows is not supported; use Linux, or WSL on Windows")
    try:
        _check_words(words)
        with catch_signals():
            code = _make_command(words)(_repeat("--texts", words), standalone_mode=False)
        sys.exit(code)
    except Stopped as stopped:
        stop(stopped)
    except SynthtextError as error:
        fail(str(error))
    except USAGE_ERROR as error:
        # Without arguments, the help has been shown instead.
        if words:
            fail(error.format_message())
        sys.exit(2)
    except OSError as error:
        fail(explain(error))


def _check_words(words: Sequence[str]) -> None:
    """Refuse arguments that cannot be written to JSON or passed to a model."""
    for word in words:
        if not word.isprintable() and any("\ud800" <= char <= "\udfff" for char in word):
            given = os.fsencode(word).decode("utf-8", "backslashreplace")
            fail(f"the argument '{given}' is not UTF-8; rename the file, or type it in UTF-8")


def _make_command(words: Sequence[str]) -> Callable[..., int | None]:
    """Return the whole command line as one command, with help texts shown literally."""
    command = typer.main.get_command(app)
    if not words or {"-h", "--help"} & set(words):
        from rich.markup import escape

        for option in command.params:
            # Its long default text would push the commands off the screen.
            if option.name == "install_completion":
                option.help = "Install completion for this shell."  # type: ignore[attr-defined]
            option.hidden = option.name == "show_completion"  # type: ignore[attr-defined]
        for each in command.commands.values():  # type: ignore[attr-defined]
            for option in each.params:
                # Rich would treat [0:4] as markup, and show nothing.
                option.help = escape(getattr(option, "help", None) or "")
    return command


def _repeat(option: str, words: list[str]) -> list[str]:
    """Return a command line in which an option precedes each of its values.

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
