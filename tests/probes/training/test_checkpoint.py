"""A killed run resumes only from exactly the same data, weights and options."""

from __future__ import annotations

import os
import pickle
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fake_encoders import BlindReader, model_of
from probes.arrays import Pixels, Vectors
from probes.data.designs import name_fonts
from probes.data.stimuli import hash_files, name_drawn
from probes.errors import ProbeError
from probes.tasks.config import ProbeConfig
from probes.tasks.linear_probe import run_linear
from probes.tasks.run import run_probe
from probes.tasks.words import show_words
from probes.training import epochs
from probes.training.checkpoint import CHECKPOINT
from probes.training.fit import train_model
from probes.vqa.questions import make_question_set
from synthtext.drawing.fonts import Catalogue
from synthtext.vqa.textvqa import Asked
from tiny_training import set_up, write_data, write_model


class CountingReader(BlindReader):
    """Counts the images that it has embedded."""

    def __init__(self) -> None:
        self.n_seen = 0

    def embed_images(self, images: Sequence[Pixels]) -> Vectors:
        self.n_seen += len(images)
        return super().embed_images(images)


def write_image(path: Path, level: int) -> None:
    """Write an image of one colour; all have the same file size and modification time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((32, 32, 3), level, np.uint8)).save(path, "BMP")
    os.utime(path, (0, 0))


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """Reviews as images, as Rendered SST2 is published."""
    folder = tmp_path / "reviews"
    for split in ("train", "valid", "test"):
        for place, label in enumerate(("negative", "positive")):
            for number in range(3):
                path = folder / split / label / f"{number}.bmp"
                write_image(path, 100 * place + number)
    return folder


def break_off(monkeypatch: pytest.MonkeyPatch, call: Callable[[], object], name: str) -> None:
    """Stop a probe after its vectors and before its outcomes are written."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(f"probes.tasks.run.{name}", die)
        with pytest.raises(KeyboardInterrupt):
            call()


@pytest.mark.parametrize("is_replaced", [False, True])
def test_images_that_were_replaced_are_embedded_again(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_replaced: bool
) -> None:
    monkeypatch.setattr("probes.tasks.run.find_cache_folder", lambda: tmp_path / "texts")
    config = ProbeConfig(task="sentiment", data=reviews, templates=("{}",))
    model = model_of(BlindReader())
    break_off(monkeypatch, lambda: run_probe(model, config, tmp_path / "out"), "write_outcomes")
    if is_replaced:
        write_image(reviews / "test/positive/1.bmp", 7)
    probe = run_probe(model, config, tmp_path / "out")
    assert probe
    assert probe.stats.n_images == (6 if is_replaced else 0)


def test_an_image_whose_name_is_not_text_is_left_out(reviews: Path, tmp_path: Path) -> None:
    write_image(reviews / "test/positive" / os.fsdecode(b"\xff.bmp"), 3)
    config = ProbeConfig(task="sentiment", data=reviews, templates=("{}",))
    probe = run_probe(model_of(BlindReader()), config, tmp_path / "out")
    assert probe
    assert probe.broken == (r"positive/b'\xff.bmp'",)
    assert len(probe.outcomes) == 6


def test_a_linear_probe_embeds_replaced_images_again(reviews: Path, tmp_path: Path) -> None:
    encoder = CountingReader()
    model = model_of(encoder)
    run_linear(model, reviews, tmp_path / "v")
    assert encoder.n_seen == 18
    write_image(reviews / "train/negative/0.bmp", 9)
    run_linear(model, reviews, tmp_path / "v")
    assert encoder.n_seen == 18 + 6


def test_questions_are_asked_about_the_images_that_are_there(tmp_path: Path) -> None:
    encoder = CountingReader()
    asked = Asked(
        key="0", picture="a", file="a.bmp", question="what?", answers=("x",), box=None
    )
    folder, cache = tmp_path / "images", tmp_path / "v"
    for level in (1, 1, 2):
        write_image(folder / "a.bmp", level)
        make_question_set(model_of(encoder), [asked], folder, cache, windows=False)
    assert encoder.n_seen == 2


