"""A sample is in one shard, under its own key, and its files agree."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from synthtext.dataset.codec import Sample, encode
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.plan import make_plan
from synthtext.dataset.shards import read_samples, write_shard
from synthtext.dataset.verify import verify_dataset
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.rendering import Rendering, render
from synthtext.errors import ShardError
from synthtext.export.export import export_dataset
from synthtext.export.items import read_shard_items
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.spec import Spec
from synthtext.texts.words import read_words


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, fonts: Catalogue) -> Path:
    """A finished dataset of 60 images in shards of 20; copy it before damaging it."""
    folder = tmp_path_factory.mktemp("dataset") / "out"
    recipe = edit_recipe(default_recipe(), {"shard_size": "20", "image_format": "png"})
    render_dataset(make_plan(recipe, {"word": read_words("en")}, fonts, count=60), folder)
    return folder


@pytest.fixture
def harmed(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "d"))


def test_a_sample_of_another_shard_is_a_fault(harmed: Path) -> None:
    first, second = sorted((harmed / "train").glob("*.tar"))[:2]
    moved = next(read_samples(first))
    write_shard(second, [moved, *read_samples(second)])
    faults = list(verify_dataset(harmed))
    fault = f"train/{second.name} contains {moved.key!r}, which is in another shard; render it again"
    assert fault in faults


def write_split(folder: Path, drawn: list[Rendering], n: int) -> None:
    """Write a dataset whose split test has two shards, of the first n images and the others."""
    manifest = orjson.loads((folder / "dataset.json").read_bytes())
    row = next(row for row in manifest["shards"] if row["file"].startswith("test/"))
    rows = []
    for number, part in enumerate((drawn[:n], drawn[n:])):
        file = f"test/{number:06d}.tar"
        written = write_shard(folder / file, [encode(each, "png") for each in part])
        rows.append({**row, "file": file, "n_bytes": written.n_bytes, "sha256": written.sha256})
    manifest.pop("checksum", None)
    kept = [each for each in manifest["shards"] if not each["file"].startswith("test/")]
    (folder / "dataset.json").write_bytes(orjson.dumps(manifest | {"shards": kept + rows}))


def test_a_picture_in_two_shards_is_refused(
    harmed: Path, spec: Spec, fonts: Catalogue, tmp_path: Path
) -> None:
    drawn = [render(replace(spec, index=index, split="test"), fonts) for index in (7, 8, 7)]
    write_split(harmed, drawn, 2)
    with pytest.raises(ShardError) as caught:
        export_dataset(harmed, tmp_path / "out", "folder")
    assert str(caught.value) == (
        f"{harmed / 'test/000001.tar'} contains 000000007.png, which belongs in a shard before it; render it again"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("extension", "raw"), [("txt", b"other"), ("cls", b"9" * 30_000), ("cls", b"-1")]
)
def test_files_that_disagree_are_refused(
    extension: str, raw: bytes, spec: Spec, fonts: Catalogue, tmp_path: Path
) -> None:
    sample = encode(render(spec, fonts), "png")
    write_shard(tmp_path / "0.tar", [Sample(sample.key, {**sample.files, extension: raw})])
    with pytest.raises(ShardError) as caught:
        list(read_shard_items(tmp_path / "0.tar"))
    assert str(caught.value) == (
        f"000000007.{extension} does not match 000000007.json; render it again"
    )


def test_a_sample_under_the_key_of_another_is_refused(
    spec: Spec, fonts: Catalogue, tmp_path: Path
) -> None:
    sample = encode(render(spec, fonts), "png")
    write_shard(tmp_path / "0.tar", [Sample("000000009", sample.files)])
    with pytest.raises(ShardError) as caught:
        list(read_shard_items(tmp_path / "0.tar"))
    assert str(caught.value) == "000000009.json belongs to 000000007; render it again"
