from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from probes.arrays import Pixels, Vectors
from probes.embeddings import texts
from probes.embeddings.texts import embed_prompts, ensemble_prompts
from probes.embeddings.vector_files import HEADER
from probes.errors import ProbeError
from probes.models.base import Model

WORDS = ["ox", "horse", "hippopotamus"]
TEMPLATES = ["{}", "the word {}."]


@dataclass
class Length:
    """An encoder whose vector is an angle: the length of the text in hundredths."""

    batches: list[int] = field(default_factory=list)

    def embed_images(self, images: Sequence[Pixels]) -> Vectors:
        raise NotImplementedError

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        self.batches.append(len(texts))
        angles = np.array([len(text) for text in texts]) / 100
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def make_model(encoder: Length, sha: str = "a") -> Model:
    return Model(encoder, "length", weights_sha256=sha)


def test_each_template_has_its_array(tmp_path: Path) -> None:
    by_template = embed_prompts(make_model(Length()), WORDS, TEMPLATES, tmp_path)
    angles = [np.arctan2(vectors[:, 1], vectors[:, 0]) for vectors in by_template]
    lengths = np.array([len(word) for word in WORDS])
    np.testing.assert_allclose(angles, [lengths / 100, (lengths + 10) / 100], atol=1e-6)


def test_the_ensemble_is_the_mean_on_the_unit_circle(tmp_path: Path) -> None:
    by_template = embed_prompts(make_model(Length()), WORDS, TEMPLATES, tmp_path)
    ensemble = ensemble_prompts(by_template)
    # The mean of two unit vectors points along the mean of their angles.
    expected = np.array([len(word) + 5 for word in WORDS]) / 100
    np.testing.assert_allclose(np.arctan2(ensemble[:, 1], ensemble[:, 0]), expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(ensemble, axis=1), 1, atol=1e-6)


def test_texts_are_embedded_once(tmp_path: Path) -> None:
    encoder = Length()
    first = embed_prompts(make_model(encoder), WORDS, TEMPLATES, tmp_path)
    second = embed_prompts(make_model(encoder), WORDS, TEMPLATES[1:], tmp_path)
    assert encoder.batches == [3, 3]
    np.testing.assert_array_equal(first[1], second[0])


@pytest.mark.parametrize("changed", ["weights", "words", "template"])
def test_other_texts_are_embedded_anew(tmp_path: Path, changed: str) -> None:
    encoder = Length()
    embed_prompts(make_model(encoder), WORDS, TEMPLATES[:1], tmp_path)
    model = make_model(encoder, "b" if changed == "weights" else "a")
    words = WORDS[::-1] if changed == "words" else WORDS
    templates = TEMPLATES[1:] if changed == "template" else TEMPLATES[:1]
    embed_prompts(model, words, templates, tmp_path)
    assert len(encoder.batches) == 2


def permute_rows(path: Path) -> None:
    vectors = np.memmap(path, "<f4", "r+", HEADER.size, (len(WORDS), 2))
    vectors[:] = vectors[::-1].copy()
    vectors.flush()


