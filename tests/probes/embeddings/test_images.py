from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from angle_encoder import (
    CHUNK,
    N_KEYS,
    Angle,
    Killed,
    draw,
    embed,
    make_chunks,
    make_model,
    name_key,
    refuse,
)
from probes.arrays import Pixels, Vectors
from probes.data.trials import Chunk, Stimulus
from probes.embeddings import images as embeddings
from probes.embeddings.images import (
    stamp_chunks,
    write_vectors,
)
from probes.embeddings.vector_files import HEADER, write_vector_file
from probes.errors import ProbeError
from probes.models.base import Model


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
