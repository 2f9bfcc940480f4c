"""The speed of drawing, and the time of each stage: `make bench`.

The standard task is 224x224 px with mixed backgrounds and JPEG at quality 90, on one core in
one process, with every factor recorded. Rounds of the tasks alternate, because timings are
noisy. The tables show medians, and ratios to a bare loop that only draws a word, encodes it and
appends it to a tar.
"""

from __future__ import annotations

import io
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.table import Table

from synthtext.dataset.codec import Sample, encode
from synthtext.dataset.generate import draw_images
from synthtext.dataset.manifest import NotDrawn
from synthtext.dataset.map_style import Stream, stream
from synthtext.dataset.plan import Plan, Shard, list_shards, make_plan, source_of
from synthtext.dataset.shards import write_shard
from synthtext.drawing.backgrounds import draw_paper
from synthtext.drawing.fonts import bundled_folder, read_catalogue
from synthtext.drawing.layout import place_glyphs
from synthtext.drawing.rendering import Rendering, render
from synthtext.recipe import edit_recipe, read_recipe
from synthtext.sampling import sample_specs
from synthtext.spec import Spec
from synthtext.texts.reviews import review_sentences
from synthtext.texts.words import read_words

N_IMAGES, N_ROUNDS = 600, 5

N_STREAM, BATCH = 1_000_000, 32
"""Images of the stream that is shuffled, and those that a loader asks for at once."""

FULL = {
    "rotation_deg": "-12:12",
    "blur_px": "0.5:1",
    "noise_std": "2:8",
    "background": "texture",
}

PLAIN = {
    "background": "plain,gradient,noise", "rotation_deg": "0", "blur_px": "0", "noise_std": "0",
}  # fmt: skip


def draw_bare(folder: Path, words: tuple[str, ...]) -> None:
    """Draw, encode and append: the minimum work of any renderer."""
    fonts = [
        ImageFont.truetype(str(path), 32, layout_engine=ImageFont.Layout.BASIC)
        for path in sorted(bundled_folder().glob("*.ttf"))
    ]
    with tarfile.open(folder / "bare.tar", "w") as tar:
        for index in range(N_IMAGES):
            image = Image.new("RGB", (224, 224), "#d0e0f0")
            ImageDraw.Draw(image).text(
                (10, 90), words[index], "black", fonts[index % len(fonts)]
            )
            bgr = cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2BGR)
            raw = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
            info = tarfile.TarInfo(f"{index:09d}.jpg")
            info.size = len(raw)
            tar.addfile(info, io.BytesIO(raw))


def plan_of(name: str, edits: dict[str, str]) -> Plan:
    """Return the plan of one benchmark, with a single shard."""
    sentences = name == "rendered-sst2"
    texts = {"sentence": review_sentences()} if sentences else {"word": read_words("en")}
    edits = {"splits": "1,0,0", "shard_size": str(N_IMAGES), **edits}
    recipe = edit_recipe(read_recipe(name), edits)
    return make_plan(recipe, texts, read_catalogue(), count=N_IMAGES)


def draw_plan(plan: Plan, folder: Path) -> None:
    """Draw the shard of a plan as `synthtext render` does."""
    shard = next(list_shards(plan))
    write_shard(folder / "ours.tar", encode_drawn(plan, shard))


def encode_drawn(plan: Plan, shard: Shard) -> Iterator[Sample]:
    """Return the samples of a shard."""
    for image in draw_images(plan, shard):
        if not isinstance(image, NotDrawn):
            yield encode(image, plan.recipe.image_format)


def draw_shuffled(pictures: Stream) -> None:
    """Draw images of a stream in batches, as a loader that shuffles asks for them."""
    numbers = np.random.default_rng(0).integers(0, len(pictures), N_IMAGES).tolist()
    for start in range(0, N_IMAGES, BATCH):
        pictures.__getitems__(numbers[start : start + BATCH])


def time_stages(plan: Plan, folder: Path) -> dict[str, float]:
    """Return the seconds of each stage of the standard task, run one after another."""
    shard = next(list_shards(plan))
    seconds: dict[str, float] = {}

    def clock(name: str, work: Callable[[], object]) -> object:
        begin = time.perf_counter()
        result = work()
        seconds[name] = time.perf_counter() - begin
        return result

    specs: list[Spec] = clock(
        "sample",
        lambda: sample_specs(
            plan.recipe, source_of(plan, "train"), plan.fonts, seed=0, indices=shard.indices
        ),
    )  # type: ignore[assignment]
    faces = [plan.fonts.open(spec.font) for spec in specs]
    pairs = list(zip(specs, faces, strict=True))
    clock("lay out", lambda: [place_glyphs(spec.drawn_text, face) for spec, face in pairs])
    clock("paper", lambda: [draw_paper(spec, spec.width_px, spec.height_px) for spec in specs])
    drawn: list[Rendering] = clock(
        "render", lambda: [render(spec, plan.fonts) for spec in specs]
    )  # type: ignore[assignment]
    seconds["ink and the rest"] = seconds.pop("render") - seconds["lay out"] - seconds["paper"]
    samples: list[Sample] = clock("encode", lambda: [encode(each, "jpg") for each in drawn])  # type: ignore[assignment]
    clock("write", lambda: write_shard(folder / "stages.tar", samples))
    return seconds


def main() -> None:
    """Run every benchmark in turn, several rounds, and print medians."""
    cv2.setNumThreads(1)
    words = read_words("en").items[: N_IMAGES * 60 : 60]
    plans = {
        "224 px, plain/gradient/noise background": plan_of("default", PLAIN),
        "224 px, default recipe": plan_of("default", {}),
        "224 px, rotation, blur, noise, texture": plan_of("default", FULL),
        "natural crops of one word": plan_of("ocr-crops", {}),
        "448 px sentences, PNG": plan_of("rendered-sst2", {}),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tasks: dict[str, Callable[[], None]] = {
            "bare loop: draw, encode, append": lambda: draw_bare(folder, words)
        }
        for title, plan in plans.items():
            tasks[title] = lambda plan=plan: draw_plan(plan, folder)  # type: ignore[misc]
        pictures = stream(words="en", count=N_STREAM)
        tasks["default recipe, a long stream, shuffled"] = lambda: draw_shuffled(pictures)
        rates: dict[str, list[float]] = {title: [] for title in tasks}
        for _ in range(N_ROUNDS + 1):
            for title, task in tasks.items():
                begin = time.perf_counter()
                task()
                rates[title].append(N_IMAGES / (time.perf_counter() - begin))
        stages = time_stages(plans["224 px, default recipe"], folder)
    print_rates({title: statistics.median(found[1:]) for title, found in rates.items()})
    print_stages(stages)


def print_rates(medians: dict[str, float]) -> None:
    """Print images/s, and the ratio to the bare loop."""
    bare = next(iter(medians.values()))
    table = Table("work, one process", "images/s", "of the bare loop", box=None)
    for title, rate in medians.items():
        table.add_row(title, f"{rate:,.0f}", f"{rate / bare:.2f}")
    Console().print(table)


def print_stages(seconds: dict[str, float]) -> None:
    """Print the microseconds per image and the fraction of each stage."""
    total = sum(seconds.values())
    table = Table("stage of the default recipe", "us per image", "fraction", box=None)
    for name, each in seconds.items():
        table.add_row(name, f"{each / N_IMAGES * 1e6:,.0f}", f"{each / total:.0%}")
    Console().print(table)


if __name__ == "__main__":
    main()
