"""Entry points ("doors"): every command that reads a file from elsewhere, and that file.

`furnish` makes a folder with a good file of each kind. To test a door, the good file is replaced
by a malformed one of its format, and the command is run.
"""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from commands import write_crops
from forking import Done, Forks
from probes.models.pretrained import READER
from synthtext.drawing.fonts import bundled_folder
from synthtext.recipe import read_recipe
from synthtext.recipe_toml import format_recipe

FONT, OWN_FONT = "VT323_400Regular.ttf", "mine.ttf"
"""A bundled font, and its copy in a folder of user fonts."""

VECTORS = "cache/vectors"
"""Stands for the first file of text vectors that a probe keeps, whose name is a hash."""

BARE = ("tmp", "home", "new", "cache-home")
"""Folders that each command gets for itself."""

N_PIXELS = 3 * 32 * 32

MATCH = "match IN/images/a/a.png --texts cat dog --out OUT --model"

FINETUNE = (
    "finetune --model IN/model --arm scratch --data IN/data --steps 2 --batch-size 4"
    " --save-every 1 --lr 0.001 --out"
)

BLIND = "--model python:fake_encoders:BlindReader"
"""A model that takes no time, where the file is not one of its own."""

PROBE = "probe --model IN/model --n 2 --k 2 --design blur --out"


@dataclass(frozen=True)
class Door:
    """A command, and the file that is replaced by malformed versions.

    Attributes:
        file: path of the file in the furnished folder.
        kind: its format, one of `FORMATS`.
        command: the command line; IN is the furnished folder, OUT a new one.
        codes: exit codes that do not count as a failure.
        closed: whether the good file is refused too, because the command expects another one.
        needs: other files of the furnished folder that the command needs.
    """

    file: str
    kind: str
    command: str
    codes: tuple[int, ...] = (0, 2)
    closed: bool = False
    needs: tuple[str, ...] = ()


