from __future__ import annotations

import pytest
import torch
from open_clip.loss import ClipLoss, SigLipLoss

from probes.training.losses import (
    LOSSES,
    Batch,
    LetterHead,
    clip_loss,
    drift,
    list_letters,
    siglip_loss,
)


def make_batch(captions: list[int], n_dims: int = 8) -> Batch:
    generator = torch.Generator().manual_seed(0)
    images, texts = torch.randn(2, len(captions), n_dims, generator=generator)
    return Batch(images, texts, torch.tensor(captions), torch.tensor(5.0), torch.tensor(-1.0))


@pytest.mark.parametrize("masks", [True, False])
@pytest.mark.parametrize(("kind", "theirs"), [("clip", ClipLoss()), ("siglip", SigLipLoss())])
def test_without_equal_captions_the_loss_is_open_clips(kind: str, theirs, masks: bool) -> None:  # noqa: ANN001
    batch = make_batch([0, 1, 2, 3])
    unit = [torch.nn.functional.normalize(part, dim=-1) for part in (batch.images, batch.texts)]
    expected = theirs(*unit, batch.scale, batch.bias)
    assert LOSSES[kind](batch, masks=masks) == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("masks", [True, False])
def test_without_the_mask_alone_a_picture_is_pushed_away_from_its_word(
    kind: str, masks: bool
) -> None:
    # Two images of one word; the first fits both captions better, so the second is wrong.
    images = torch.tensor([[0.9, 0.44], [0.3, 0.95]], requires_grad=True)
    texts = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    batch = Batch(images, texts, torch.tensor([0, 0]), torch.tensor(5.0), torch.tensor(0.0))
    (gradient,) = torch.autograd.grad(LOSSES[kind](batch, masks=masks), images)
    is_pushed = float(gradient[0] @ texts[0]) > 1e-6
    assert is_pushed is not masks


def test_the_masked_clip_loss_by_hand() -> None:
    # Two images of one word and one of another, all logits 0: equal captions are masked in each
    # other's rows, which leaves two candidates there, and three in the last row.
    zero = torch.zeros(3, 2)
    batch = Batch(zero, zero, torch.tensor([4, 4, 7]), torch.tensor(1.0), None)
    expected = (2 * 0.693147 + 1.098612) / 3
    assert clip_loss(batch, masks=True) == pytest.approx(expected, abs=1e-5)
    assert clip_loss(batch, masks=False) == pytest.approx(1.098612, abs=1e-5)


def test_the_masked_siglip_loss_by_hand() -> None:
    ones = torch.ones(2, 1)
    batch = Batch(ones, ones, torch.tensor([4, 4]), torch.tensor(2.0), torch.tensor(0.0))
    # -log(sigmoid(2)) for each of four pairs, over two images.
    assert siglip_loss(batch, masks=True) == pytest.approx(2 * 0.126928, abs=1e-5)


def test_drift_is_one_minus_cosine() -> None:
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, 3.0]])
    assert drift(a, b) == pytest.approx(1 - 2**-0.5)
    assert drift(2 * a, a) == pytest.approx(0)


def test_letters_are_named_by_place() -> None:
    head = LetterHead(4, "abc")
    rows = head.name(["Ca", "äb", "c" * 40])
    assert rows[0, :3].tolist() == [4, 2, 0]
    assert rows[1, :3].tolist() == [1, 3, 0]
    assert rows[2].tolist() == [4] * rows.shape[1]


def test_the_commonest_letters_have_names() -> None:
    assert list_letters(["Bee", "bar"]) == "aber"
    many = [chr(0x4E00 + number) for number in range(60)] + ["zz"]
    assert "z" in list_letters(many)
    assert len(list_letters(many)) == 40


def test_a_head_learns_its_letters() -> None:
    torch.manual_seed(0)
    head = LetterHead(8, "ab")
    vectors = torch.randn(2, 8)
    letters = head.name(["ab", "ba"])
    optimizer = torch.optim.Adam(head.parameters(), lr=0.1)
    first = head(vectors, letters).item()
    for _ in range(30):
        optimizer.zero_grad()
        loss = head(vectors, letters)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05 < first
