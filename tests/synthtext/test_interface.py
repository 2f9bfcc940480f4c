from __future__ import annotations

import io
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, DistributedSampler

import synthtext
from synthtext.dataset import map_style
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.plan import make_plan
from synthtext.drawing.fonts import Catalogue
from synthtext.errors import DatasetError, DrawError, SpecError
from synthtext.recipe import default_recipe
from synthtext.sampling import sample_spec
from synthtext.texts.words import Texts


def collect(renderings: list[synthtext.Rendering]) -> list[str]:
    return [rendering.spec.key for rendering in renderings]


@pytest.fixture
def folder(words: Texts, fonts: Catalogue, tmp_path: Path) -> Path:
    plan = make_plan(default_recipe(), {"word": words}, fonts, seed=2, count=100)
    render_dataset(plan, tmp_path / "out")
    return tmp_path / "out"


def test_every_name_that_is_offered_is_there() -> None:
    for name in synthtext.__all__:
        assert ">>>" in getattr(synthtext, name).__doc__
    assert dir(synthtext) == synthtext.__all__
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        synthtext.nothing  # noqa: B018


def test_the_import_alone_loads_nothing_heavy() -> None:
    script = "import sys, synthtext; print({'cv2', 'numpy', 'torch'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_a_split_is_loaded_as_it_was_drawn(folder: Path) -> None:
    pictures = synthtext.load(folder, "train")
    assert len(pictures) == len({rendering.spec.key for rendering in pictures})
    assert all(rendering.spec.split == "train" for rendering in pictures)
    assert pictures[-1].spec.key == list(pictures)[-1].spec.key
    with pytest.raises(DatasetError, match="has no images in the split 'dev'"):
        synthtext.load(folder, "dev")


def test_workers_and_ranks_see_every_image_once(folder: Path) -> None:
    pictures = synthtext.load(folder)
    seen: list[str] = []
    for rank in range(2):
        sampler = DistributedSampler(pictures, 2, rank, drop_last=True)
        loader = DataLoader(
            pictures, batch_size=7, sampler=sampler, num_workers=2, collate_fn=collect,
            multiprocessing_context="spawn",
        )  # fmt: skip
        seen += [key for batch in loader for key in batch]
    assert len(seen) == len(set(seen)) == len(pictures) // 2 * 2


def test_a_stream_draws_what_a_render_writes(folder: Path, tmp_path: Path) -> None:
    words = str(tmp_path / "words.txt")
    pictures = synthtext.stream(words=words, count=100, seed=2)
    written = synthtext.load(folder)
    assert len(pictures) == len(written)
    for number in (0, 41, len(written) - 1):
        drawn = pictures[number]
        assert drawn.spec == written[number].spec
        kept = synthtext.decode(synthtext.encode(drawn, "jpg"))
        assert (kept.pixels == written[number].pixels).all()
    assert (pictures[5].pixels == pictures[5].pixels).all()
    with pytest.raises(IndexError):
        pictures[len(pictures)]


def test_a_stream_is_drawn_by_workers_in_exact_epochs(tmp_path: Path, words: Texts) -> None:
    pictures = synthtext.stream(words=str(tmp_path / "words.txt"), count=60)
    loader = DataLoader(
        pictures, batch_size=8, shuffle=True, num_workers=2, collate_fn=collect,
        generator=torch.Generator().manual_seed(0), multiprocessing_context="spawn",
    )  # fmt: skip
    for _ in range(2):
        keys = [key for batch in loader for key in batch]
        assert len(keys) == len(set(keys)) == len(pictures)


def test_a_stream_may_be_as_good_as_endless(tmp_path: Path, words: Texts) -> None:
    (tmp_path / "words.txt").write_text("\n".join(words.items))
    pictures = synthtext.stream(words=str(tmp_path / "words.txt"), count=10**12)
    assert len(pictures) > 8 * 10**11
    loader = DataLoader(
        pictures, num_workers=2, batch_size=8, collate_fn=collect,
        multiprocessing_context="spawn",
    )  # fmt: skip
    batches = iter(loader)
    keys = [key for _ in range(5) for key in next(batches)]
    assert keys == [f"{number:09d}" for number in range(40)]
    texts = {pictures[number].spec.text for number in range(10**11, 10**11 + 40)}
    assert len(texts) > 1