DOORS: dict[str, Door] = {
    "a word list": Door("words.txt", "text", "render --words IN/words.txt --count 2 --out OUT"),
    "a vocabulary": Door("words.txt", "text", f"{PROBE} OUT --vocabulary IN/words.txt"),
    "sentences": Door(
        "sentences.tsv", "text", "render --sentences IN/sentences.tsv --count 2 --out OUT"
    ),
    "a recipe": Door("recipe.toml", "TOML", "recipe IN/recipe.toml"),
    "a recipe that is drawn": Door(
        "recipe.toml", "TOML", "render --words en --recipe IN/recipe.toml --count 2 --out OUT"
    ),
    "a font": Door(f"fonts/{OWN_FONT}", "font", "fonts --fonts IN/fonts --sheet OUT/sheet.png"),
    "a font that draws": Door(
        f"fonts/{OWN_FONT}", "font",
        f"render --words en --fonts IN/fonts/{OWN_FONT} --font-category user --count 2 --out OUT",
    ),
    "fonts.toml": Door("fonts/fonts.toml", "TOML", "fonts --fonts IN/fonts"),
    "a photograph": Door(
        "photos/photo.png", "image",
        "render --words en --backgrounds IN/photos --background photo --count 2 --out OUT",
    ),
    "an image to match": Door("images/a/a.png", "image", f"{MATCH} IN/model"),
    "an image of a matrix": Door(
        "images/a/a.png", "image",
        "matrix IN/images/a --texts cat dog --model IN/model --out OUT",
    ),
    "an image of a class": Door(
        "images/a/a.png", "image", "classify IN/images --model IN/model --out OUT"
    ),
    "an image of Rendered SST2": Door(
        "sst2/test/positive/1.png", "image",
        "probe --task sentiment --data IN/sst2 --model IN/model --out OUT",
    ),
    "an image of an attack": Door(
        "attacks/label=cat_text=dog.png", "image",
        "probe --task attack --data IN/attacks --model IN/model --out OUT",
    ),
    "a table of attacks": Door(
        "listed/metadata.jsonl", "JSON",
        "probe --task attack --data IN/listed --model IN/model --out OUT",
    ),
    "CIFAR-100": Door("cifar/test.bin", "bytes", "classify IN/cifar --model IN/model --out OUT"),
    "names of CIFAR-100": Door(
        "cifar/fine_label_names.txt", "text", "classify IN/cifar --model IN/model --out OUT"
    ),
    "pickles of CIFAR-100": Door(
        "pickles/test", "pickle", "classify IN/pickles --model IN/model --out OUT"
    ),
    "texts": Door("texts.txt", "text", f"{MATCH} IN/model --texts-file IN/texts.txt"),
    "prompts": Door("prompts.txt", "text", f"{MATCH} IN/model --prompts IN/prompts.txt"),
    **{
        f"a shard, {command.split()[0]}": Door(
            "data/test/000000.tar", "tar", command, codes=(0, 1, 2)
        )
        for command in (
            "verify IN/data", "preview IN/data --no-verify --sheet OUT/sheet.png",
            "show IN/data 000000011 --no-verify --out OUT/a.png", "index IN/data --no-verify",
            "export IN/data --no-verify --to folder --out OUT/new",
            "classify IN/data --no-verify --model IN/model --out OUT",
            "probe --data IN/data --no-verify --k 2 --model IN/model --out OUT",
            f"score IN/data --no-verify {BLIND} --out OUT/new",
        )
    },
    "a shard, mixed in": Door("mix/000000.tar", "tar", f"{FINETUNE} OUT --mix IN/mix"),
    **{
        f"dataset.json, {command.split()[0]}": Door(
            "data/dataset.json", "JSON", command, codes=(0, 1, 2)
        )
        for command in (
            "verify IN/data", "merge IN/data --out OUT/new",
            f"score IN/data --no-verify {BLIND} --out OUT/new",
        )
    },
    "classnames.txt": Door(
        "data/classnames.txt", "text", "classify IN/data --model IN/model --out OUT"
    ),
    "classnames.txt, score": Door(
        "data/classnames.txt", "text", f"score IN/data --no-verify {BLIND} --out OUT/new"
    ),
    "classnames.txt, merge": Door(
        "data/classnames.txt", "text", "merge IN/data --out OUT/new", codes=(0, 1, 2)
    ),
    "classnames.txt, export": Door(
        "data/classnames.txt", "text",
        "export IN/data --no-verify --to clip-benchmark --out OUT/new",
    ),
    "annotations to draw": Door(
        "signs/val.json", "JSON",
        "render-vqa --annotations IN/signs/val.json --out OUT",
    ),
    "annotations to ask": Door(
        "signs/val.json", "JSON",
        "vqa --annotations IN/signs/train.json --val IN/signs/val.json --images IN/signs/images"
        f" --no-heads --no-windows --candidates 20 {BLIND} --out OUT",
    ),
    "a config": Door("model/open_clip_config.json", "JSON", f"{MATCH} IN/model"),
    "a tokenizer": Door("model/tokenizer.json", "bytes", f"{MATCH} IN/model"),
    "a tokenizer's config": Door("model/tokenizer_config.json", "JSON", f"{MATCH} IN/model"),
    "weights": Door("model/open_clip_model.safetensors", "safetensors", f"{MATCH} IN/model"),
    "weights of torch": Door(
        "weights.pt", "pickle",
        f"{MATCH} IN/model/open_clip_config.json --pretrained IN/weights.pt", closed=True,
    ),
    "an answer of the hub": Door(
        "hub/models--a--b/snapshots/0/open_clip_config.json", "JSON", f"{MATCH} hf-hub:a/b"
    ),
    "a checkpoint": Door("run/checkpoint.pt", "pickle", f"{FINETUNE} IN/run"),
    "outcomes": Door(
        "results/outcomes.parquet", "Parquet", "compare IN/results IN/results --out OUT/a.csv"
    ),
    "outcomes of a leaderboard": Door(
        "results/outcomes.parquet", "Parquet",
        "compare IN/results IN/results IN/results --out OUT",
    ),
    "outcomes of a page": Door(
        "results/outcomes.parquet", "Parquet",
        "preview IN/data --html OUT/a.html --outcomes IN/results", closed=True,
    ),
    "a table of guesses": Door(
        "guesses.csv", "text", "import IN/guesses.csv --by area --out OUT"
    ),
    "Parquet of guesses": Door(
        "guesses.parquet", "Parquet", "import IN/guesses.parquet --by area --out OUT"
    ),
    "responses": Door(
        "responses.csv", "text",
        "probe --model responses:IN/responses.csv --n 2 --k 2 --design blur --out OUT",
        closed=True,
    ),
    "a list of models": Door(
        "models.txt", "text", "probe --models IN/models.txt --n 2 --k 2 --design blur --out OUT",
        needs=("model",),
    ),
    "options": Door("run.toml", "TOML", f"{PROBE} OUT --config IN/run.toml"),
    "crops of a fit": Door(
        "crops/00.png", "image", "fit IN/crops --count 100 --rounds 1 --out OUT/a.toml"
    ),
    "text vectors": Door(VECTORS, "vectors", f"{PROBE} OUT"),
    "image vectors": Door("begun/.vectors/000000.vectors", "vectors", f"{PROBE} IN/begun"),
}  # fmt: skip

