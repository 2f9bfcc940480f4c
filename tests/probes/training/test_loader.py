from __future__ import annotations

import numpy as np
import pytest
import torch

from probes.data.pairs import Pairs, join_pairs, read_pairs
from probes.models.tokenizers import number_texts, spell_texts
from probes.training.loader import Course, read_lessons
from probes.training.losses import LetterHead
from tiny_training import write_data


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    data = write_data(tmp_path_factory.mktemp("d") / "d", 60, splits="1,0,0")
    own = read_pairs([data / "train/000000.tar"])
    return join_pairs(own, own)


def spell(texts: list[str]) -> torch.Tensor:
    return torch.tensor([[len(text), ord(text[0])] for text in texts])


def teach(course: Course, batches: list[np.ndarray], letters: LetterHead | None = None) -> list:
    return list(
        read_lessons(
            course, batches, fit=lambda pixels: pixels, tokenizer=spell, letters=letters, seed=0
        )
    )


def test_captions_that_are_the_same_to_the_model_have_one_number() -> None:
    numbers = number_texts(
        ["Ox", "owl", "ox", "OX"], lambda t: spell_texts([x.lower() for x in t])
    )
    assert numbers.tolist() == [0, 1, 0, 0]


def test_a_lesson_has_what_belongs_together(pairs: Pairs) -> None:
    captions = number_texts(pairs.captions, spell_texts)
    texts = tuple(dict.fromkeys(pairs.captions))
    course = Course(pairs, 60, captions, texts, ("{}",))
    batch = np.array([3, 1, 40])
    (lesson,) = teach(course, [batch], LetterHead(4, "abehkmnorstx"))
    assert lesson.images.dtype == torch.uint8
    assert lesson.images.shape == (3, 64, 64, 3)
    own = [pairs.captions[number] for number in batch]
    assert torch.equal(lesson.texts, spell(own))
    assert [texts[number] for number in lesson.captions.tolist()] == own
    assert lesson.letters is not None
    assert (lesson.letters > 0).sum(dim=1).tolist() == [2, 2, 2]


def test_prompts_are_for_captions_to_read_alone(pairs: Pairs) -> None:
    captions = number_texts(pairs.captions, spell_texts)
    course = Course(pairs, 60, captions, tuple(dict.fromkeys(pairs.captions)), ("a sign: {}",))
    (lesson,) = teach(course, [np.array([0, 60])])
    assert lesson.texts[:, 0].tolist() == [len("a sign: ??"), 2]


def test_every_prompt_has_its_turn_and_always_the_same(pairs: Pairs) -> None:
    captions = number_texts(pairs.captions, spell_texts)
    texts = tuple(dict.fromkeys(pairs.captions))
    course = Course(pairs, 60, captions, texts, ("{}", "a {}", "the {}"))
    batches = [np.array([number]) for number in range(30)]
    lengths = [lesson.texts[0, 0].item() for lesson in teach(course, batches)]
    assert set(lengths) == {2, 4, 6}
    again = [lesson.texts[0, 0].item() for lesson in teach(course, batches[7:])]
    assert again == lengths[7:]


def test_vectors_of_frozen_towers_stand_in(pairs: Pairs) -> None:
    captions = number_texts(pairs.captions, spell_texts)
    texts = tuple(dict.fromkeys(pairs.captions))
    images = np.arange(240, dtype=np.float32).reshape(120, 2)
    vectors = (np.arange(len(texts) * 2, dtype=np.float32).reshape(-1, 2),)
    course = Course(pairs, 60, captions, texts, ("{}",), images, vectors)
    (lesson,) = teach(course, [np.array([5, 9])])
    assert lesson.images.tolist() == images[[5, 9]].tolist()
    assert lesson.texts.tolist() == vectors[0][captions[[5, 9]]].tolist()