def test_equal_sizes_and_times_are_not_equal_bytes(tmp_path: Path) -> None:
    one, other = tmp_path / "a.bmp", tmp_path / "b.bmp"
    write_image(one, 1)
    write_image(other, 2)
    assert one.stat().st_size == other.stat().st_size
    assert one.stat().st_mtime_ns == other.stat().st_mtime_ns
    assert len({hash_files([one]), hash_files([other]), hash_files([one, other])}) == 3


def test_a_design_is_known_by_the_bytes_of_its_fonts(fonts: Catalogue, tmp_path: Path) -> None:
    trials = name_fonts(show_words(ProbeConfig(n=2, ks=(2,), design="blur"))[0], fonts)
    changed = {}
    for file, font in fonts.fonts.items():
        path = tmp_path / file
        path.write_bytes(font.path.read_bytes()[:-1] + b"\x01")
        changed[file] = replace(font, path=path)
    named = {name_drawn(trials, each) for each in (fonts, fonts, Catalogue(changed))}
    assert len(named) == 2


# Training.


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("d") / "d", 300)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("m") / "m")


def refuse(call: Callable[[], object]) -> str:
    with pytest.raises(ProbeError) as caught:
        call()
    return str(caught.value)


def test_training_does_not_go_on_with_other_bytes(
    data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = set_up(model, data, schedule={"n_steps": 1})
    train_model(config, tmp_path)
    # As if the shards had been replaced, but not dataset.json.
    monkeypatch.setattr("probes.training.fit.hash_files", lambda _: "other bytes")
    assert refuse(lambda: train_model(config, tmp_path)) == (
        f"{tmp_path} contains another run, with other data, weights or options; give the same ones, a new --out, or --overwrite"
    )


def test_training_does_not_go_on_towards_other_text_vectors(
    data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epochs, "find_cache_folder", lambda: tmp_path / "texts")
    config = set_up(model, data, arm="vision", schedule={"n_steps": 1})
    train_model(config, tmp_path / "out")
    embed = epochs.embed_prompts

    def change(how: Callable[[Vectors], Vectors]) -> None:
        monkeypatch.setattr(
            epochs,
            "embed_prompts",
            lambda *given: [how(each) for each in embed(*given)],
        )

    # The results of another machine are close enough.
    change(lambda vectors: vectors + np.float32(1e-4))
    train_model(config, tmp_path / "out")
    change(lambda vectors: vectors[::-1].copy())
    assert refuse(lambda: train_model(config, tmp_path / "out")) == (
        f"{tmp_path / 'out'} was trained with other text embeddings than the model computes now; continue with the same model and device, or give a new --out"
    )


class RunsCode:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.marker,)


Content = dict[str, Any]

HOSTILE: dict[str, Callable[[Content], object]] = {
    "a step that is text": lambda content: content.update(step="1"),
    "a step below 0": lambda content: content.update(step=-1),
    "a giant epoch": lambda content: content.update(epoch=10**400),
    "no place": lambda content: content.pop("place"),
    "an order beyond the pairs": lambda content: content.update(order=torch.tensor([10**6])),
    "an order without end": lambda content: content.update(
        order=torch.zeros(1, dtype=torch.int64).expand(1 << 40)
    ),
    "a history of texts": lambda content: content.update(history=[{"loss": "x"}]),
    "a history that is a number": lambda content: content.update(history=5),
    "weights without end": lambda content: content["trained_clip"].update(
        {name: torch.zeros(1).expand(1 << 40) for name in content["trained_clip"]}
    ),
    "weights of other names": lambda content: content["trained_clip"].update(
        other=torch.zeros(1)
    ),
    "no weights": lambda content: content.update(trained_clip={}),
    "an optimiser of texts": lambda content: content.update(optimizer="x"),
    "an optimiser of other weights": lambda content: content["optimizer"]["state"].update(
        {10**6: {}}
    ),
    "chance of another kind": lambda content: content.update(chance=torch.zeros(3)),
    "a history without names": lambda content: content.update(history=[{1: 0.5}]),
    "a list": lambda content: content.clear(),
}