OWN = {
    "a shard, index": ("data",), "dataset.json, merge": ("data",),
    "classnames.txt, merge": ("data",), "a checkpoint": ("run",),
    "image vectors": ("begun",),
}  # fmt: skip
"""Folders that these commands may write to besides OUT."""


def environment_of(folder: Path) -> dict[str, str]:
    """Return environment variables that keep a command within a folder."""
    return {
        "HOME": str(folder / "home"), "XDG_CACHE_HOME": str(folder / "cache-home"),
        "TMPDIR": str(folder / "tmp"), "HF_HOME": str(folder / "home"),
        "HF_HUB_CACHE": str(folder / "hub"), "HF_HUB_OFFLINE": "1",
        "FAULTS_MARKER": str(folder / "code-ran"),
    }  # fmt: skip


def fill_words(command: str, folder: Path) -> list[str]:
    """Return the arguments of a command with the paths of a folder."""
    return [
        word.replace("IN/", f"{folder}/", 1) if "IN/" in word
        else word.replace("OUT", str(folder / "new"), 1) if word.startswith("OUT")
        else word
        for word in command.split()
    ]  # fmt: skip


def furnish(folder: Path, forks: Forks, *, is_trained: bool) -> None:
    """Put a good file of each kind into a folder; commands write those of synthtext itself.

    Args:
        folder: an empty folder.
        forks: runs the commands.
        is_trained: whether a checkpoint is needed, which takes the longest.
    """
    for name in BARE:
        (folder / name).mkdir()
    _write_texts(folder)
    _write_images(folder)
    write_crops(_make(folder / "crops"))
    shutil.copy(bundled_folder() / FONT, _make(folder / "fonts") / OWN_FONT)
    rows = (bundled_folder() / "fonts.toml").read_text(encoding="utf-8").split("[[font]]")
    row = next(row for row in rows if f'file = "{FONT}"' in row)
    row = row.replace(FONT, OWN_FONT)
    (folder / "fonts/fonts.toml").write_text(f"[[font]]{row}", encoding="utf-8")
    snapshot = _make(folder / "hub/models--a--b/snapshots/0")
    _make(folder / "hub/models--a--b/refs").joinpath("main").write_text("0")
    for path in READER.glob("*.*"):
        shutil.copy(path, _make(folder / "model"))
        shutil.copy(path, snapshot)
    known = _make(folder / "hub/models--bytes/snapshots/0")
    _make(folder / "hub/models--bytes/refs").joinpath("main").write_text("0")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(READER / name, known)
    shutil.copy(folder / "model/open_clip_model.safetensors", folder / "weights.pt")
    for command in (
        "render --words IN/words.txt --count 12 --splits 0.4,0.3,0.3 --out IN/data",
        "render-vqa --words IN/words.txt --count 40 --out IN/signs",
        f"{PROBE} IN/results",
        *([f"{FINETUNE} IN/run"] if is_trained else []),
    ):
        _run(command, folder, forks)
    shutil.copytree(folder / "data/train", folder / "mix")
    found = min((folder / "cache-home/synthtext/texts").iterdir())
    _make(folder / "cache").joinpath("vectors").write_bytes(found.read_bytes())
    _make(folder / "begun/.vectors").joinpath("000000.vectors").write_bytes(found.read_bytes())
    # With a checksum, every changed file would be refused before it is parsed.
    manifest = json.loads((folder / "data/dataset.json").read_bytes())
    manifest.pop("checksum", None)
    (folder / "data/dataset.json").write_text(json.dumps(manifest))


