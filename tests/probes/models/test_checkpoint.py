from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from probes.errors import ProbeError
from probes.models.checkpoint import hash_state, read_state
from probes.models.factory import load_model
from tiny_clip import TINY, change, make_state, refuse, write_folder, write_json


@pytest.fixture(scope="module")
def config_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_json(tmp_path_factory.mktemp("config") / "tiny.json", TINY)


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return make_state()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path)


def test_a_hash_of_weights_changes_with_name_type_shape_and_bytes() -> None:
    part = torch.arange(4.0)
    variants = [{"a": part}, {"b": part}, {"a": part.view(2, 2)}, {"a": part + 1}]
    variants += [{"a": part.view(torch.int32)}, {"a": part.bfloat16()}]
    assert len({hash_state(variant) for variant in variants}) == len(variants)


@pytest.mark.parametrize("wrap", [dict, lambda state: {"epoch": 3, "state_dict": state}])
def test_a_pt_file_holds_the_same_weights_as_safetensors(
    folder: Path,
    config_path: Path,
    state: dict[str, torch.Tensor],
    wrap: Callable[[dict[str, torch.Tensor]], object],
) -> None:
    torch.save(wrap({f"module.{name}": part for name, part in state.items()}), folder / "w.pt")
    model = load_model(str(config_path), pretrained=str(folder / "w.pt"), device="cpu")
    assert model.weights_sha256 == load_model(str(folder), device="cpu").weights_sha256


def test_half_precision_weights_are_kept_exactly(
    tmp_path: Path, config_path: Path, state: dict[str, torch.Tensor]
) -> None:
    halves = {name: part.bfloat16() for name, part in state.items()}
    save_file(halves, tmp_path / "half.safetensors")
    path = str(tmp_path / "half.safetensors")
    model = load_model(str(config_path), pretrained=path, device="cpu")
    assert model.weights_sha256 == hash_state({k: v.float() for k, v in halves.items()})


def test_weights_of_another_shape_are_not_resized(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    torch.save(state, tmp_path / "w.pt")
    larger = write_json(tmp_path / "large.json", change(TINY, "vision_cfg", image_size=64))
    assert refuse(name=str(larger), pretrained=str(tmp_path / "w.pt")) == (
        f"the weights in {tmp_path / 'w.pt'} hold visual.positional_embedding in shape (5, 32),"
        " but the model wants (17, 32); they were saved from another config, so load them with"
        " the config they came with"
    )


def test_missing_tensors_are_named(
    tmp_path: Path, config_path: Path, state: dict[str, torch.Tensor]
) -> None:
    torch.save({"ln_final.bias": state["ln_final.bias"]}, tmp_path / "w.pt")
    n_more = len(state) - 4
    assert refuse(name=str(config_path), pretrained=str(tmp_path / "w.pt")) == (
        f"the weights in {tmp_path / 'w.pt'} lack ln_final.weight, logit_scale,"
        f" positional_embedding and {n_more} more tensors of the model; they were saved from"
        " another config, so load them with the config they came with"
    )


def test_tensors_left_over_are_named(
    tmp_path: Path, config_path: Path, state: dict[str, torch.Tensor]
) -> None:
    torch.save(state | {"head.weight": torch.ones(1)}, tmp_path / "w.pt")
    assert refuse(name=str(config_path), pretrained=str(tmp_path / "w.pt")) == (
        f"the weights in {tmp_path / 'w.pt'} hold head.weight, unknown to the model; they were"
        " saved from another config, so load them with the config they came with"
    )


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_holds_code_is_refused_and_runs_nothing(
    tmp_path: Path, *, zipped: bool
) -> None:
    path, mark = tmp_path / "w.pt", tmp_path / "exploded"
    if zipped:
        torch.save({"state_dict": Bomb(mark)}, path)
    else:
        path.write_bytes(pickle.dumps(Bomb(mark), protocol=2))
    with pytest.raises(ProbeError) as caught:
        read_state(path)
    assert str(caught.value) == (
        f"{path} holds Python objects or is not a file of torch, and is not unpickled;"
        " save its state dict as safetensors"
    )
    assert not mark.exists()


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_half_a_file_of_weights_is_refused(
    name: str, tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    path = tmp_path / name
    (save_file if path.suffix == ".safetensors" else torch.save)(state, path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ProbeError, match=r"broken; fetch|not unpickled; save"):
        read_state(path)


def test_an_archive_that_is_packed_is_not_unpacked(tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain.pt", tmp_path / "packed.pt"
    torch.save({"weight": torch.zeros(1000, 1000)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w") as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry), zipfile.ZIP_DEFLATED)
    with pytest.raises(ProbeError, match="holds compressed entries"):
        read_state(packed)
    assert read_state(plain)["weight"].shape == (1000, 1000)
