from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes.errors import ProbeError
from probes.models.factory import load_model
from probes.readers.base import Reading
from probes.readers.guard import N_GIVE_UP, GuardedReader
from text_readers import CRASH, FINE, HANG, NOTHING, RAISE, mark


@pytest.fixture
def reader() -> Iterator[GuardedReader]:
    guarded = GuardedReader("python:text_readers:Faulty", limit_s=2.0)
    yield guarded
    guarded.close()


@pytest.mark.parametrize("name", ["Faulty", "Batched"])
def test_a_reader_that_crashes_hangs_or_raises_loses_one_image(name: str) -> None:
    reader = GuardedReader(f"python:text_readers:{name}", limit_s=2.0)
    said = reader.read_images(
        [
            mark(what, i)
            for i, what in enumerate([FINE, CRASH, FINE, HANG, RAISE, NOTHING, FINE])
        ]
    )
    reader.close()
    assert [reading.text for reading in said] == ["word0", "", "word2", "", "", "", "word6"]
    assert [reading.fault for reading in said] == [
        "", "it crashed by SIGSEGV", "", "no answer within 2 s",
        "raised ValueError: no such page", "", "",
    ]  # fmt: skip
    assert said[0].confidence == 0.5
    assert math.isnan(said[1].confidence)


def test_a_reader_is_started_once_and_closed_for_good(reader: GuardedReader) -> None:
    reader.read_images([mark(FINE)])
    process = reader._process
    reader.read_images([mark(FINE), mark(FINE)])
    assert process
    assert reader._process == process
    reader.close()
    assert process.popen.returncode == -signal.SIGKILL


def test_a_reader_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = """
import os, signal
from probes.readers.guard import GuardedReader
from text_readers import FINE, mark
reader = GuardedReader("python:text_readers:Faulty")
reader.read_images([mark(FINE)])
print(reader._process.popen.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": path},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 20
    while Path(f"/proc/{int(done.stdout)}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{int(done.stdout)}").exists()


def test_a_reader_that_fails_at_every_image_ends_the_run(reader: GuardedReader) -> None:
    with pytest.raises(ProbeError) as caught:
        reader.read_images([mark(RAISE)] * (N_GIVE_UP + 5))
    assert str(caught.value) == (
        f"python:text_readers:Faulty gave no answer to any of the first {N_GIVE_UP} images"
        " (raised ValueError: no such page); try it on one of them by itself"
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Broken", "{} cannot be started (OSError: no weights here)"),
        ("Short", "{} returned 1 answers for 2 images; return one text per image"),
    ],
)
def test_a_reader_that_is_wrong_itself_is_one_sentence(name: str, sentence: str) -> None:
    whole = f"python:text_readers:{name}"
    with pytest.raises(ProbeError) as caught:
        GuardedReader(whole).read_images([mark(FINE), mark(FINE)])
    assert str(caught.value) == sentence.format(whole)


@pytest.mark.parametrize("name", ["Faulty", "make_faulty"])
def test_a_plugin_may_be_a_class_or_a_function_that_reads(name: str) -> None:
    model = load_model(f"python:text_readers:{name}")
    assert model.reader is not None
    assert model.reader.read_images([mark(FINE, 7)]) == [Reading("word7", 0.5)]
    with pytest.raises(ProbeError) as caught:
        model.encoder.embed_images([mark(FINE)])
    assert str(caught.value) == (
        f"python:text_readers:{name} returns text and has no embeddings; give a model that embeds images"
    )
