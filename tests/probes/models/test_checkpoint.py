from __future__ import annotations

import io
import pickle
import struct
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
        f"the weights in {tmp_path / 'w.pt'} have visual.positional_embedding in shape (5, 32),"
        " but the model needs (17, 32); they were saved with another config, so load them with that config"
    )


def test_missing_tensors_are_named(
    tmp_path: Path, config_path: Path, state: dict[str, torch.Tensor]
) -> None:
    torch.save({"ln_final.bias": state["ln_final.bias"]}, tmp_path / "w.pt")
    n_more = len(state) - 4
    assert refuse(name=str(config_path), pretrained=str(tmp_path / "w.pt")) == (
        f"the weights in {tmp_path / 'w.pt'} lack ln_final.weight, logit_scale,"
        f" positional_embedding and {n_more} more tensors of the model; they were saved with another config, so load them with that config"
    )


def test_tensors_left_over_are_named(
    tmp_path: Path, config_path: Path, state: dict[str, torch.Tensor]
) -> None:
    torch.save(state | {"head.weight": torch.ones(1)}, tmp_path / "w.pt")
    assert refuse(name=str(config_path), pretrained=str(tmp_path / "w.pt")) == (
        f"the weights in {tmp_path / 'w.pt'} have head.weight, unknown to the model; they were saved with another config, so load them with that config"
    )