def let_others_write(path: Path) -> None:
    permute_rows(path)
    path.chmod(0o666)


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_by_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "permuted": (permute_rows, "its checksum differs"),
    "zeros after the header": (
        lambda path: path.write_bytes(
            path.read_bytes()[: HEADER.size].ljust(path.stat().st_size, b"\0")
        ),
        "its checksum differs",
    ),
    "zeros": (
        lambda path: path.write_bytes(bytes(path.stat().st_size)),
        "not an embedding file",
    ),
    "empty": (lambda path: path.write_bytes(b""), "not an embedding file"),
    "cut off": (
        lambda path: path.write_bytes(path.read_bytes()[:-4]),
        "of the wrong length",
    ),
    "endless": (lambda path: os.truncate(path, 8 << 30), "of the wrong length"),
    "a pipe": (replace_by_pipe, "not a regular file"),
    "a link to a device": (replace_by_device, "not a regular file"),
    "of everyone": (let_others_write, "another user could have written it"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_written_anew_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    whole = np.array(embed_prompts(make_model(Length()), WORDS, TEMPLATES[:1], tmp_path))
    (path,) = tmp_path.iterdir()
    hurt, reason = DAMAGES[damage]
    hurt(path)
    for _ in range(2):
        repaired = embed_prompts(make_model(Length()), WORDS, TEMPLATES[:1], tmp_path)
        np.testing.assert_array_equal(whole, repaired)
    # The second time nothing is logged.
    assert [record.getMessage() for record in caplog.records] == [
        f"1 of 1 text embedding files in {tmp_path} are not valid, such as"
        f" {path.name} ({reason}); they were computed again"
    ]


def test_the_vectors_of_one_list_do_not_pass_for_another(tmp_path: Path) -> None:
    first = np.array(embed_prompts(make_model(Length()), WORDS, TEMPLATES, tmp_path))
    one, other = sorted(tmp_path.iterdir())
    one.write_bytes(other.read_bytes())
    again = embed_prompts(make_model(Length()), WORDS, TEMPLATES, tmp_path)
    np.testing.assert_array_equal(first, again)


def test_nobody_else_may_write_to_the_cache(tmp_path: Path) -> None:
    cache = tmp_path / "texts"
    embed_prompts(make_model(Length()), WORDS, TEMPLATES[:1], cache)
    (path,) = cache.iterdir()
    assert [each.stat().st_mode & 0o777 for each in (cache, path)] == [0o700, 0o600]


def fail_to_sync(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_full_disk_is_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = embed_prompts(make_model(Length()), WORDS, TEMPLATES, tmp_path / "whole")
    monkeypatch.setattr(os, "fsync", fail_to_sync)
    cache = tmp_path / "full"
    found = embed_prompts(make_model(Length()), WORDS, TEMPLATES, cache)
    np.testing.assert_array_equal(expected, found)
    assert list(cache.iterdir()) == []
    assert [record.getMessage() for record in caplog.records] == [
        f"text embeddings cannot be cached in {cache} (no space left on device); the run continues"
        " without a cache, and the next one computes them again"
    ]


def test_a_cache_that_cannot_be_made_is_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = tmp_path / "file/texts"
    (found,) = embed_prompts(make_model(Length()), WORDS, TEMPLATES[:1], cache)
    assert found.shape == (3, 2)
    assert [record.getMessage() for record in caplog.records] == [
        f"text embeddings cannot be cached in {cache} (not a directory); the run continues"
        " without a cache, and the next one computes them again"
    ]


def test_many_words_are_embedded_and_averaged_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = embed_prompts(make_model(Length()), WORDS, TEMPLATES, tmp_path / "whole")
    expected = ensemble_prompts(whole)
    monkeypatch.setattr(texts, "BLOCK", 2)
    encoder = Length()
    by_template = embed_prompts(make_model(encoder), WORDS, TEMPLATES, tmp_path / "blocks")
    assert encoder.batches == [2, 1, 2, 1]
    np.testing.assert_array_equal(ensemble_prompts(by_template), expected)


def test_vectors_of_texts_stay_on_disk_until_they_are_used(tmp_path: Path) -> None:
    (vectors,) = embed_prompts(make_model(Length()), WORDS, TEMPLATES[:1], tmp_path)
    assert isinstance(vectors, np.memmap)


def test_a_word_in_braces_is_a_word(tmp_path: Path) -> None:
    (vectors,) = embed_prompts(make_model(Length()), ["{}", "{0}"], ["{}!"], tmp_path)
    angles = np.arctan2(vectors[:, 1], vectors[:, 0])
    np.testing.assert_allclose(angles, [0.03, 0.04], atol=1e-6)


def test_a_template_without_a_place_for_the_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProbeError) as caught:
        embed_prompts(make_model(Length()), WORDS, ["a word"], tmp_path)
    assert str(caught.value) == ("the template 'a word' has no place for a word; add {}")


def test_no_words_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ProbeError) as caught:
        embed_prompts(make_model(Length()), [], TEMPLATES, tmp_path)
    assert str(caught.value) == (
        "there are 0 words and 2 templates to embed; give at least one of each"
    )
