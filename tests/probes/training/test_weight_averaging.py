from __future__ import annotations

import pytest
import torch

from probes.training.weight_averaging import Mixture, choose_mixture, mix_states


def mixtures(*rows: tuple[float, float, float]) -> list[Mixture]:
    return [Mixture(alpha, reading, kept, drift=0.0) for alpha, reading, kept in rows]


def test_the_ends_of_a_mixture_are_the_ends() -> None:
    before = {"w": torch.randn(5), "n": torch.tensor(3)}
    after = {"w": torch.randn(5), "n": torch.tensor(9)}
    assert torch.equal(mix_states(before, after, 0.0)["w"], before["w"])
    assert torch.equal(mix_states(before, after, 1.0)["w"], after["w"])
    assert mix_states(before, after, 0.5)["n"] == 9


def test_half_a_mixture_is_the_middle() -> None:
    mixed = mix_states({"w": torch.tensor([0.0, 2.0])}, {"w": torch.tensor([1.0, 4.0])}, 0.5)
    assert mixed["w"].tolist() == [0.5, 3.0]


@pytest.mark.parametrize(
    ("limit", "alpha"),
    [(0.0, 0.0), (0.01, 0.4), (0.1, 0.4), (0.5, 1.0), (None, 1.0)],
)
def test_the_best_reader_within_the_limit_is_chosen(limit: float | None, alpha: float) -> None:
    tried = mixtures((0.0, 0.2, 0.90), (0.4, 0.6, 0.89), (0.8, 0.6, 0.85), (1.0, 0.9, 0.5))
    assert choose_mixture(tried, limit).alpha == alpha
