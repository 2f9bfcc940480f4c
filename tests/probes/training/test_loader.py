from __future__ import annotations

import numpy as np
import pytest
import torch

from probes.data.pairs import Pairs, join_pairs, read_pairs
from probes.models.tokenizers import number_texts, spell_texts
from probes.training.loader import TrainingSet, read_training_batches
from probes.training.losses import LetterHead
from tiny_training import write_data


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    data = write_data(tmp_path_factory.mktemp("d") / "d", 60, splits="1,0,0")
    own = read_pairs([data / "train/000000.tar"])
    return join_pairs(own, own)


def spell(texts: list[str]) -> torch.Tensor:
    return torch.tensor([[len(text), ord(text[0])] for text in texts])


def read_batches(
    training_set: TrainingSet, batches: list[np.ndarray], letters: LetterHead | None = None
) -> list:
    return list(
        read_training_batches(
            training_set,
            batches,
            fit=lambda pixels: pixels,
            tokenizer=spell,
            letters=letters,
            seed=0,
        )
    )


def test_captions_that_are_the_same_to_the_model_have_one_number() -> None:
    numbers = number_texts(
        ["Ox", "owl", "ox", "OX"], lambda t: spell_texts([x.lower() for x in t])
    )
    assert numbers.tolist() == [0, 1, 0, 0]


def test_a_batch_has_what_belongs_together(pairs: Pairs) -> None:
    captions = number_texts(pairs.captions, spell_texts)
    texts = tuple(dict.fromkeys(pairs.captions))
    training_set = TrainingSet(pairs, 60, captions, texts, ("{}",))
    batch = np.array([3, 1, 40])
    (training_batch,) = read_batches(training_set, [batch], LetterHead(4, "abehkmnorstx"))
    assert training_batch.images.dtype == torch.uint8
    assert training_batch.images.shape == (3, 64, 64, 3)
    own = [pairs.captions[number] for number in batch]
    assert torch.equal(training_batch.texts, spell(own))
    assert [texts[number] for number in training_batch.captions.tolist()] == own
    assert training_batch.letters is not None
    assert (training_batch.letters > 0).sum(dim=1).tolist() == [2, 2, 2]


def test_prompts_are_for_captions_to_read_alone(pairs: Pairs) -> None:
    captions = number_texts(pairs.captions, spell_texts)
    training_set = TrainingSet(
        pairs, 60, captions, tuple(dict.fromkeys(pairs.captions)), ("a sign: {}",)
    )
    (training_batch,) = read_batches(training_set, [np.array([0, 60])])
    assert training_batch.texts[:, 0].tolist() == [len("a sign: ??"), 2]


def test_every_prompt_has_its_turn_and_always_the_same(pairs: Pairs) -> None:
    captions = number_texts(pairs.captions, spell_texts)
    texts = tuple(dict.fromkeys(pairs.captions))
    training_set = TrainingSet(pairs, 60, captions, texts, ("{}", "a {}", "the {}"))
    batches = [np.array([number]) for number in range(30)]
    lengths = [
        training_batch.texts[0, 0].item()
        for training_batch in read_batches(training_set, batches)
    ]
    assert set(lengths) == {2, 4, 6}
    again = [
        training_batch.texts[0, 0].item()
        for training_batch in read_batches(training_set, batches[7:])
    ]
    assert again == lengths[7:]


def test_vectors_of_frozen_towers_stand_in(pairs: Pairs) -> None:
    captions = number_texts(pairs.captions, spell_texts)
    texts = tuple(dict.fromkeys(pairs.captions))
    images = np.arange(240, dtype=np.float32).reshape(120, 2)
    vectors = (np.arange(len(texts) * 2, dtype=np.float32).reshape(-1, 2),)
    training_set = TrainingSet(pairs, 60, captions, texts, ("{}",), images, vectors)
    (training_batch,) = read_batches(training_set, [np.array([5, 9])])
    assert training_batch.images.tolist() == images[[5, 9]].tolist()
    assert training_batch.texts.tolist() == vectors[0][captions[[5, 9]]].tolist()