def copy_needed(door: Door, furnished: Path, folder: Path) -> None:
    """Copy what a door needs from a furnished folder into a new one."""
    for name in BARE:
        (folder / name).mkdir(parents=True)
    words = [word.split("/")[1] for word in door.command.split() if "IN/" in word]
    kept = "cache-home" if door.file == VECTORS else Path(door.file).parts[0]
    for name in {kept, *words, *door.needs}:
        source, target = furnished / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)


def find_file(door: Door, folder: Path) -> Path:
    """Return the path of the file of a door; that of text vectors is named by a hash."""
    if door.file != VECTORS:
        return folder / door.file
    return min((folder / "cache-home/synthtext/texts").iterdir())


def _make(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _run(command: str, folder: Path, forks: Forks) -> Done:
    words, environment = fill_words(command, folder), environment_of(folder)
    done = forks.run(words, folder, environment, wait_s=600.0)
    assert done.code == 0, (command, done)
    return done


def _write_texts(folder: Path) -> None:
    words = [
        "cat",
        "dog",
        "emu",
        "horse",
        "ant",
        "bee",
        "cow",
        "hen",
        "pig",
        "rat",
        "owl",
        "ape",
    ]
    recipe = "\n".join(
        line for line in format_recipe(read_recipe("default")).splitlines() if line[:1] != "#"
    )
    guesses = ["key,truth,guess,area", *(f"{k},a,{'ab'[k % 2]},{k / 9}" for k in range(9))]
    for name, text in {
        "words.txt": "\n".join(words), "recipe.toml": recipe, "texts.txt": "cat\ndog",
        "run.toml": 'task = "words"\nseed = 1\nbatch_size = 4', "models.txt": f"'{folder / 'model'}'",
        "responses.csv": "key,answer\na,b", "guesses.csv": "\n".join(guesses),
        "sentences.tsv": "sentence\tlabel\nIt 's good .\t1\ndull\t0", "prompts.txt": "a {}.",
    }.items():  # fmt: skip
        (folder / name).write_text(text + "\n", encoding="utf-8")
    pd.read_csv(folder / "guesses.csv", dtype=str).to_parquet(folder / "guesses.parquet")


def _write_images(folder: Path) -> None:
    chance = np.random.default_rng(0)
    places = ["photos/photo.png", "images/a/a.png", "images/a/c.png", "images/b/b.png"]
    places += [f"sst2/test/{label}/{k}.png" for label in ("positive", "negative") for k in "12"]
    places += ["attacks/label=cat_text=dog.png", "attacks/label=dog_text=emu.png"]
    places += ["listed/1.png"]
    for place in places:
        pixels = chance.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(_make((folder / place).parent) / Path(place).name)
    row = {"file_name": "1.png", "object_label": "cat", "attack_word": "dog", "type": "SCAM"}
    (folder / "listed/metadata.jsonl").write_text(json.dumps(row))
    raw = bytes([0, 1]) + bytes(N_PIXELS) + bytes([0, 0]) + bytes(N_PIXELS)
    names = [f"class {chr(97 + k // 26)}{chr(97 + k % 26)}" for k in range(100)]
    (_make(folder / "cifar") / "test.bin").write_bytes(raw)
    listed = "\n".join(name.replace(" ", "_") for name in names)
    (folder / "cifar/fine_label_names.txt").write_text(listed + "\n")
    labels = {"data": np.zeros((2, N_PIXELS), np.uint8), "fine_labels": [1, 0]}
    (_make(folder / "pickles") / "test").write_bytes(pickle.dumps(labels, protocol=2))
    meta = {"fine_label_names": [name.replace(" ", "_") for name in names]}
    (folder / "pickles/meta").write_bytes(pickle.dumps(meta, protocol=2))
