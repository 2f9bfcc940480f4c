from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.arrays import Pixels, Vectors
from probes.data.trials import Chunk, Stimulus
from probes.embeddings import images as embeddings
from probes.embeddings.images import (
    Embedded,
    Share,
    Stats,
    check_vectors,
    embed_renderings,
    read_vectors,
    stamp_chunks,
    write_vectors,
)
from probes.embeddings.vector_files import HEADER, write_vector_file
from probes.errors import ProbeError
from probes.models.base import Model

N_KEYS, CHUNK = 10, 3
"""Images of a run, and images per chunk; the last chunk is short."""


class Killed(BaseException):
    """Simulates the end of a process."""


@dataclass
class Angle:
    """An encoder whose vector is an angle: the level of the first pixel in hundredths."""

    n_seen: int = 0
    dies_after: int = 1000

    def embed_images(self, images: Sequence[Pixels]) -> Vectors:
        if self.n_seen + len(images) > self.dies_after:
            raise Killed
        self.n_seen += len(images)
        angles = np.array([pixels[0, 0, 0] for pixels in images]) / 100
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        raise NotImplementedError


def name_key(number: int) -> str:
    return f"{number:09d}"


def draw(numbers: Sequence[int]) -> list[Stimulus]:
    return [
        Stimulus(
            name_key(number),
            np.full((4, 6, 3), number, np.uint8),
            {"number": number, "x_height_px": np.float32(number / 2)},
        )
        for number in numbers
    ]


def make_chunks(n: int = N_KEYS) -> list[Chunk]:
    starts = range(0, n, CHUNK)
    return [lambda at=at: draw(range(at, min(at + CHUNK, n))) for at in starts]  # type: ignore[misc]


def make_model(encoder: Angle | None = None, sha: str = "a") -> Model:
    return Model(encoder or Angle(), "angle", weights_sha256=sha)


def embed(folder: Path, model: Model, stimuli: str = "s") -> tuple[Embedded, Stats]:
    embedded, stats = embed_renderings(model, make_chunks(), folder, stimuli=stimuli)
    assert embedded is not None
    return embedded, stats


def refuse(call: Callable[[], object]) -> str:
    with pytest.raises(ProbeError) as caught:
        call()
    return str(caught.value)


@pytest.fixture(autouse=True)
def no_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)


def test_every_picture_becomes_its_own_row(tmp_path: Path) -> None:
    embedded, stats = embed(tmp_path, make_model())
    assert embedded.keys == tuple(map(name_key, range(N_KEYS)))
    angles = np.arctan2(embedded.vectors[:, 1], embedded.vectors[:, 0])
    np.testing.assert_allclose(angles, np.arange(N_KEYS) / 100, atol=1e-6)
    assert (stats.n_images, stats.n_chunks_reused) == (N_KEYS, 0)


def test_facts_come_back_beside_their_vector(tmp_path: Path) -> None:
    embedded, _ = embed(tmp_path, make_model())
    assert embedded.facts[7] == {"number": 7, "x_height_px": 3.5}


def test_a_second_run_draws_and_embeds_nothing(tmp_path: Path) -> None:
    first, _ = embed(tmp_path, make_model())
    encoder = Angle(dies_after=0)
    second, stats = embed(tmp_path, make_model(encoder))
    np.testing.assert_array_equal(first.vectors, second.vectors)
    assert (second.keys, second.facts) == (first.keys, first.facts)
    assert (stats.n_images, stats.n_chunks_reused) == (0, 4)