@pytest.fixture(scope="module")
def begun(data: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("begun")
    train_model(set_up(model, data, schedule={"n_steps": 1}), folder)
    return folder


def resume_with(raw: bytes, begun: Path, data: Path, model: Path) -> str:
    path = begun / CHECKPOINT
    whole = path.read_bytes()
    path.write_bytes(raw)
    try:
        return refuse(lambda: train_model(set_up(model, data, schedule={"n_steps": 1}), begun))
    finally:
        path.write_bytes(whole)


def test_a_resumed_run_writes_the_checkpoint_of_an_unbroken_one(
    data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "probes.training.loop.time", SimpleNamespace(perf_counter=count().__next__)
    )
    config = set_up(model, data, schedule={"n_steps": 2, "save_every": 1})

    def stop(_: str, done: int, total: int, __: str) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_model(config, tmp_path / "broken", on_progress=stop)
    for name in ("broken", "unbroken"):
        train_model(config, tmp_path / name)
    broken, unbroken = (tmp_path / name / CHECKPOINT for name in ("broken", "unbroken"))
    assert broken.read_bytes() == unbroken.read_bytes()


@pytest.mark.parametrize("case", HOSTILE)
def test_a_checkpoint_that_no_run_wrote_is_refused(
    case: str, begun: Path, data: Path, model: Path, tmp_path: Path
) -> None:
    content = torch.load(begun / CHECKPOINT, weights_only=True)
    HOSTILE[case](content)
    torch.save(content, tmp_path / "hostile.pt")
    said = resume_with((tmp_path / "hostile.pt").read_bytes(), begun, data, model)
    assert said == f"{begun / CHECKPOINT} is broken; delete it to start again"


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_checkpoint_runs_no_code(
    begun: Path, data: Path, model: Path, tmp_path: Path, *, is_packed: bool
) -> None:
    marker, path = tmp_path / "ran", tmp_path / "hostile.pt"
    path.write_bytes(pickle.dumps(RunsCode(marker)))
    if is_packed:
        torch.save({"run": RunsCode(marker)}, path)
    said = resume_with(path.read_bytes(), begun, data, model)
    assert said == f"{begun / CHECKPOINT} is broken; delete it to start again"
    assert not marker.exists()


def test_a_checkpoint_of_another_pickle_protocol_is_one_sentence(
    begun: Path, data: Path, model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "hostile.pt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps({"run": "x"}, protocol=4))
        file.writestr("archive/version", "3\n")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        said = resume_with(path.read_bytes(), begun, data, model)
    assert said == f"{begun / CHECKPOINT} is broken; delete it to start again"
    assert [
        str(warning.message) for warning in warned if "pickle" in str(warning.message)
    ] == []


BREAKS: dict[str, Callable[[bytes], bytes]] = {
    "its end alone": lambda raw: raw[-22:],
    "no end": lambda raw: raw[:-22],
    "a list of entries that is another thing": lambda raw: raw.replace(b"PK\x01\x02", b"XXXX"),
    "another thing": lambda _: b"\x80\x02]" * 5000,
    "a pickle without an archive": lambda _: pickle.dumps({"run": "x", "texts": 0}, protocol=2),
}


@pytest.mark.parametrize("case", BREAKS)
def test_a_checkpoint_that_is_not_a_whole_archive_is_refused(
    case: str, begun: Path, data: Path, model: Path
) -> None:
    raw = BREAKS[case]((begun / CHECKPOINT).read_bytes())
    said = resume_with(raw, begun, data, model)
    assert said == f"{begun / CHECKPOINT} is broken; delete it to start again"
