from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from probes.arrays import Pixels
from probes.data.pairs import read_pairs
from probes.models.base import Model
from probes.models.tokenizers import spell_texts
from probes.training.validation import ValidationSet, read_validation_set, read_words_right
from tiny_training import write_data


class Oracle:
    """Reads the number that an image is filled with; texts are numbers too."""

    def embed_images(self, images):  # noqa: ANN001, ANN201
        return self._turn([int(pixels[0, 0, 0]) for pixels in images])

    def embed_texts(self, texts):  # noqa: ANN001, ANN201
        return self._turn([int(text.removeprefix("no ")) for text in texts])

    def _turn(self, numbers):  # noqa: ANN001, ANN202
        angles = np.array(numbers) / 200
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def keep(pixels: Pixels) -> Pixels:
    return pixels


def make_exam(n: int) -> ValidationSet:
    images = np.tile(np.arange(n, dtype=np.uint8)[:, None, None, None], (1, 4, 4, 3))
    return ValidationSet(images, tuple(map(str, range(n))), np.arange(n))


@pytest.mark.parametrize("n", [7, 150])
def test_who_knows_the_answers_passes(n: int) -> None:
    right = read_words_right(Model(Oracle(), "oracle"), make_exam(n), ("{}", "no {}"), seed=0)
    assert right.all()


def test_validation_shows_random_pairs_with_their_texts(tmp_path: Path) -> None:
    data = write_data(tmp_path / "d", 200, splits="1,0,0")
    pairs = read_pairs([data / "train/000000.tar"])
    validation = read_validation_set(pairs, 50, 0, fit=keep, tokenize=spell_texts)
    assert validation.images.shape == (50, 64, 64, 3)
    assert len(set(validation.texts)) == len(validation.texts) <= 50
    other = read_validation_set(pairs, 50, 1, fit=keep, tokenize=spell_texts)
    assert not np.array_equal(validation.images, other.images)
    whole = read_validation_set(pairs, 999, 0, fit=keep, tokenize=spell_texts)
    assert [whole.texts[place] for place in whole.truths] == list(pairs.captions)


def test_texts_that_are_one_to_the_model_are_one_candidate(tmp_path: Path) -> None:
    data = write_data(tmp_path / "d", 200, splits="1,0,0", case="upper,lower")
    pairs = read_pairs([data / "train/000000.tar"])
    cases = read_validation_set(pairs, 200, 0, fit=keep, tokenize=spell_texts)
    folded = read_validation_set(
        pairs, 200, 0, fit=keep, tokenize=lambda texts: spell_texts([t.lower() for t in texts])
    )
    assert len(folded.texts) < len(cases.texts)
    shown = [folded.texts[place].lower() for place in folded.truths]
    assert shown == [caption.lower() for caption in pairs.captions]
