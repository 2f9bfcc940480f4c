"""Models that return text: a name -> a reader in a separate process."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from probes.arrays import Pixels
from probes.errors import ProbeError
from probes.models.base import Model
from probes.models.hub import fetch_file
from probes.models.tokenizers import spell_texts
from probes.readers.base import Reader, ReaderFacts
from probes.readers.guard import GuardedReader
from probes.readers.registry import find_engine
from probes.readers.responses import PREFIX, read_responses
from probes.readers.vision_language import PREFIX as VLM_PREFIX
from probes.readers.vision_language import describe_vision_language

CONFIG = "config.json"


@dataclass(frozen=True)
class NoEncoder:
    """The encoder of a reader: it raises an error, since a reader has no vectors."""

    name: str

    def embed_images(self, images: Sequence[Pixels]) -> NoReturn:
        """Refuse.

        Raises:
            ProbeError: always.
        """
        del images
        self._refuse()

    def embed_texts(self, texts: Sequence[str]) -> NoReturn:
        """Refuse.

        Raises:
            ProbeError: always.
        """
        del texts
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ProbeError(
            f"{self.name} returns text and has no embeddings; give a model that embeds images"
        )


def load_engine(name: str, time_limit_s: float) -> Model:
    """Return one of the readers of `probes.readers.registry`, or a vision-language model.

    Raises:
        ProbeError: there is no such reader, or it is not installed.
    """
    if name.startswith(VLM_PREFIX):
        facts = describe_vision_language(_find_config(name.removeprefix(VLM_PREFIX)))
    else:
        facts = find_engine(name).describe(name)
    return make_reader_model(name, GuardedReader(name, time_limit_s), facts)


def _find_config(source: str) -> Path:
    """Return the `config.json` of a folder or a repository on the hub."""
    if Path(source).is_dir():
        config = Path(source) / CONFIG
        if not config.is_file():
            raise ProbeError(f"{source} has no {CONFIG}; give a folder that transformers saved")
        return config
    return fetch_file(source, (CONFIG,), f"pass --model {VLM_PREFIX}FOLDER with all its files")


def load_responses(name: str) -> Model:
    """Return the answers in a file as a reader.

    Raises:
        ProbeError: the file does not hold answers.
    """
    reader, digest = read_responses(Path(name.removeprefix(PREFIX)))
    return make_reader_model(name, reader, ReaderFacts(digest))


def make_plugin_reader(name: str, digest: str, time_limit_s: float) -> Model:
    """Return the user's own reader, identified by its code."""
    return make_reader_model(name, GuardedReader(name, time_limit_s), ReaderFacts(digest))


def make_reader_model(name: str, reader: Reader, facts: ReaderFacts) -> Model:
    """Return a model around a reader; texts that differ only in case are equal to it."""
    return Model(
        encoder=NoEncoder(name),
        name=name,
        weights_sha256=facts.sha256,
        config=dict(facts.config),
        tokenize=spell_folded,
        versions={"python": platform.python_version(), **facts.versions},
        reader=reader,
    )


def spell_folded(texts: Sequence[str]) -> list[tuple[int, ...]]:
    """Return the code points of each case-folded text.

    >>> spell_folded(["Ox"])
    [(111, 120)]
    """
    return spell_texts([text.casefold() for text in texts])
