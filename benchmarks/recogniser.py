"""A small recogniser trained on the words of several generators, with equal numbers of steps.

    python benchmarks/recogniser.py PEERS OUT [--ours ocr-crops street mine.toml] [--seeds 3]
        [--real NAME=DIR ...] [--only-real] [--taught-by NAME=DIR ...] [--drawings 3]
        [--count 6000] [--steps 2000] [--words FILE] [--bfloat16]

A CRNN (convolutions, a recurrent layer, CTC) is trained from random weights on images of the
same words in the same fonts, as drawn by each of our recipes and each peer. It then reads words
that it was not trained on, as drawn by every generator, and real words from folders with
ICDAR's `gt.txt` (`word_1.png, "Text"`). `--taught-by` also trains on such a folder, which shows
how far real training words go. PEERS is where `make peers` installed the other generators, each
used as released: TRDG with the effects of its command line, SynthTIGER with the template,
configuration, colour map and textures of its repository, neots with its minimal configuration,
docTR-Synth-Generator with its defaults and the backgrounds of its repository. Images and
results are kept in OUT, so that a run that was stopped continues. A second table has the
differences from each peer on the same words. `--only-real` leaves out the words that the
generators draw, and `--drawings 1` trains every seed on the same images, for when drawing takes
longer than training. `--bfloat16` is for GPUs: on a CPU, even one with instructions for it, so
small a network takes a third longer with it. In the first quarter of the steps the letters are
assumed to be spread evenly over the image, because CTC alone aligns them slowly.

A recipe of `synthtext fit` draws its own list of words, if that lies beside it. To compare it
on the same words, name a copy of the recipe without the list, or train the others on its list:
`--words mine/words.txt`, with another OUT.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from crnn import Errors, Images, Size, Training, count_errors, read, train
from rich.console import Console
from rich.table import Table

from synthtext.dataset.codec import encode_pixels
from synthtext.dataset.map_style import stream
from synthtext.drawing.fonts import bundled_folder
from synthtext.errors import DrawError
from synthtext.texts.words import read_words

SCRIPTS = Path(__file__).parent / "peers"

SIZE = Size(
    height_px=32, width_px=100, widths=(1, 24, 48, 80, 96, 128),
    strides=((2, 2), (2, 2), (2, 1), (2, 1), (2, 1)), hidden=96, rate=3e-3,
)  # fmt: skip

N_TEST = 1000

N_DRAWS = 2000

PEERS = {
    "TRDG": ("trdg", "trdg_crops.py", ()),
    "SynthTIGER": ("synthtiger", "synthtiger_template.py", ("synthtiger-source",)),
    "neots": ("neots", "neots_crops.py", ()),
    "docTR-Synth": ("doctr", "doctr_crops.py", ("doctr-source",)),
}
"""The environment of each peer, the script that runs it, and folders that the script needs."""


def draw(name: str, words: Path, out: Path, n: int, peers: Path, seed: int) -> Path:
    """Return a folder with n word images and `gt.txt`, drawn by a recipe of ours or a peer."""
    if (out / "gt.txt").exists():
        return out
    out.mkdir(parents=True, exist_ok=True)
    if name in PEERS:
        environment, script, needed = PEERS[name]
        subprocess.run(
            [peers / environment / "bin/python", SCRIPTS / script, words, bundled_folder(),
             out, str(n), str(seed), *(peers / each for each in needed)],
            check=True, capture_output=True,
        )  # fmt: skip
        return out
    lines = []
    # Beside a recipe of `synthtext fit` is a list of words with the lengths that it found.
    own = Path(name).with_suffix("") / "words.txt"
    words = own if own.exists() else words
    edits = {"splits": "1,0,0"}
    images = stream(name, str(words), count=n, seed=seed, edits=edits, errors="raise")
    for index in range(n):
        try:
            rendering = images[index]
        except DrawError:  # The word is too short for its arc, or leaves no ink.
            continue
        quality = rendering.spec.jpeg_quality
        (out / f"{index}.jpg").write_bytes(encode_pixels(rendering.pixels, "jpg", quality))
        lines.append(f'{index}.jpg, "{rendering.spec.drawn_text}"\n')
    (out / "gt.txt").write_text("".join(lines))
    return out


def describe(errors: Errors, texts: Sequence[str]) -> str:
    """Return word accuracy and character error rate, with 95 % intervals over words and seeds.

    Args:
        errors: numbers of wrong characters, int64 (seeds, words).
        texts: the words.
    """
    n_seeds, n_words = errors.shape
    lengths = np.array([len(text) for text in texts])
    rng = np.random.default_rng(0)
    found = []
    for _ in range(N_DRAWS):
        seeds, words = rng.integers(0, n_seeds, n_seeds), rng.integers(0, n_words, n_words)
        drawn = errors[seeds][:, words]
        found.append(((drawn == 0).mean(), drawn.mean() / lengths[words].mean()))
    low, high = np.quantile(np.array(found), [0.025, 0.975], axis=0)
    values = (errors == 0).mean(), errors.mean() / lengths.mean()
    words_right, characters = (
        f"{100 * value:.1f} ({100 * a:.1f} to {100 * b:.1f})"
        for value, a, b in zip(values, low, high, strict=True)
    )
    return f"{words_right}; {characters}"


def describe_difference(errors: Errors, others: Errors) -> str:
    """Return word accuracy minus that of another source on the same words, in points.

    The 95 % interval resamples words, which both have read, and the seeds of each.

    Args:
        errors: numbers of wrong characters, int64 (seeds, words).
        others: the same of the other source.
    """
    rng = np.random.default_rng(0)
    found = []
    for _ in range(N_DRAWS):
        words = rng.integers(0, errors.shape[1], errors.shape[1])
        one, other = (
            (each[rng.integers(0, len(each), len(each))][:, words] == 0).mean()
            for each in (errors, others)
        )
        found.append(one - other)
    low, high = np.quantile(found, [0.025, 0.975])
    value = (errors == 0).mean() - (others == 0).mean()
    return f"{100 * value:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def write_words(out: Path) -> tuple[Path, Path]:
    """Return a file of words to train on and one of held-out words."""
    listed = [
        word
        for word in read_words("en").items
        if word.isascii() and word.isalpha() and 3 <= len(word) <= 12
    ]
    out.mkdir(parents=True, exist_ok=True)
    taught, new = out / "taught.txt", out / "new.txt"
    taught.write_text("\n".join(word for k, word in enumerate(listed) if k % 10))
    new.write_text("\n".join(listed[::10]))
    return taught, new


def parse_folders(pairs: Sequence[str]) -> dict[str, Path]:
    """Return folders by name, from NAME=DIR."""
    return {name: Path(folder) for name, _, folder in (pair.partition("=") for pair in pairs)}


def parse_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peers", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--ours", nargs="*", default=["ocr-crops", "street"])
    parser.add_argument("--rivals", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--real", nargs="*", default=[], metavar="NAME=DIR")
    parser.add_argument("--taught-by", nargs="*", default=[], metavar="NAME=DIR")
    parser.add_argument("--words", type=Path, help="the list to train on, one word per line")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--drawings", type=int)
    parser.add_argument("--only-real", action="store_true")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bfloat16", action="store_true")
    return parser.parse_args()


def main() -> None:
    """Draw, train and test; print a row for each source, with a column for each test."""
    given = parse_options()
    out: Path = given.out
    dtype = torch.bfloat16 if given.bfloat16 else torch.float32
    how = Training(given.steps, given.device, dtype)
    taught, new = write_words(out)
    listed = given.words or taught
    generators = [*given.ours, *given.rivals]
    tests = {
        name: read(
            draw(name, new, out / f"{Path(name).stem}-test", N_TEST, given.peers, 10**6), SIZE
        )
        for name in ([] if given.only_real else generators)
    }
    tests |= {name: read(folder, SIZE) for name, folder in parse_folders(given.real).items()}
    real = parse_folders(given.taught_by)
    errors: dict[str, dict[str, Errors]] = {}
    for source in [*generators, *real]:
        found = []
        for seed in range(given.seeds):
            drawing = seed % (given.drawings or given.seeds)
            folder = real.get(source) or draw(
                source, listed, out / f"{Path(source).stem}-{given.count}-{drawing}",
                given.count, given.peers, drawing,
            )  # fmt: skip
            found.append(measure(folder, tests, how, seed, out))
        errors[source] = {title: np.array([each[title] for each in found]) for title in tests}
    print_tables(errors, tests, given.rivals)


def print_tables(
    errors: dict[str, dict[str, Errors]],
    tests: dict[str, tuple[Images, list[str]]],
    rivals: Sequence[str],
) -> None:
    """Print a row for each source with a column for each test, and differences from peers."""
    table = Table("trained on", *(f"{title}: words, %; CER, %" for title in tests))
    for source, rows in errors.items():
        table.add_row(
            Path(source).name, *(describe(rows[title], tests[title][1]) for title in tests)
        )
    console = Console(width=60 + 40 * len(tests))
    console.print(table)
    for rival in rivals:
        table = Table(f"minus {rival}", *(f"{title}: words, points" for title in tests))
        for source in [each for each in errors if each != rival]:
            pairs = [(errors[source][title], errors[rival][title]) for title in tests]
            table.add_row(Path(source).name, *(describe_difference(*pair) for pair in pairs))
        console.print(table)


def measure(
    folder: Path,
    tests: dict[str, tuple[Images, list[str]]],
    how: Training,
    seed: int,
    out: Path,
) -> dict[str, list[int]]:
    """Return the number of wrong characters in every word of every test, cached in OUT."""
    gt = (folder / "gt.txt").read_bytes()
    asked = hashlib.sha256(
        gt + f"{folder.name} {sorted(tests)} {how} {seed}".encode()
    ).hexdigest()[:16]
    file = out / f"errors-{asked}.json"
    if not file.exists():
        model = train(*read(folder, SIZE), SIZE, how=how, seed=seed)
        found = {
            name: count_errors(model, *test, how.device).tolist()
            for name, test in tests.items()
        }
        file.write_text(json.dumps(found))
        right = {name: f"{100 * np.mean(np.array(e) == 0):.1f}" for name, e in found.items()}
        print(folder.name, f"seed {seed}", right, flush=True)
    kept: dict[str, list[int]] = json.loads(file.read_text())
    return kept


if __name__ == "__main__":
    main()