class Bomb:
    """Creates a file when it is unpickled."""

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
        f"{path} contains Python objects or is not a torch file, and is not unpickled; save its state dict as safetensors"
    )
    assert not mark.exists()


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_half_a_file_of_weights_is_refused(
    name: str, tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    path = tmp_path / name
    (save_file if path.suffix == ".safetensors" else torch.save)(state, path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ProbeError, match=r"broken; download|not unpickled; save"):
        read_state(path)


def test_an_archive_that_is_packed_is_not_unpacked(tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain.pt", tmp_path / "packed.pt"
    torch.save({"weight": torch.zeros(1000, 1000)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w") as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry), zipfile.ZIP_DEFLATED)
    with pytest.raises(ProbeError, match="has compressed entries"):
        read_state(packed)
    assert read_state(plain)["weight"].shape == (1000, 1000)


def save_bytes(content: object, *, is_old: bool = False) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=not is_old)
    return file.getvalue()


GOOD = save_bytes({"a": torch.zeros(4)})


def change_pickle(change: Callable[[bytes], bytes]) -> bytes:
    """Return a torch file with another description of the same tensors."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(GOOD)) as source, zipfile.ZipFile(made, "w") as target:
        for entry in source.infolist():
            raw = source.read(entry)
            is_pickle = entry.filename.endswith(".pkl")
            target.writestr(entry.filename, change(raw) if is_pickle else raw)
    return made.getvalue()


def state_size(number: int) -> Callable[[bytes], bytes]:
    return lambda raw: raw.replace(b"K\x04", b"J" + struct.pack("<i", number))


BROKEN_ARCHIVES: dict[str, bytes] = {
    "its end alone": GOOD[-22:],
    "a list of entries that is another thing": GOOD.replace(b"PK\x01\x02", b"XXXX"),
    "an end that points far": bytes(99) + b"PK\5\6" + struct.pack("<4H2IH", 0, 0, 9, 9, 500, 1 << 20, 0),
    "a tensor beyond the end of the file": change_pickle(state_size(1 << 28)),
    "a negative size": change_pickle(state_size(-1)),
    "a pickle without end": change_pickle(lambda raw: raw[:-1]),
    "a pickle of nothing": change_pickle(lambda _: b"."),
    "a pickle that takes what is not there": change_pickle(lambda _: b"R."),
    "a text of 2^60 bytes": change_pickle(lambda _: b"\x80\4\x8e" + struct.pack("<Q", 1 << 60) + b"."),
    "gigabytes of lists": change_pickle(lambda _: b"\x80\2" + b"]" * 3_000_000),
    "two pickles": GOOD.replace(b"archive/version", b"archive/ver.pkl"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN_ARCHIVES)
def test_an_archive_that_torch_did_not_write_is_refused(case: str, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(BROKEN_ARCHIVES[case])
    with pytest.raises(ProbeError) as caught:
        read_state(path)
    assert str(caught.value) == f"{path} is broken; download or save it again"


@pytest.mark.parametrize(
    "raw", [b"", b".", b"\x80\2}(.", b"\x80\2" + b"]" * 3_000_000, bytes(5000)]
)
def test_a_pickle_that_is_not_a_state_dict_is_not_built(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(raw)
    with pytest.raises(ProbeError) as caught:
        read_state(path)
    assert str(caught.value) == (
        f"{path} contains Python objects or is not a torch file, and is not unpickled; save its state dict as safetensors"
    )


def test_files_of_older_versions_of_torch_are_read_whole_or_refused(tmp_path: Path) -> None:
    path, raw = tmp_path / "w.pt", save_bytes({"a": torch.arange(4.0)}, is_old=True)
    path.write_bytes(raw)
    assert read_state(path)["a"].tolist() == [0, 1, 2, 3]
    for end in range(1, len(raw), 5):
        path.write_bytes(raw[:end])
        with pytest.raises(ProbeError, match=r"broken; download|not unpickled; save"):
            read_state(path)


ODD_STATES: dict[str, dict[object, torch.Tensor]] = {
    "1": {1: torch.zeros(2)},
    "(1,)": {(1,): torch.zeros(2)},
    "'on meta'": {"on meta": torch.zeros(2, device="meta")},
    "'sparse'": {"sparse": torch.sparse_coo_tensor([[0]], [1.0], (2,), check_invariants=False)},
    "'complex'": {"complex": torch.zeros(2, dtype=torch.complex64)},
    "'of a byte'": {"of a byte": torch.zeros(2, dtype=torch.float8_e5m2)},
}  # fmt: skip


@pytest.mark.parametrize("name", ODD_STATES)
def test_a_tensor_that_is_not_plain_numbers_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(save_bytes(ODD_STATES[name]))
    with pytest.raises(ProbeError) as caught:
        read_state(path)
    assert str(caught.value) == (
        f"{path} contains {name}, which is not a plain tensor of numbers with a name;"
        " save the model's state dict as safetensors"
    )


def pack(shape: str, end: int, body: bytes = b"", begin: int = 0) -> bytes:
    header = f'{{"a": {{"dtype": "F32", "shape": {shape}, "data_offsets": [{begin}, {end}]}}}}'
    return struct.pack("<Q", len(header)) + header.encode() + body


MANY = ", ".join(f'"{k:07}": {{"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}' for k in range(300_000))  # fmt: skip

BROKEN_SAFETENSORS: dict[str, bytes] = {
    "half a length": b"abc",
    "a negative length": struct.pack("<q", -1) + b"{}",
    "a giant length": struct.pack("<Q", 1 << 63) + b"{}",
    "a length beyond the end": struct.pack("<Q", 1 << 20) + b"{}",
    "a header of a gigabyte": struct.pack("<Q", 1 << 30) + b"{}",
    "a tensor beyond the end": pack("[1048576]", 4 << 20),
    "a shape larger than its bytes": pack("[99999999999, 99999999999]", 4, bytes(4)),
    "a shape that overflows": pack("[4294967296, 4294967296]", 0),
    "a negative shape": pack("[-1]", 4, bytes(4)),
    "a tensor before the beginning": pack("[1]", 0, bytes(4), begin=-4),
    "300,000 tensors": struct.pack("<Q", len(MANY) + 2) + f"{{{MANY}}}".encode(),
}


@pytest.mark.parametrize("case", BROKEN_SAFETENSORS)
def test_safetensors_that_lie_are_refused(case: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(BROKEN_SAFETENSORS[case])
    with pytest.raises(ProbeError) as caught:
        read_state(path)
    assert str(caught.value) == f"{path} is broken; download or save it again"


def test_names_and_shapes_from_elsewhere_are_shown_short(
    tmp_path: Path, config_path: Path, state: dict[str, torch.Tensor]
) -> None:
    odd = {"a\n\x1b[2J" + "b" * 5000: torch.zeros(1)}
    save_file(state | odd, tmp_path / "named.safetensors")
    flat = {"ln_final.bias": torch.zeros((1,) * 5000)}
    torch.save(state | flat, tmp_path / "flat.pt")
    for name in ("named.safetensors", "flat.pt"):
        said = refuse(name=str(config_path), pretrained=str(tmp_path / name))
        assert said.isprintable()
        assert len(said) < 500 + len(str(tmp_path))
