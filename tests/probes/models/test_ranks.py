from __future__ import annotations

import pytest
import torch

from probes.embeddings.images import Share, read_share
from probes.errors import ProbeError
from probes.models.device import choose_device


@pytest.fixture(autouse=True)
def no_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)


def test_a_share_is_what_torchrun_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_share() == Share(0, 1)
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert read_share() == Share(2, 3)


@pytest.mark.parametrize(
    ("name", "text", "least"),
    [
        ("RANK", "x", 0), ("RANK", "-1", 0), ("RANK", "", 0), ("RANK", "1_0", 0),
        ("RANK", "9" * 5000, 0), ("RANK", "²", 0), ("WORLD_SIZE", "0", 1), ("WORLD_SIZE", "1e3", 1),
    ],
)  # fmt: skip
def test_another_rank_is_one_sentence(
    name: str, text: str, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(ProbeError) as caught:
        read_share()
    assert str(caught.value) == (
        f"{name} in the environment is {text[:40]!r}; it is a whole number, {least} or more,"
        " that torchrun sets, so unset it or start with torchrun"
    )


def test_a_rank_beyond_its_world_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(ProbeError) as caught:
        read_share()
    assert str(caught.value) == (
        "RANK is 1 and WORLD_SIZE is 1; ranks are counted from 0, so start the processes with"
        " torchrun, or unset both"
    )


@pytest.mark.parametrize("text", ["-1", "x", "0.5"])
def test_another_local_rank_is_one_sentence(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", text)
    with pytest.raises(ProbeError, match=f"^LOCAL_RANK in the environment is '{text}'; "):
        choose_device("auto")


def test_a_local_rank_without_its_gpu_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "7")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ProbeError) as caught:
        choose_device("auto")
    assert str(caught.value) == (
        "device is 'cuda:7', but the last device of this machine is cuda:1; use that"
    )


@pytest.mark.parametrize("name", ["cuda:" + "9" * 5000, "cuda:٣", "cuda:-1", "cpu:x", "[/b]"])
def test_an_odd_device_is_one_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(ProbeError, match=r"it is auto, cpu, cuda or cuda:N$"):
        choose_device(name)