def to_small(image: Image.Image) -> torch.Tensor:
    return torch.tensor(np.asarray(image.resize((32, 32))).transpose(2, 0, 1) / 255)


def test_a_loader_batches_pairs_by_itself(folder: Path, words: Texts, tmp_path: Path) -> None:
    drawn = synthtext.load(folder)
    streamed = {"words": str(tmp_path / "words.txt"), "count": 100, "seed": 2}
    for pictures in (
        synthtext.load(folder, transform=to_small),
        synthtext.stream(**streamed, transform=to_small),
    ):
        images, texts = next(iter(DataLoader(pictures, batch_size=4)))
        assert images.shape == (4, 3, 32, 32)
        assert list(texts) == [drawn[k].spec.drawn_text for k in range(4)]


def test_a_target_may_be_anything_that_is_recorded(folder: Path) -> None:
    pictures = synthtext.load(
        folder, target=lambda r: {"label": r.spec.class_index, "size": r.spec.size_px}
    )
    pixels, targets = next(iter(DataLoader(pictures, batch_size=4)))
    assert pixels.shape == (4, 224, 224, 3)
    assert targets["label"].tolist() == [
        synthtext.load(folder)[k].spec.class_index for k in range(4)
    ]
    assert targets["size"].dtype == torch.float64


def test_what_is_drawn_shows_itself(folder: Path) -> None:
    spec = synthtext.make_spec("quartz", size_px=20, case="upper")
    rendering = synthtext.render(spec)
    with Image.open(io.BytesIO(rendering._repr_png_())) as shown:
        assert (np.asarray(shown) == rendering.pixels).all()
    assert (np.asarray(rendering.image) == rendering.pixels).all()
    assert repr(rendering) == "<Rendering 'QUARTZ', Lato_400Regular.ttf at 20 px, 224x224 px>"
    n = len(synthtext.load(folder))
    assert repr(synthtext.load(folder)) == f"<Dataset of {n} images, train>"


@pytest.mark.parametrize(
    ("factors", "sentence"),
    [
        ({"size": 20}, "a spec has no field 'size'; did you mean size_px"),
        ({"size_px": "20"}, "size_px is '20'; it must be of type float"),
        ({"blur_px": -1}, "blur_px is -1.0; "),
    ],
)
def test_a_spec_that_cannot_be_made_is_one_sentence(
    factors: dict[str, object], sentence: str
) -> None:
    with pytest.raises(SpecError) as caught:
        synthtext.make_spec("quartz", **factors)
    assert str(caught.value).startswith(sentence)


def test_a_stream_of_a_split_without_texts_is_said(tmp_path: Path, words: Texts) -> None:
    with pytest.raises(DatasetError) as caught:
        synthtext.stream(
            words=str(tmp_path / "words.txt"), split="val", edits={"splits": "1,0,0"}
        )
    assert str(caught.value) == "there are no images in the split 'val'; choose train"


@pytest.mark.parametrize("count", [700, 10**6])
def test_a_stream_samples_an_image_as_it_is_sampled_alone(count: int) -> None:
    pictures = synthtext.stream(words="en", count=count, seed=3)
    plan, source = pictures._plan, pictures._source
    numbers = [300, 301, 299, 5, 300, 0, len(pictures) - 1, 128, 127]
    for number in numbers:
        alone = sample_spec(
            plan.recipe, source, plan.fonts, seed=3, index=source.first + number
        )
        assert pictures._sample(number) == alone


def test_a_stream_keeps_no_more_blocks_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_style, "BLOCK", 4)
    monkeypatch.setattr(map_style, "MAX_BLOCKS", 3)
    monkeypatch.setattr(map_style, "N_RECENT", 3)
    pictures = synthtext.stream(words="en", count=100)
    runs = []
    sample_run = pictures._sample_run
    monkeypatch.setattr(
        pictures,
        "_sample_run",
        lambda numbers: runs.append((numbers[0], numbers[-1] + 1)) or sample_run(numbers),
    )
    for number in [0, 1, 2, 50, 51, 60, 1, 70, 71, 80, 81, 0]:
        pictures._sample(number)
    # A long stream samples a whole block once two consecutive images are requested.
    assert runs == [
        (0, 4),
        (50, 51),
        (48, 52),
        (60, 61),
        (70, 71),
        (68, 72),
        (80, 81),
        (80, 84),
    ]
    assert len(pictures._kept) == 3


