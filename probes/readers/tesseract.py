"""Tesseract, through its command line: images -> texts with confidences."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from probes.arrays import Pixels
from probes.errors import ProbeError
from probes.readers.base import Reader, ReaderFacts, Reading
from synthtext.files import hash_file

LANGUAGE = "eng"

LAYOUT = "3"
"""Page segmentation mode; 3 is Tesseract's own default."""

LAYOUTS = ("1", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13")
"""The modes of `tesseract --help-psm` that recognise text."""

HASH_BYTES = 1 << 20

WORD = "5"
"""The level of a row of Tesseract's table that holds a word."""

PAGE = "1"


class Tesseract:
    """A reader that starts the command `tesseract` once for each batch."""

    batch_size = 32

    def __init__(self, languages: str, layout: str) -> None:
        self._languages = languages
        self._layout = layout

    def read_images(self, images: Sequence[Pixels]) -> list[Reading]:
        """Return the text in each image, with its words in Tesseract's order.

        The confidence is that of the least certain word.

        Raises:
            RuntimeError: Tesseract failed, or did not finish all images.
        """
        with tempfile.TemporaryDirectory(prefix="synthtext-") as folder:
            table = self._run(images, Path(folder))
        words: list[list[tuple[str, float]]] = [[] for _ in images]
        n_pages = 0
        for line in table.splitlines()[1:]:
            cells = line.split("\t", 11)
            n_pages += cells[0] == PAGE
            if cells[0] == WORD and cells[11].strip():
                words[int(cells[1]) - 1].append((cells[11].strip(), float(cells[10]) / 100))
        if n_pages != len(images):
            raise RuntimeError(f"it processed {n_pages} of {len(images)} images")
        return [
            Reading(
                " ".join(text for text, _ in found),
                min(max(min((sure for _, sure in found), default=0.0), 0.0), 1.0),
            )
            for found in words
        ]

    def _run(self, images: Sequence[Pixels], folder: Path) -> str:
        """Return Tesseract's table of the words in all images."""
        names = []
        for number, pixels in enumerate(images):
            height, width = pixels.shape[:2]
            name = f"{number:04d}.ppm"
            (folder / name).write_bytes(b"P6 %d %d 255\n" % (width, height) + pixels.tobytes())
            names.append(name)
        (folder / "list.txt").write_text("\n".join(names))
        done = subprocess.run(
            ["tesseract", "list.txt", "table", "-l", self._languages, "--psm", self._layout,
             "--oem", "1", "-c", "tessedit_create_tsv=1"],
            cwd=folder, env=os.environ | {"OMP_THREAD_LIMIT": "1"},
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            why = said[-1] if said else "no reason given"
            raise RuntimeError(f"it ended with {done.returncode}: {why}")
        return (folder / "table.tsv").read_text(encoding="utf-8", errors="replace")


def describe_tesseract(name: str) -> ReaderFacts:
    """Return the facts of `ocr:tesseract[:LANGUAGES[:LAYOUT]]`.

    Raises:
        ProbeError: Tesseract or a language is not installed, or there is no such layout.
    """
    languages, layout = _parse(name)
    if shutil.which("tesseract") is None:
        raise ProbeError(
            f"{name} needs Tesseract, which is not installed; run: apt-get install"
            f" tesseract-ocr"
        )
    listed = _ask("--list-langs").splitlines()
    folder = re.search(r'"(.*)"', listed[0] if listed else "")
    for language in languages.split("+"):
        if language not in listed[1:]:
            package = f"tesseract-ocr-{language.replace('_', '-')}"
            raise ProbeError(
                f"Tesseract has no language {language!r} here, but"
                f" {', '.join(listed[1:]) or 'none'}; run: apt-get install {package}"
            )
    version = (_ask("--version").splitlines() or [""])[0].removeprefix("tesseract ")
    digest = hashlib.sha256(f"{version} {languages} {layout}".encode())
    for language in languages.split("+"):
        path = Path(folder[1] if folder else "") / f"{language}.traineddata"
        digest.update(bytes.fromhex(hash_file(path)) if path.is_file() else b"")
    config: dict[str, object] = {"languages": languages, "page_segmentation_mode": layout}
    return ReaderFacts(digest.hexdigest(), config, {"tesseract": version})


def build_tesseract(name: str) -> Reader:
    """Return the reader of a name that `describe_tesseract` accepts."""
    return Tesseract(*_parse(name))


def _parse(name: str) -> tuple[str, str]:
    parts = name.split(":")[2:]
    languages = parts[0] if parts else LANGUAGE
    layout = parts[1] if len(parts) > 1 else LAYOUT
    if len(parts) > 2 or layout not in LAYOUTS or not re.fullmatch(r"[\w+/-]+", languages):
        raise ProbeError(
            f"{name} is not a reader; write ocr:tesseract, ocr:tesseract:LANGUAGES or"
            f" ocr:tesseract:LANGUAGES:LAYOUT, a page segmentation mode of {', '.join(LAYOUTS)}"
        )
    return languages, layout


def _ask(option: str) -> str:
    done = subprocess.run(
        ["tesseract", option], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return (done.stdout or done.stderr).decode("utf-8", "replace")
