from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from torch import nn

from probes.errors import ProbeError
from probes.models.checkpoint import read_state
from probes.models.factory import load_model
from probes.models.pretrained import find_source, find_weights
from probes.models.registry import read_registry
from probes.models.torchscript import is_openai
from tiny_clip import TINY, draw_pictures, write_json


class Holder(nn.Module):
    """A module with named parts, which scripting keeps."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def copy_as_holder(module: nn.Module) -> nn.Module:
    """Return modules with the same names and tensors."""
    holder = Holder()
    for name, part in module.named_parameters(recurse=False):
        holder.register_parameter(name, nn.Parameter(part.detach().half()))
    for name, buffer in module.named_buffers(recurse=False):
        holder.register_buffer(name, buffer)
    for name, child in module.named_children():
        holder.add_module(name, copy_as_holder(child))
    return holder


def write_archive(path: Path) -> dict[str, torch.Tensor]:
    """Write a tiny CLIP in OpenAI's format, in half precision, and return its tensors."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        clip = open_clip.CLIP(**TINY, quick_gelu=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        holder = copy_as_holder(clip)
        for name, number in (
            ("input_resolution", 32),
            ("context_length", 16),
            ("vocab_size", 9),
        ):
            holder.register_buffer(name, torch.tensor(number))
        torch.jit.save(torch.jit.script(holder), path)
    return dict(holder.state_dict())


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_archive(tmp_path / "tiny.pt")
    return tmp_path / "tiny.pt"


def test_an_archive_of_openai_holds_the_tensors_that_were_saved(tmp_path: Path) -> None:
    expected = write_archive(tmp_path / "w.pt")
    found = read_state(tmp_path / "w.pt")
    assert set(found) == set(expected) - {"attn_mask"}
    for name, part in found.items():
        assert part.dtype == expected[name].dtype
        assert torch.equal(part, expected[name]), name


def test_an_archive_by_its_name_alone_computes_quickgelu(archive: Path, tmp_path: Path) -> None:
    config = write_json(tmp_path / "tiny.json", TINY | {"quick_gelu": True})
    model = load_model(str(config), pretrained=str(archive), device="cpu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        clip = open_clip.CLIP(**TINY, quick_gelu=True).half().float().eval()
    vectors = model.encoder.embed_texts(["paper", "stone"])
    tokens = open_clip.SimpleTokenizer(context_length=16)(["paper", "stone"])
    with torch.inference_mode():
        expected = clip.encode_text(tokens, normalize=True).numpy()
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert model.encoder.embed_images(draw_pictures((40, 40))).shape == (1, 32)


def test_openais_file_under_a_name_with_several_weights_means_openais(archive: Path) -> None:
    source = find_source("ViT-B-32", str(archive), read_registry())
    assert source.config["quick_gelu"] is True
    assert source.weights == archive
    assert source.preprocessing.mean == (0.48145466, 0.4578275, 0.40821073)


def test_what_pip_install_clip_leaves_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    (tmp_path / ".cache/clip").mkdir(parents=True)
    file = tmp_path / ".cache/clip/ViT-B-32.pt"
    file.touch()
    details = read_registry().tags["ViT-B-32"]["openai"]
    assert find_weights({"url": details["url"]}) == file


def test_another_archive_is_not_taken_for_openais(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "w.pt")
    assert not is_openai(tmp_path / "w.pt")
    assert set(read_state(tmp_path / "w.pt")) == {"weight", "bias"}


def rewrite(path: Path, change: Callable[[str, bytes], bytes]) -> None:
    """Rewrite an archive with other bytes in some of its entries."""
    with zipfile.ZipFile(path) as source:
        entries = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(path, "w") as target:
        for name, raw in entries.items():
            target.writestr(name, change(name, raw))


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.mark,)


def test_code_in_the_pickle_of_an_archive_does_not_run(archive: Path, tmp_path: Path) -> None:
    bomb = pickle.dumps(Touch(tmp_path / "exploded"), protocol=2)
    rewrite(archive, lambda name, raw: bomb if name.endswith("/data.pkl") else raw)
    with pytest.raises(
        ProbeError, match=r"cannot be read: it asks for .*; save its state dict"
    ):
        read_state(archive)
    assert not (tmp_path / "exploded").exists()


def test_code_beside_the_tensors_is_not_looked_at(archive: Path) -> None:
    before = read_state(archive)
    rewrite(archive, lambda name, raw: b"raise SystemExit" if "/code/" in name else raw)
    assert set(read_state(archive)) == set(before)


def make_tensor(size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> bytes:
    """Return the pickle of a module with one tensor of eight numbers, as in TorchScript."""
    out = io.BytesIO()
    out.write(b"\x80\x02c__torch__\nM\n)\x81}X\x01\x00\x00\x00w")
    out.write(b"ctorch._utils\n_rebuild_tensor_v2\n(")
    out.write(b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000")
    out.write(b"X\x03\x00\x00\x00cpuK\x08tQ")
    out.write(pickle.dumps(offset, 2)[2:-1])
    out.write(pickle.dumps(size, 2)[2:-1] + pickle.dumps(stride, 2)[2:-1])
    out.write(b"\x89ccollections\nOrderedDict\n)RtRsb.")
    return out.getvalue()


def write_one(path: Path, raw: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", raw)
        archive.writestr("a/constants.pkl", b"")
        archive.writestr("a/data/0", np.arange(8, dtype="<f4").tobytes())
    return path


def test_a_tensor_lies_as_its_strides_say(tmp_path: Path) -> None:
    path = write_one(tmp_path / "w.pt", make_tensor((2, 3), (1, 2), 1))
    assert read_state(path)["w"].tolist() == [[1, 3, 5], [2, 4, 6]]


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [((3, 3), (3, 1), 0), ((2, 2), (2, 1), 6), ((1000, 1000), (0, 0), 0), ((-1,), (1,), 0)],
)
def test_a_tensor_beyond_its_bytes_is_refused(
    tmp_path: Path, size: tuple[int, ...], stride: tuple[int, ...], offset: int
) -> None:
    path = write_one(tmp_path / "w.pt", make_tensor(size, stride, offset))
    with pytest.raises(
        ProbeError, match=r"is broken \('a tensor .*'\); download or save it again"
    ):
        read_state(path)


def test_half_an_archive_is_refused(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:5000])
    with pytest.raises(ProbeError):
        read_state(archive)
