"""Images embedded by several processes, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import angle_encoder
from angle_encoder import (
    N_KEYS,
    Angle,
    draw,
    embed,
    make_chunks,
    make_model,
    name_key,
    refuse,
)
from probes.data.trials import Chunk
from probes.embeddings.images import (
    Share,
    check_vectors,
    embed_renderings,
    read_vectors,
    stamp_chunks,
    write_vectors,
)


@pytest.fixture(autouse=True)
def no_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)


def test_two_shares_write_what_one_process_writes(tmp_path: Path) -> None:
    whole, _ = embed(tmp_path / "one", make_model())
    encoders = [Angle(), Angle()]
    for rank in (1, 0):
        share, model = Share(rank, 2), make_model(encoders[rank])
        write_vectors(model, make_chunks(), tmp_path / "two", stimuli="s", share=share)
    stamps = stamp_chunks(make_model(), "s", 4)
    both = read_vectors(tmp_path / "two", stamps)
    np.testing.assert_array_equal(both.vectors, whole.vectors)
    assert (both.keys, both.facts) == (whole.keys, whole.facts)
    assert [encoder.n_seen for encoder in encoders] == [6, 4]


SCRIPT = """
import os, sys
sys.path.insert(0, os.path.dirname(sys.argv[2]))
import numpy as np
from pathlib import Path
from angle_encoder import make_chunks, make_model
from probes.embeddings.images import embed_renderings
embedded, stats = embed_renderings(make_model(), make_chunks(), Path(sys.argv[1]), stimuli="s")
print(None if embedded is None else embedded.keys, stats.n_images)
"""


def test_two_processes_embed_every_key_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "two"), angle_encoder.__file__]
    running = [
        subprocess.Popen(
            command,
            env=os.environ | {"RANK": str(rank), "WORLD_SIZE": "2"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    said = [process.communicate(timeout=120)[0].strip() for process in running]
    keys = tuple(map(name_key, range(N_KEYS)))
    assert said == [f"{keys} 6", "None 4"]
    one, _ = embed(tmp_path / "one", make_model())
    two = read_vectors(tmp_path / "two", stamp_chunks(make_model(), "s", 4))
    np.testing.assert_array_equal(two.vectors, one.vectors)


def test_a_process_that_never_writes_is_not_waited_for_forever(tmp_path: Path) -> None:
    share = Share(0, 2)
    write_vectors(make_model(), make_chunks(), tmp_path, stimuli="s", share=share)
    stamps = stamp_chunks(make_model(), "s", 4)
    assert refuse(lambda: read_vectors(tmp_path, stamps, patience_s=0.01)) == (
        f"{tmp_path / '000001.vectors'} did not appear within 0.01 s; the process that writes it has stopped, so run the same command again"
    )


@settings(max_examples=20)
@given(n_chunks=st.integers(1, 9), world_size=st.integers(1, 4))
def test_shares_cover_all_chunks_without_overlap(
    tmp_path_factory: pytest.TempPathFactory, n_chunks: int, world_size: int
) -> None:
    folder = tmp_path_factory.mktemp("shares")
    chunks: list[Chunk] = [lambda n=n: draw([n]) for n in range(n_chunks)]  # type: ignore[misc]
    n_images = [
        write_vectors(
            make_model(), chunks, folder, stimuli="s", share=Share(rank, world_size)
        ).n_images
        for rank in range(world_size)
    ]
    assert sum(n_images) == n_chunks
    assert max(n_images) - min(n_images) <= 1


# Refused input.


def test_a_key_repeated_in_a_chunk_is_refused(tmp_path: Path) -> None:
    chunks: list[Chunk] = [lambda: draw([1, 2, 1])]
    assert refuse(lambda: write_vectors(make_model(), chunks, tmp_path, stimuli="s")) == (
        "the key '000000001' occurred twice; give every image its own key"
    )


def test_a_key_repeated_in_another_chunk_is_refused(tmp_path: Path) -> None:
    chunks: list[Chunk] = [lambda: draw([1, 2]), lambda: draw([3, 2])]
    assert refuse(lambda: embed_renderings(make_model(), chunks, tmp_path, stimuli="s")) == (
        "the key '000000002' occurred twice; give every image its own key"
    )


@pytest.mark.parametrize(
    ("expected", "sentence"),
    [
        (
            range(N_KEYS + 2),
            "the key '000000010' never occurred, nor did 1 others; the images do not match the design or dataset, so make it again",
        ),
        (
            range(1, N_KEYS),
            "the key '000000000' occurred, but belongs to no requested image; make the design or dataset again",
        ),
    ],
)
def test_keys_other_than_expected_are_refused(
    tmp_path: Path, expected: range, sentence: str
) -> None:
    keys = [name_key(number) for number in expected]
    model, chunks = make_model(), make_chunks()
    assert sentence == refuse(
        lambda: embed_renderings(model, chunks, tmp_path, stimuli="s", expected=keys)
    )


def test_an_empty_chunk_is_refused(tmp_path: Path) -> None:
    chunks: list[Chunk] = [list]
    assert refuse(lambda: write_vectors(make_model(), chunks, tmp_path, stimuli="s")) == (
        "a chunk has no images; leave out empty chunks"
    )


def test_no_chunks_at_all_are_refused(tmp_path: Path) -> None:
    assert refuse(lambda: embed_renderings(make_model(), [], tmp_path, stimuli="s")) == (
        "there are no images to embed; enlarge the design or the dataset"
    )


VECTORS: dict[str, tuple[object, str]] = {
    "too few": ([[1.0, 0.0]], "f returned shape (1, 2) for 2 inputs; return one row for each"),
    "flat": ([1.0, 0.0], "f returned shape (2,) for 2 inputs; return one row for each"),
    "long": (
        [[1.0, 0.0], [3.0, 4.0]],
        "f returned a vector of length 5 in row 1; divide each by its length",
    ),
    "no number": (
        [[float("nan"), 0.0], [0.0, 1.0]],
        "f returned a vector of length nan in row 0; divide each by its length",
    ),
}


@pytest.mark.parametrize("case", VECTORS)
def test_vectors_that_cosine_cannot_compare_are_refused(case: str) -> None:
    rows, sentence = VECTORS[case]
    vectors = np.array(rows, np.float32)
    assert refuse(lambda: check_vectors(vectors, 2, "f")) == sentence
