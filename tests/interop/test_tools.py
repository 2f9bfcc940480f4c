"""The tools that people use, run on what is written here: `make interop` installs and runs them.

Some need older packages than ours: open_clip's training and wids want webdataset 0.2, and
CLIP_benchmark a NumPy before 2.3. They lie in folders of their own and are run in processes of
their own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from probes.sources import READER
from synthtext.datasets import load
from synthtext.exporting import export_dataset
from synthtext.fonts import Catalogue
from synthtext.generate import render_dataset
from synthtext.indexing import index_shards
from synthtext.plan import make_plan
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.words import make_texts

TOOLS = Path(os.environ.get("INTEROP", Path(sys.prefix) / "interop"))

WORDS = ["anchor", "bridge", "candle", "desert", "engine", "forest", "garden", "harbor",
         "island", "jacket", "kettle", "ladder", "meadow", "needle", "orange", "pepper"]  # fmt: skip

PLAIN = {"size_px": "24:40", "rotation_deg": "0", "blur_px": "0", "noise_std": "0",
         "shard_size": "50"}  # fmt: skip

TINY = {
    "embed_dim": 32,
    "vision_cfg": {
        "image_size": 64, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16,
    },
    "text_cfg": {"context_length": 16, "width": 32, "heads": 2, "layers": 1},
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, fonts: Catalogue) -> Path:
    folder = tmp_path_factory.mktemp("data") / "out"
    recipe = edit_recipe(default_recipe(), PLAIN | {"splits": "0.5,0,0.5"})
    texts = make_texts(WORDS, [None] * len(WORDS), "words")
    render_dataset(make_plan(recipe, {"word": texts}, fonts, count=400), folder)
    return folder


def run(script: str, *folders: str) -> str:
    """Return what a script prints, with some of the tools' folders before our own packages."""
    paths = [TOOLS / folder for folder in folders]
    for path in paths:
        if not path.is_dir():
            pytest.skip(f"{path.name} is not installed; `make interop` does")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths)), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout + done.stderr


def test_open_clip_trains_on_the_shards(data: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny-clip.json").write_text(json.dumps(TINY))
    n_samples = len(load(data, "train"))
    # It rounds what it reports up to whole batches.
    size = max(d for d in range(1, 65) if n_samples % d == 0)
    n_shards = len(list(data.glob("train/*.tar")))
    printed = run(
        f"""
import open_clip
open_clip.add_model_config({str(tmp_path / "tiny-clip.json")!r})
from open_clip_train.main import main
main([
    "--train-data", "{data}/train/{{000000..{n_shards - 1:06d}}}.tar",
    "--train-num-samples", "{n_samples}", "--dataset-type", "webdataset",
    "--model", "tiny-clip", "--batch-size", "{size}", "--epochs", "12",
    "--workers", "1", "--device", "cpu", "--precision", "fp32", "--lr", "1e-2",
    "--warmup", "2", "--log-every-n-steps", "1", "--logs", {str(tmp_path)!r}, "--name", "run",
])
""",
        "webdataset-0.2",
    )
    lines = [line for line in printed.splitlines() if "Train Epoch" in line]
    losses = [float(line.rpartition("Loss: ")[2].split()[0]) for line in lines]
    assert losses[-1] < losses[0] - 0.1
    assert re.search(rf"/\s*{n_samples} \(100%\)", lines[-1]), lines[-1]


def test_wids_reads_any_sample_by_its_number(data: Path) -> None:
    index_shards(data)
    printed = run(
        f"""
import json, os, wids
os.chdir({str(data)!r})
pictures = wids.ShardListDataset("test.json", cache_dir="/tmp", keep=True)
print(json.dumps([len(pictures), *(pictures[k][".txt"] for k in (7, 0, len(pictures) - 1))]))
""",
        "webdataset-0.2",
    )
    n, *texts = json.loads(printed.splitlines()[0])
    drawn = load(data, "test")
    assert n == len(drawn)
    assert texts == [drawn[k].spec.drawn_text for k in (7, 0, n - 1)]


def test_clip_benchmark_finds_our_accuracy(data: Path, tmp_path: Path) -> None:
    from probes.albums import read_album
    from probes.classification import classify
    from probes.models import load_model

    export_dataset(data, tmp_path / "wds", "clip-benchmark")
    run(
        f"""
import sys
from clip_benchmark.cli import main
sys.argv = ["clip_benchmark", "eval", "--dataset", "wds/words", "--dataset_root",
            {str(tmp_path / "wds")!r}, "--split", "test", "--model", "local-dir:{READER}",
            "--pretrained", "own", "--task", "zeroshot_classification", "--no_amp",
            "--num_workers", "0", "--output", {str(tmp_path / "found.json")!r}]
main()
""",
        "numpy-2.2", "clip-benchmark", "webdataset-0.2",
    )  # fmt: skip
    theirs = json.loads((tmp_path / "found.json").read_text())["metrics"]["acc1"]
    templates = ('a picture of the word "{}".', "{}")
    ours = classify(load_model("bundled"), read_album(data), templates)
    assert theirs == pytest.approx((ours["rank"] == 1).mean(), abs=1e-3)
    assert theirs > 0.8


def test_doctr_reads_and_trains_on_its_export(data: Path, tmp_path: Path) -> None:
    export_dataset(data, tmp_path / "crops", "doctr", crops=True)
    export_dataset(data, tmp_path / "whole", "doctr")
    printed = run(
        f"""
import json, torch
from doctr.datasets import DetectionDataset, RecognitionDataset, VOCABS
from doctr.models.recognition import crnn_mobilenet_v3_small
from doctr.transforms import Resize
folder = {str(tmp_path)!r}
boxes = DetectionDataset(folder + "/whole/test/images", folder + "/whole/test/detection.json",
                         use_polygons=True)
words = RecognitionDataset(
    folder + "/crops/train/images", folder + "/crops/train/labels.json",
    img_transforms=Resize((32, 128), preserve_aspect_ratio=True),
)
torch.manual_seed(0)
model = crnn_mobilenet_v3_small(pretrained=False, pretrained_backbone=False,
                                vocab=VOCABS["english"])
learn = torch.optim.AdamW(model.parameters(), 2e-3)
losses = []
for step in range(30):
    batch = [words[(16 * step + k) % len(words)] for k in range(16)]
    images, texts = words.collate_fn(batch)
    loss = model(images, list(texts))["loss"].mean()
    learn.zero_grad(); loss.backward(); learn.step()
    losses.append(loss.item())
print(json.dumps([len(words), len(boxes), sum(losses[:5]), sum(losses[-5:])]))
print(boxes[0])
""",
        "doctr",
    )
    n_words, n_boxes, first, last = json.loads(printed.splitlines()[0])
    assert n_words == len(load(data, "train"))
    assert n_boxes == len(load(data, "test"))
    assert last < 0.5 * first
