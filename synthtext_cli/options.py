"""Options that commands share, and functions that parse their values."""

from __future__ import annotations

import functools
import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthtext.storage import parse_folder, parse_local
from synthtext_cli.console import fail, print_table, say, warn_broken, warn_some

if TYPE_CHECKING:
    from synthtext.dataset.plan import Plan
    from synthtext.drawing.rendering import Rendering


def parse_png(text: str) -> Path:
    """Return the path of a PNG file to write, checked before any work is done."""
    return parse_file(text, ".png")


def parse_html(text: str) -> Path:
    """Return the path of an HTML file to write, checked before any work is done."""
    return parse_file(text, ".html")


def parse_file(text: str, suffix: str) -> Path:
    """Return the path of a file to write, checked before any work is done."""
    path = parse_local(text)
    if path.suffix.lower() != suffix:
        fail(f"{path} would be written as {suffix[1:].upper()}; give a name with {suffix}")
    if path.is_dir() or not path.parent.is_dir():
        fail(f"{path} cannot be written as a file; give a name in a folder that exists")
    return path


Words = Annotated[
    str | None,
    typer.Option(
        "--words",
        help="File with one word per line, the bundled list en, or lang:de:20000 for the most "
        "frequent words of a language. [en]",
    ),
]


Pattern = Annotated[
    str | None,
    typer.Option(
        "--pattern",
        help="Regular expression that texts match, such as '[A-Z]{2}-\\d{4}', or dates, "
        "iso-dates, times, prices, phones, plates, ids, pseudowords.",
    ),
]


Sentences = Annotated[
    str | None,
    typer.Option(
        "--sentences",
        help="TSV with columns sentence and label, a folder of splits, or reviews (bundled).",
    ),
]


Seed = Annotated[int, typer.Option(help="Random seed, 0 or more.")]


RecipeSource = Annotated[
    str, typer.Option("--recipe", help="TOML file, or name of a bundled recipe (see `recipe`).")
]


FONTS_HELP = (
    "Folder of .ttf and .otf files to add to the bundled fonts, or `scripts` for Noto fonts of"
    " 13 more scripts."
)

FontFolder = Annotated[Path | None, typer.Option("--fonts", help=FONTS_HELP)]


DrawnFonts = Annotated[
    Path | None,
    typer.Option(
        "--fonts", help=f"{FONTS_HELP} With --font-category user, only your own are used."
    ),
]


PhotoFolder = Annotated[
    Path | None,
    typer.Option("--backgrounds", help="Folder of photographs for backgrounds and fills."),
]


Folder = Annotated[
    Path,
    typer.Argument(parser=parse_folder, help="Dataset written by `render`.", metavar="DIR"),
]


NoVerify = Annotated[
    bool, typer.Option("--no-verify", help="Read shards even if their checksums do not match.")
]


Pretrained = Annotated[
    str | None, typer.Option(help="Weights: open_clip tag, file, TAG=FILE, or random.")
]


Results = Annotated[
    Path, typer.Option(parser=parse_local, metavar="DIR", help="Folder for the results.")
]


Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]


Precision = Annotated[str, typer.Option(help="auto, fp32 or bf16; auto is bf16 on a GPU.")]


BatchSize = Annotated[int, typer.Option(help="Images or texts per batch.", min=1)]


Compiled = Annotated[
    bool, typer.Option("--compile", help="Compile the encoders with torch.compile.")
]


def with_factors(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with an option for every entry of a recipe.

    The command receives the given ones as `edits`, a dict.
    """
    from synthtext.factors import FACTORS, SETTINGS, option_name

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


def choose_words(words: str | None, pattern: str | None) -> str | None:
    """Return the source of words from whichever of two options is given."""
    if words is not None and pattern is not None:
        fail("give either --words or --pattern, not both")
    return words if pattern is None else f"pattern:{pattern}"


def make_plan(
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
    """Return the plan that the options describe; broken files are reported and left out."""
    from synthtext.dataset.plan import make_plan, read_texts
    from synthtext.drawing.fonts import read_catalogue
    from synthtext.drawing.photos import read_photos
    from synthtext.recipe import edit_recipe, list_values, read_recipe

    edited = edit_recipe(read_recipe(recipe), edits)
    papers = str(edited.draws["background"])
    listed = list_values(edited, "background")
    if backgrounds and "background" not in edits and "photo" not in listed:
        # If photographs are given, they are as frequent as each other background.
        edited = edit_recipe(edited, {"background": f"{papers},photo"})
    texts = read_texts(words, sentences, edited, count=count, seed=seed)
    catalogue = read_catalogue(fonts)
    warn_broken(catalogue.broken)
    photos = read_photos(backgrounds) if backgrounds else None
    warn_some("left out", photos.broken if photos else ())
    return make_plan(edited, texts, catalogue, seed=seed, count=count, photos=photos)


def cover_plan(
    plan: Plan, n_each: int | None, alphabet: str | None, *, count: int | None
) -> Plan:
    """Return the plan with the texts that an alphabet needs; unchanged if none is asked for."""
    from synthtext.dataset.covering import cover_alphabet
    from synthtext.texts.alphabets import read_alphabet

    if n_each is None:
        if alphabet is not None:
            fail("--alphabet works only with --cover; add --cover 10, or leave it out")
        return plan
    chars = None if alphabet is None else read_alphabet(alphabet)
    return cover_alphabet(plan, chars, n_each, count=count)


def need_probes() -> None:
    """Fail with the install command if packages needed by probes are missing."""
    for package in ("torch", "open_clip", "pandas", "sklearn"):
        if importlib.util.find_spec(package) is None:
            fail(f"this command needs {package}; run: pip install 'synthtext[probe]'")


def write_one(rendering: Rendering, out: Path | None) -> None:
    """Print the factors of an image and write it to a PNG file."""
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
    say(f"wrote {out}")
