"""synthtext on the standard task, and the bare loop; run by `peers.py`."""

from __future__ import annotations

import io
import random
import sys
import tarfile
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from synthtext.dataset.folders import RECORDS
from synthtext.dataset.generate import draw_shard
from synthtext.dataset.plan import Plan, list_shards, make_plan
from synthtext.drawing.fonts import bundled_folder, read_catalogue
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.texts.words import read_words

SIDE_PX = 224

STILL = {"rotation_deg": "0", "blur_px": "0", "noise_std": "0", "splits": "1,0,0"}

WORK = {
    "mixed": STILL | {"background": "plain,gradient,noise"},
    "noise": STILL | {"background": "noise"},
    "plain": STILL | {"background": "plain"},
    "crops": STILL
    | {"background": "plain", "width_px": "0", "height_px": "0", "size_px": "32"},
    "png": STILL
    | {"background": "plain", "width_px": "0", "height_px": "48", "size_px": "32"}
    | {"image_format": "png"},
}


def draw_bare(words: list[str], out: Path) -> None:
    """Draw, encode and append to a tar: the minimum work of any renderer."""
    sizes = range(12, 65, 4)
    fonts = [
        [
            ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
            for size in sizes
        ]
        for path in sorted(bundled_folder().glob("*.ttf"))
    ]
    random.seed(0)
    begin = time.process_time()
    with tarfile.open(out / "bare.tar", "w") as tar:
        for index, word in enumerate(words):
            image = Image.new("RGB", (SIDE_PX, SIDE_PX), "#d0e0f0")
            font = random.choice(fonts[index % len(fonts)])
            ImageDraw.Draw(image).text((10, 90), word, "black", font)
            bgr = cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2BGR)
            raw = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
            info = tarfile.TarInfo(f"{index:09d}.jpg")
            info.size = len(raw)
            tar.addfile(info, io.BytesIO(raw))
    print((time.process_time() - begin) / len(words))


def draw_ours(plan: Plan, out: Path) -> None:
    """Draw one shard as `synthtext render` does: every factor and quad, JPEG at quality 90."""
    (out / "train").mkdir(exist_ok=True)
    (out / RECORDS).mkdir(exist_ok=True)
    shard = next(list_shards(plan))
    draw_shard(plan, out, shard)  # Warms up noise pools and open fonts.
    begin = time.process_time()
    draw_shard(plan, out, shard)
    print((time.process_time() - begin) / plan.n_images)


def main() -> None:
    """Draw the words of a file, and print the processor seconds per image."""
    cv2.setNumThreads(1)
    file, out, kind = sys.argv[1], Path(sys.argv[3]), sys.argv[4]
    if kind == "bare":
        draw_bare(Path(file).read_text().split(), out)
        return
    words = read_words(file)
    recipe = edit_recipe(default_recipe(), WORK[kind] | {"shard_size": str(len(words.items))})
    draw_ours(make_plan(recipe, {"word": words}, read_catalogue()), out)


if __name__ == "__main__":
    main()
