"""What is fuzzed: for each reader of files from elsewhere, the seed files and how it is run."""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from PIL import Image

from hostile_configs import (
    run_config,
    run_settings,
    run_tokenizer,
    seed_configs,
    seed_settings,
    seed_tokenizers,
)
from hostile_tars import seed_headers
from probes.models.prompts import read_templates
from synthtext.dataset.codec import encode
from synthtext.dataset.folders import read_records
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.manifest import list_files, read_manifest
from synthtext.dataset.merge import merge_datasets
from synthtext.dataset.plan import make_plan
from synthtext.dataset.shards import (
    list_places,
    pack_samples,
    read_samples,
    read_shard,
    read_span,
)
from synthtext.dataset.tar import read_members
from synthtext.dataset.verify import find_rendering, spread_renderings, verify_dataset
from synthtext.drawing import faces, fonts
from synthtext.drawing.fonts import bundled_folder, read_catalogue
from synthtext.drawing.photos import read_photos
from synthtext.drawing.rendering import render
from synthtext.errors import FontError, SynthtextError
from synthtext.export.items import read_shard_items
from synthtext.recipe import RECIPES, default_recipe, read_recipe
from synthtext.spec import Spec
from synthtext.texts.sentences import read_sentences
from synthtext.texts.words import LISTS, make_texts, read_words
from synthtext.vqa.textvqa import read_questions


def _seed_words() -> list[bytes]:
    lines = (LISTS / "en.txt").read_bytes().split(b"\n")[:40]
    return [b"\n".join(lines), "straße\nnaïve\n# comment\n東京\n".encode()]


def _seed_sentences() -> list[bytes]:
    return [
        b"sentence\tlabel\nIt 's a `` good '' film -LRB- really -RRB- .\t1\ndull\t0\n",
        "sentence\tsplit\tlabel\nun film très bon\ttrain\tpositive\n".encode(),
    ]


def _seed_recipes() -> list[bytes]:
    return [path.read_bytes() for path in sorted(RECIPES.glob("*.toml"))]


def _seed_font_tables() -> list[bytes]:
    rows = (bundled_folder() / "fonts.toml").read_bytes().split(b"[[font]]")[1:4]
    return [b"[[font]]" + row for row in rows] + [b"[[font]]".join([b"", *rows])]


def _seed_prompts() -> list[bytes]:
    return [b'a picture of the word "{}".\n{}\n', "une image de {}, très nette\n".encode()]


def _run_font_table(path: Path) -> None:
    folder = path.parent / "fonts"
    folder.mkdir(exist_ok=True)
    font = folder / "VT323.ttf"
    if not font.exists():
        font.write_bytes((bundled_folder() / "VT323_400Regular.ttf").read_bytes())
    raw = path.read_bytes().replace(b"GrenzeGotisch_400Regular.ttf", b"VT323.ttf")
    (folder / "fonts.toml").write_bytes(raw)
    # The bundled fonts are left out, because they take longer to read than all the rest.
    _, broken = fonts._read_folder(folder)
    if broken:
        raise FontError(broken[0])


def _seed_fonts() -> list[bytes]:
    names = (
        "VT323_400Regular.ttf",
        "PressStart2P_400Regular.ttf",
        "UnifrakturCook_700Bold.ttf",
    )
    return [(bundled_folder() / name).read_bytes() for name in names]


def _seed_photos() -> list[bytes]:
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    frames = [image, image.rotate(90), image.rotate(180)]
    made = [
        ("PNG", image, {}), ("JPEG", image, {}), ("JPEG", image.convert("CMYK"), {}),
        ("PNG", Image.fromarray(noise[..., 0].astype(np.uint16) * 257), {}),
        ("GIF", image.convert("P"), {"save_all": True, "append_images": frames}),
        ("WEBP", image, {"save_all": True, "append_images": frames}), ("TIFF", image, {}),
        ("BMP", image, {}), ("PNG", image.convert("P"), {"transparency": 3}),
        # A decompression bomb: 400 million px in a few hundred thousand bytes.
        ("PNG", Image.new("1", (20_000, 20_000)), {}),
    ]  # fmt: skip
    return [_save(picture, kind, options) for kind, picture, options in made]