@pytest.mark.parametrize("count", [700, 10**6])
def test_a_batch_holds_what_its_images_are_alone(count: int) -> None:
    pictures = synthtext.stream(words="en", count=count, seed=3)
    numbers = [300, 5, len(pictures) - 1, 301, 5]
    for number, together in zip(numbers, pictures.__getitems__(numbers), strict=True):
        alone = synthtext.stream(words="en", count=count, seed=3)[number]
        assert together.spec == alone.spec
        assert (together.pixels == alone.pixels).all()
    with pytest.raises(IndexError, match=f"{len(pictures)} is not one of"):
        pictures.__getitems__([len(pictures)])


SHORT = {"arc_deg": "0,300", "splits": "1,0,0"}
"""A recipe by which half of the images cannot be drawn, as their words are short."""


@pytest.fixture
def short(tmp_path: Path) -> str:
    path = tmp_path / "short.txt"
    path.write_text("\n".join(["ox", "it", "so", "we", "am", "be", "go", "up"]))
    return str(path)


def test_an_image_that_cannot_be_drawn_is_replaced_by_the_next(short: str) -> None:
    pictures = synthtext.stream(words=short, count=40, edits=SHORT)
    strict = synthtext.stream(words=short, count=40, edits=SHORT, errors="raise")
    drawn = []
    for number in range(40):
        try:
            drawn.append(strict[number].spec.index)
        except DrawError:
            continue
    assert 5 < len(drawn) < 35
    with pytest.warns(UserWarning, match="cannot be drawn, so image") as said:
        found = [picture.spec.index for picture in pictures]
    # The one after the last is the first.
    assert found == [
        next((place for place in drawn if place >= k), drawn[0]) for k in range(40)
    ]
    assert len(said) == 1
    first = next(k for k in range(40) if k not in drawn)
    assert str(said[0].message) == (
        f"image {first} cannot be drawn, so image {found[first]} takes its place, as will be"
        f" done with others without a warning: {explain(strict, first)}"
    )


def explain(pictures: synthtext.Stream, number: int) -> str:
    with pytest.raises(DrawError) as caught:
        pictures[number]
    return str(caught.value)


@pytest.mark.filterwarnings("ignore:image .* cannot be drawn")
def test_workers_replace_images_as_one_process_does(short: str) -> None:
    pictures = synthtext.stream(words=short, count=40, edits=SHORT, transform=np.array)
    loader = DataLoader(pictures, batch_size=None, num_workers=2, shuffle=False)
    alone = [pictures[number] for number in reversed(range(40))][::-1]
    for (pixels, text), (expected, word) in zip(loader, alone, strict=True):
        assert text == word
        assert np.array_equal(pixels, expected)


def test_a_stream_of_nothing_that_can_be_drawn_ends_in_a_sentence(short: str) -> None:
    edits = {**SHORT, "arc_deg": "300"}
    pictures = synthtext.stream(words=short, count=1000, edits=edits)
    last = explain(synthtext.stream(words=short, count=1000, edits=edits, errors="raise"), 106)
    assert explain(pictures, 7) == (
        f"none of the 100 images from 7 on can be drawn; of the last: {last}"
    )
    few = synthtext.stream(words=short, count=3, edits=edits)
    assert explain(few, 2).startswith("none of the 3 images from 2 on can be drawn; of the")


def test_what_a_stream_does_with_errors_is_one_of_two(short: str) -> None:
    with pytest.raises(DatasetError) as caught:
        synthtext.stream(words=short, errors="skip")
    assert str(caught.value) == "errors is 'skip'; it is replace or raise"


def test_a_stream_goes_to_another_process_without_what_it_sampled() -> None:
    pictures = synthtext.stream(words="en", count=1000)
    pictures._sample_run(range(1))
    size = len(pickle.dumps(pictures))
    pictures._sample(500)
    assert len(pickle.dumps(pictures)) == size
    assert pickle.loads(pickle.dumps(pictures))._sample(500) == pictures._sample(500)