def test_a_killed_run_resumes_where_it_stopped(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        embed(tmp_path, make_model(Angle(dies_after=7)))
    encoder = Angle()
    embedded, stats = embed(tmp_path, make_model(encoder))
    assert (encoder.n_seen, stats.n_chunks_reused) == (4, 2)
    np.testing.assert_array_equal(
        embedded.vectors, embed(tmp_path / "other", make_model())[0].vectors
    )


@pytest.mark.parametrize("change", ["weights", "stimuli", "precision", "activation", "chunks"])
def test_vectors_of_something_else_are_not_reused(tmp_path: Path, change: str) -> None:
    embed(tmp_path, make_model())
    model, stimuli, chunks = make_model(), "s", make_chunks()
    if change == "weights":
        model = make_model(sha="b")
    elif change == "precision":
        model = Model(Angle(), "angle", weights_sha256="a", precision="bf16")
    elif change == "activation":
        model = Model(Angle(), "angle", weights_sha256="a", config={"quick_gelu": True})
    elif change == "stimuli":
        stimuli = "t"
    else:
        chunks = make_chunks(N_KEYS + CHUNK)
    stats = write_vectors(model, chunks, tmp_path, stimuli=stimuli)
    assert stats.n_chunks_reused == 0


@pytest.mark.parametrize("n_bytes", [0, 60, 150])
def test_a_broken_file_is_written_anew(tmp_path: Path, n_bytes: int) -> None:
    whole, _ = embed(tmp_path, make_model())
    path = tmp_path / "000001.vectors"
    path.write_bytes(path.read_bytes()[:n_bytes])
    mended, stats = embed(tmp_path, make_model())
    np.testing.assert_array_equal(mended.vectors, whole.vectors)
    assert stats.n_images == CHUNK


def permute_rows(path: Path) -> None:
    vectors = np.memmap(path, "<f4", "r+", HEADER.size, (CHUNK, 2))
    vectors[:] = vectors[::-1].copy()
    vectors.flush()


def flip_a_bit(at: int) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        raw = bytearray(path.read_bytes())
        raw[at] ^= 1
        path.write_bytes(raw)

    return damage


def write_pickle(path: Path) -> None:
    names: Any = np.array([["a"], {}], dtype=object)
    with path.open("wb") as file:
        np.savez(file, keys=names, vectors=np.ones((2, 1), np.float32))


def write_notes(notes: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        stamp = stamp_chunks(make_model(), "s", 4)[1]
        vectors = np.ones((CHUNK, 2), np.float32)
        write_vector_file(path, vectors, bytes.fromhex(stamp), notes)

    return damage


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "vectors permuted": permute_rows,
    "zeros, as after a power cut": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "zeros after the header": lambda path: path.write_bytes(
        path.read_bytes()[: HEADER.size].ljust(path.stat().st_size, b"\0")
    ),
    "a bit of the counts": flip_a_bit(HEADER.size - 20),
    "a bit of a vector": flip_a_bit(HEADER.size + 5),
    "a bit of a key": flip_a_bit(HEADER.size + 8 * CHUNK + 5),
    "more at its end": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "pickles": write_pickle,
    "a pipe": replace_by_pipe,
    "notes that are deep": write_notes(b"[" * 100_000),
    "notes of other types": write_notes(b"[[1, 2, 3], [4, 5, 6]]"),
    "notes that are too few": write_notes(b'[["a"], [{}]]'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_chunk_is_embedded_again_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    whole, _ = embed(tmp_path, make_model())
    expected = np.array(whole.vectors)
    DAMAGES[damage](tmp_path / "000001.vectors")
    repaired, stats = embed(tmp_path, make_model())
    np.testing.assert_array_equal(repaired.vectors, expected)
    assert (repaired.keys, repaired.facts) == (whole.keys, whole.facts)
    assert stats.n_images == CHUNK
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(
        f"1 embedding files in {tmp_path} are not valid, such as 000001.vectors ("
    )


def test_no_half_written_file_stays(tmp_path: Path) -> None:
    embed(tmp_path, make_model())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{number:06d}.vectors" for number in range(4)
    ]


def test_the_next_chunk_is_drawn_while_the_encoder_works(tmp_path: Path) -> None:
    drawn, seen = threading.Event(), []

    def draw_second() -> list[Stimulus]:
        drawn.set()
        return draw([1])

    class Waiting(Angle):
        def embed_images(self, images: Sequence[Pixels]) -> Vectors:
            seen.append(drawn.wait(timeout=10))
            return super().embed_images(images)

    chunks: list[Chunk] = [lambda: draw([0]), draw_second]
    write_vectors(make_model(Waiting()), chunks, tmp_path, stimuli="s")
    assert seen == [True, True]


def test_only_a_few_chunks_are_drawn_ahead(tmp_path: Path) -> None:
    asked: list[int] = []
    ahead: list[int] = []

    class Counting(Angle):
        def embed_images(self, images: Sequence[Pixels]) -> Vectors:
            ahead.append(len(asked) - self.n_seen)
            return super().embed_images(images)

    def make(number: int) -> Chunk:
        def chunk() -> list[Stimulus]:
            asked.append(number)
            return draw([number])

        return chunk

    chunks = [make(number) for number in range(N_KEYS)]
    write_vectors(make_model(Counting()), chunks, tmp_path, stimuli="s")
    assert max(ahead) <= embeddings.N_AHEAD + 1


def test_time_spent_waiting_for_pictures_is_measured(tmp_path: Path) -> None:
    gate = threading.Event()

    def draw_late() -> list[Stimulus]:
        gate.wait(timeout=0.2)  # It is never opened.
        return draw([0])

    stats = write_vectors(make_model(), [draw_late], tmp_path, stimuli="s")
    assert 0.19 < stats.seconds_waiting <= stats.seconds


def test_an_error_in_drawing_comes_through(tmp_path: Path) -> None:
    def fail() -> list[Stimulus]:
        raise ProbeError("the shard is gone; download it")

    chunks = [*make_chunks(), fail]
    assert (
        refuse(lambda: write_vectors(make_model(), chunks, tmp_path, stimuli="s"))
        == "the shard is gone; download it"
    )


@pytest.mark.parametrize("n_threads", [1, 6])
def test_as_many_chunks_are_drawn_at_once_as_there_are_threads(
    n_threads: int, tmp_path: Path
) -> None:
    meeting = threading.Barrier(n_threads)

    def make_chunk(number: int) -> Callable[[], list[Stimulus]]:
        def chunk() -> list[Stimulus]:
            meeting.wait(timeout=30)
            return draw([number])

        return chunk

    chunks = [make_chunk(number) for number in range(n_threads)]
    stats = write_vectors(make_model(), chunks, tmp_path, stimuli="s", n_threads=n_threads)
    assert stats.n_images == n_threads


# Shares.


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
from test_images import make_chunks, make_model
from probes.embeddings.images import embed_renderings
embedded, stats = embed_renderings(make_model(), make_chunks(), Path(sys.argv[1]), stimuli="s")
print(None if embedded is None else embedded.keys, stats.n_images)
"""


def test_two_processes_embed_every_key_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "two"), __file__]
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
