"""Twenty languages: accuracy of clusters and quads, and of Tesseract reading the words.

For each language the most frequent words according to wordfreq are drawn, in a Noto or a
bundled font. The table gives how many of them the font cannot write, how often HarfBuzz forms
the grapheme clusters of Unicode (UAX 29, as implemented by `regex`), how far ink extends beyond
the quads of its word, and the error rate of Tesseract if its data for the language are
installed. No image has a box for a missing character, because such texts are refused.

    pip install 'synthtext[scripts,words]'
    python benchmarks/scripts.py --n 200 > table.md
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import regex
from PIL import Image

from synthtext.drawing.fonts import SCRIPTS, Catalogue, read_catalogue
from synthtext.drawing.rendering import Rendering, render
from synthtext.drawing.runs import cut_line, resolve, shape_line
from synthtext.spec import Spec
from synthtext.texts.words import read_words

LANGUAGES = {
    "ar": ("Arabic", "ara", "NotoSansArabic"),
    "fa": ("Persian", "fas", "NotoSansArabic"),
    "ur": ("Urdu", "urd", "NotoSansArabic"),
    "he": ("Hebrew", "heb", "NotoSansHebrew"),
    "hi": ("Hindi", "hin", "NotoSansDevanagari"),
    "bn": ("Bengali", "ben", "NotoSansBengali"),
    "ta": ("Tamil", "tam", "NotoSansTamil"),
    "ru": ("Russian", "rus", "DejaVuSans.ttf"),
    "uk": ("Ukrainian", "ukr", "DejaVuSans.ttf"),
    "bg": ("Bulgarian", "bul", "DejaVuSans.ttf"),
    "el": ("Greek", "ell", "DejaVuSans.ttf"),
    "vi": ("Vietnamese", "vie", "DejaVuSans.ttf"),
    "zh": ("Chinese", "chi_sim", "NotoSansSC"),
    "ja": ("Japanese", "jpn", "NotoSansJP"),
    "ko": ("Korean", "kor", "NotoSansKR"),
    "de": ("German", "deu", "DejaVuSans.ttf"),
    "fr": ("French", "fra", "DejaVuSans.ttf"),
    "es": ("Spanish", "spa", "DejaVuSans.ttf"),
    "pl": ("Polish", "pol", "DejaVuSans.ttf"),
    "tr": ("Turkish", "tur", "DejaVuSans.ttf"),
}


def main() -> None:
    """Print a row of a table for each language."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=200)
    n = parser.parse_args().n
    fonts = read_catalogue(Path(SCRIPTS))
    known = list_tesseract()
    print(
        "| language | font | not in the font | clusters equal to Unicode's "
        "| ink beyond its quad, px | Tesseract: words correct | character error rate |"
    )
    print("|---|---|---|---|---|---|---|")
    for code, (name, data, font) in LANGUAGES.items():
        file = next(file for file in fonts.fonts if font in file)
        has = fonts.fonts[file].characters
        listed = read_words(f"lang:{code}:{n}").items
        words = [word for word in listed if has >= set(map(ord, word))]
        drawn = [draw(word, file, fonts) for word in words]
        n_equal = sum(has_equal_clusters(word, file, fonts) for word in words)
        beyond = max(measure_overhang(rendering) for rendering in drawn)
        read = read_back(drawn, data) if data in known else None
        right, wrong = ("-", "-") if read is None else score(words, read)
        family = fonts.fonts[file].family
        print(f"| {name} | {family} | {n - len(words)} of {n} | {n_equal} of {len(words)} "
              f"| {beyond:.1f} | {right} | {wrong} |", flush=True)  # fmt: skip


def draw(word: str, file: str, fonts: Catalogue) -> Rendering:
    """Return a word in black on white, at an em size of 40 px."""
    sizes = {"size_px": 40.0, "width_px": 0, "height_px": 0, "margin_px": 20}
    return render(Spec(0, 0, "train", "word", word, file, **sizes), fonts)


def has_equal_clusters(word: str, file: str, fonts: Catalogue) -> bool:
    """Return whether HarfBuzz splits a word into the same clusters as Unicode."""
    line = cut_line(word, resolve(word), 0, len(word))
    shaped = set(shape_line(fonts.open(file), line, ligatures=False).clusters)
    return shaped == {match.start() for match in regex.finditer(r"\X", word)}


def measure_overhang(rendering: Rendering) -> float:
    """Return how far ink extends beyond the box of all quads, in px."""
    rows, columns = np.nonzero(rendering.pixels.min(axis=2) < 128)
    low, high = rendering.word_quads.min(axis=(0, 1)), rendering.word_quads.max(axis=(0, 1))
    edges = (low[0] - columns.min(), low[1] - rows.min(),
             columns.max() + 1 - high[0], rows.max() + 1 - high[1])  # fmt: skip
    return max(0.0, *map(float, edges))


def list_tesseract() -> set[str]:
    """Return the languages with installed data."""
    try:
        said = subprocess.run(
            ["tesseract", "--list-langs"], capture_output=True, text=True, check=True
        )
    except OSError:
        return set()
    return set(said.stdout.split())


def read_back(drawn: list[Rendering], data: str) -> list[str]:
    """Return what Tesseract reads in each image, treated as a single line."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{place:04d}.png" for place in range(len(drawn))]
        for path, rendering in zip(paths, drawn, strict=True):
            Image.fromarray(rendering.pixels).save(path)
        listing = Path(folder) / "list.txt"
        listing.write_text("\n".join(map(str, paths)))
        said = subprocess.run(
            ["tesseract", listing, "-", "-l", data, "--psm", "7"],
            capture_output=True, text=True, check=True,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )  # fmt: skip
    return [" ".join(page.split()) for page in said.stdout.split("\f")[: len(drawn)]]


def score(words: list[str], read: list[str]) -> tuple[str, str]:
    """Return the percentages of words read without error and of characters read wrongly."""
    pairs = [(clean(w), clean(r)) for w, r in zip(words, read, strict=True)]
    right = sum(word == said for word, said in pairs) / len(pairs)
    wrong = sum(distance(*pair) for pair in pairs) / sum(map(len, words))
    return f"{100 * right:.1f} %", f"{100 * wrong:.1f} %"


def clean(text: str) -> str:
    """Return a text without the spaces, joiners and direction marks that Tesseract adds."""
    return regex.sub(r"[\s\u200c-\u200f\u202a-\u202e]", "", text).lower()


def distance(one: str, other: str) -> int:
    """Return the Levenshtein distance."""
    row = list(range(len(other) + 1))
    for place, char in enumerate(one, start=1):
        previous, row[0] = row[0], place
        for column, letter in enumerate(other, start=1):
            previous, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, previous + (char != letter)),
            )
    return row[-1]


if __name__ == "__main__":
    main()