def _save(image: Image.Image, kind: str, options: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _seed_shards() -> list[bytes]:
    fonts = read_catalogue()
    specs = [
        Spec(seed=0, index=k, split="train", kind="word", text=text, font="DejaVuSans.ttf",
             width_px=64, height_px=32, size_px=12.0)
        for k, text in enumerate(("cat", "horse"))
    ]  # fmt: skip
    samples = [encode(render(spec, fonts), "png") for spec in specs]
    ours = b"".join(pack_samples(samples)) + bytes(1024)
    return [ours, *(_tar(name, kind) for name, kind in (
        ("../../escape.txt", tarfile.REGTYPE), ("/etc/escape.txt", tarfile.REGTYPE),
        ("000000000.png", tarfile.SYMTYPE), ("000000000.json", tarfile.LNKTYPE),
        ("000000000.fifo", tarfile.FIFOTYPE),
    )), _bomb()]  # fmt: skip


def _tar(name: str, kind: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    return buffer.getvalue()


def _bomb() -> bytes:
    """Return a shard with deeply nested JSON and a member with a declared size of a terabyte."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in (("0.json", b"[" * 100_000), ("1.json", b"{}")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        info = tarfile.TarInfo("2.png")
        info.size = 1 << 40
        buffer.write(info.tobuf())
    return buffer.getvalue()


def _seed_annotations() -> list[bytes]:
    return [
        b'{"dataset_version": "0.5.1", "data": [{"question_id": 1, "question": "what?",'
        b' "image_id": "a", "answers": ["x", "y"], "answer_box": [1, 2, 3, 4]}]}',
        b'{"version": 0.1, "data": [{"image": "train/a.jpg", "question": "why?",'
        b' "answers": ["so"]}]}',
    ]


def _run_font(path: Path) -> None:
    # Each font gets its own name, because open fonts are cached by name.
    target = path.with_name(f"{zlib.crc32(path.read_bytes()):08x}.ttf")
    target.write_bytes(path.read_bytes())
    try:
        fonts = read_catalogue(target)
        spec = Spec(seed=0, index=0, split="train", kind="word", text="Hxg", font=target.name)
        render(spec, fonts)
        render(replace(spec, yaw_deg=60.0, pitch_deg=-40.0), fonts)
    finally:
        target.unlink()
        faces._opened.__dict__.clear()


def _run_photo(path: Path) -> None:
    folder = path.parent / "photos"
    folder.mkdir(exist_ok=True)
    (folder / "photo.png").write_bytes(path.read_bytes())
    photos = read_photos(folder)
    spec = Spec(seed=0, index=0, split="train", kind="word", text="Hxg", font="DejaVuSans.ttf",
                background="photo", photo="photo.png")  # fmt: skip
    render(spec, read_catalogue(), photos)


def _run_shard(path: Path) -> None:
    for read in (_read_decoded, _read_raw, _read_places, _cut_words):
        with suppress(SynthtextError):
            read(path)
    _read_decoded(path)


def _run_headers(path: Path) -> None:
    with suppress(SynthtextError):
        _read_raw(path)
    with path.open("rb") as file:
        found = [(each.name.rstrip("/"), each.size) for each in read_members(file, path)]
    # Without an error, the members are those that Python's reader finds before it stops, which
    # it may do early and without an error.
    expected = []
    with (
        suppress(tarfile.TarError),
        tarfile.open(path, "r:", errors="backslashreplace") as tar,
    ):
        expected += ((each.name.rstrip("/"), each.size) for each in tar)
    assert found[: len(expected)] == expected


def _read_decoded(path: Path) -> None:
    for _ in read_shard(path):
        pass


def _read_raw(path: Path) -> None:
    for _ in read_samples(path):
        pass


def _read_places(path: Path) -> None:
    for place in list_places(path):
        for span in place.spans.values():
            read_span(path, span)


def _cut_words(path: Path) -> None:
    for _ in read_shard_items(path, crops=True):
        pass


def _seed_manifests() -> list[bytes]:
    texts = make_texts(["cat", "horse", "emu"], [None] * 3, "three")
    plan = make_plan(default_recipe(), {"word": texts}, read_catalogue(), count=9)
    with tempfile.TemporaryDirectory() as folder:
        render_dataset(plan, Path(folder))
        whole = orjson.loads((Path(folder) / "dataset.json").read_bytes())
    # The manifest is small, so that edits hit what is read, and has no checksum, so that edited
    # ones are read at all.
    recipe = {"shard_size": 1000, "image_format": "jpg"}
    whole["plan"] |= {"fonts": {}, "versions": {"synthtext": "0"}, "recipe": recipe}
    del whole["checksum"]
    lost = {"index": 1, "text": "x", "reason": "y"}
    odd = [
        {**row, "file": "../../../etc/passwd", "not_drawn": [lost]} for row in whole["shards"]
    ]
    made = [whole, {**whole, "complete": False}, {**whole, "shards": odd}]
    return [orjson.dumps(each) for each in made]


def _run_manifest(path: Path) -> None:
    folder = path.parent / "dataset"
    (folder / "train").mkdir(parents=True, exist_ok=True)
    (folder / "classnames.txt").write_bytes(b"cat\nhorse\n\xff")
    (folder / "train/000000.tar").write_bytes(_tar("000000000.txt", tarfile.REGTYPE))
    (folder / "dataset.json").write_bytes(path.read_bytes())
    for read in (
        lambda: list(verify_dataset(folder)),
        lambda: spread_renderings(folder, 4),
        lambda: find_rendering(folder, "000000001"),
        lambda: list_files(folder, "train"),
        lambda: read_records(folder),
        lambda: merge_datasets([folder], path.parent / "merged"),
    ):
        with suppress(SynthtextError):
            read()
    shutil.rmtree(path.parent / "merged", ignore_errors=True)
    read_manifest(folder)


def _rename(path: Path, suffix: str) -> Path:
    target = path.with_suffix(suffix)
    target.write_bytes(path.read_bytes())
    return target


TARGETS: dict[str, tuple[Callable[[], list[bytes]], Callable[[Path], object]]] = {
    "word lists": (_seed_words, read_words),
    "sentences": (_seed_sentences, read_sentences),
    "recipes": (_seed_recipes, lambda path: read_recipe(_rename(path, ".toml"))),
    "annotations": (_seed_annotations, read_questions),
    "manifests": (_seed_manifests, _run_manifest),
    "shards": (_seed_shards, _run_shard),
    "tar headers": (seed_headers, _run_headers),
    "font tables": (_seed_font_tables, _run_font_table),
    "prompts": (_seed_prompts, read_templates),
    "configs": (seed_configs, run_config),
    "tokenizers": (seed_tokenizers, run_tokenizer),
    "tokenizer configs": (seed_settings, run_settings),
    "photographs": (_seed_photos, _run_photo),
    "fonts": (_seed_fonts, _run_font),
}
