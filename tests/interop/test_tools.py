"""The tools that people use, run on what is written here: `make interop` installs and runs them.

Some need older packages than ours: open_clip's training and wids want webdataset 0.2, and
CLIP_benchmark a NumPy before 2.3; PaddleOCR has an engine of its own. They lie in folders of their
own and are run in processes of their own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from probes.models.pretrained import READER
from synthtext.dataset.generate import render_dataset
from synthtext.dataset.map_style import load
from synthtext.dataset.plan import make_plan
from synthtext.dataset.wids_index import index_shards
from synthtext.drawing.fonts import Catalogue
from synthtext.export.export import export_dataset
from synthtext.recipe import default_recipe, edit_recipe
from synthtext.texts.words import make_texts

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


def run(script: str, *folders: str, python: Path = Path(sys.executable)) -> str:
    """Return what a script prints, with some of the tools' folders before our own packages."""
    paths = [TOOLS / folder for folder in folders]
    for path in (*paths, python):
        if not path.exists():
            pytest.skip(f"{path} is not installed; `make interop` does")
    done = subprocess.run(
        [python, "-c", script], capture_output=True, text=True, check=False,
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
    from probes.data.labelled import read_labelled
    from probes.models.factory import load_model
    from probes.tasks.classification import classify

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
    ours = classify(load_model("bundled"), read_labelled(data), templates)
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


def test_paddleocr_reads_its_export(data: Path, tmp_path: Path) -> None:
    export_dataset(data, tmp_path / "crops", "paddleocr", crops=True)
    export_dataset(data, tmp_path / "whole", "paddleocr")
    printed = run(
        f"""
import json, paddleocr  # It puts its own folder on the path.
from ppocr.data.simple_dataset import SimpleDataSet
from ppocr.utils.logging import get_logger

def read(kind, label_file, *steps):
    folder = {str(tmp_path)!r} + "/" + kind + "/test"
    part = {{"data_dir": folder, "label_file_list": [folder + "/" + label_file],
            "transforms": [{{"DecodeImage": {{"img_mode": "RGB"}}}}, *steps]}}
    given = {{"Global": {{}}, "Eval": {{"dataset": part, "loader": {{"shuffle": False}}}}}}
    found = SimpleDataSet(given, "Eval", get_logger())
    return [found[k] for k in range(len(found))]

words = read("crops", "rec_gt.txt",
             {{"CTCLabelEncode": {{"max_text_length": 25, "character_dict_path": None}}}},
             {{"RecResizeImg": {{"image_shape": [3, 32, 128]}}}},
             {{"KeepKeys": {{"keep_keys": ["image", "length"]}}}})
boxes = read("whole", "det_gt.txt", {{"DetLabelEncode": None}},
             {{"KeepKeys": {{"keep_keys": ["image", "polys", "texts"]}}}})
found = [[image.shape, int(length)] for image, length in words]
seen = [[image.shape, polys.tolist(), texts] for image, polys, texts in boxes]
print(json.dumps([found, seen]))
""",
        python=TOOLS / "paddleocr/bin/python",
    )
    said = next(line for line in printed.splitlines() if line.startswith("[["))
    words, boxes = json.loads(said)
    drawn = load(data, "test")
    assert words == [[[3, 32, 128], len(picture.spec.text)] for picture in drawn]
    assert len(boxes) == len(drawn)
    for (shape, quads, texts), picture in zip(boxes, drawn, strict=True):
        assert tuple(shape) == picture.pixels.shape
        assert texts == [picture.spec.drawn_text]
        np.testing.assert_allclose(quads, picture.word_quads, atol=1e-3)


def test_ocr_d_reads_page_xml_and_finds_it_valid(data: Path, tmp_path: Path) -> None:
    export_dataset(data, tmp_path / "out", "page")
    printed = run(
        f"""
import importlib.util, json, pathlib
from lxml import etree
# Its package imports servers and databases that reading takes no part in.
base = pathlib.Path(etree.__file__).parents[1]
spec = importlib.util.spec_from_file_location("page", base / "ocrd_models/ocrd_page_generateds.py")
page = importlib.util.module_from_spec(spec)
spec.loader.exec_module(page)
schema = etree.XMLSchema(etree.parse(base / "ocrd_validators/page.xsd"))
found = []
for file in sorted(pathlib.Path({str(tmp_path)!r}).glob("out/test/*.xml")):
    assert schema.validate(etree.parse(file)), schema.error_log
    (region,) = page.parse(str(file), silence=True).get_Page().get_TextRegion()
    (line,) = region.get_TextLine()
    (word,) = line.get_Word()
    found.append([line.get_TextEquiv()[0].get_Unicode(), word.get_Coords().get_points(),
                  len(word.get_Glyph()), len(line.get_Baseline().get_points().split())])
print(json.dumps(found))
""",
        "ocrd",
    )
    drawn = load(data, "test")
    for (text, points, n_chars, n_points), picture in zip(
        json.loads(printed), drawn, strict=True
    ):
        quad = [[float(side) for side in point.split(",")] for point in points.split()]
        assert text == picture.spec.drawn_text
        assert n_chars == len(text)
        assert n_points == 2
        np.testing.assert_allclose(quad, picture.word_quads[0], atol=0.5)


def test_lmms_eval_runs_the_task_of_its_export(data: Path, tmp_path: Path) -> None:
    export_dataset(data, tmp_path / "out", "lmms-eval")
    printed = run(
        f"""
import json, os
os.environ |= {{"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": {str(tmp_path / "cache")!r}}}
os.chdir({str(tmp_path / "out/test")!r})
from lmms_eval.tasks import TaskManager, get_task_dict
manager = TaskManager("ERROR", include_path=".", include_defaults=False)
task = get_task_dict(["synthtext_test"], manager)["synthtext_test"]
found = []
for doc in task.test_docs():
    (image,) = task.doc_to_visual(doc)
    scores = [task.process_results(doc, [said])["exact_match"]
              for said in (task.doc_to_target(doc).upper(), "nothing")]
    found.append([task.doc_to_target(doc), image.size, *map(float, scores)])
print(json.dumps(found))
""",
        "lmms-eval",
    )
    said = next(line for line in printed.splitlines() if line.startswith("[["))
    expected = [[r.spec.drawn_text, [224, 224], 1.0, 0.0] for r in load(data, "test")]
    assert json.loads(said) == expected


def test_trocr_reads_and_trains_on_its_export(data: Path, tmp_path: Path) -> None:
    export_dataset(data, tmp_path / "crops", "folder", crops=True)
    printed = run(
        f"""
import json, torch
from datasets import load_dataset
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    RobertaTokenizerFast, TrOCRConfig, TrOCRProcessor, ViTConfig, ViTImageProcessor,
    VisionEncoderDecoderConfig, VisionEncoderDecoderModel,
)
folder = {str(tmp_path)!r}
words = load_dataset("imagefolder", data_dir=folder + "/crops", cache_dir=folder + "/cache",
                     split="train")
letters = ByteLevelBPETokenizer()
letters.train_from_iterator(words["text"], vocab_size=300,
                            special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
letters.save_model(folder)
processor = TrOCRProcessor(ViTImageProcessor(size={{"height": 32, "width": 96}}),
                           RobertaTokenizerFast.from_pretrained(folder))
size = {{"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 128}}
config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(
    ViTConfig(image_size=(32, 96), patch_size=(8, 8), **size),
    TrOCRConfig(vocab_size=300, d_model=64, decoder_layers=2, decoder_attention_heads=2,
                decoder_ffn_dim=128, max_position_embeddings=32),
)
torch.manual_seed(0)
model = VisionEncoderDecoderModel(config)
model.config.decoder_start_token_id, model.config.pad_token_id = 0, 1
learn = torch.optim.AdamW(model.parameters(), 2e-3)
losses = []
for step in range(30):
    rows = words[[(16 * step + k) % len(words) for k in range(16)]]
    pixels = processor(images=[image.convert("RGB") for image in rows["image"]],
                       return_tensors="pt").pixel_values
    labels = processor.tokenizer(rows["text"], padding=True, return_tensors="pt").input_ids
    loss = model(pixel_values=pixels, labels=labels.masked_fill(labels == 1, -100)).loss
    learn.zero_grad(); loss.backward(); learn.step()
    losses.append(loss.item())
print(json.dumps([sorted(words["text"]), sum(losses[:5]), sum(losses[-5:])]))
"""
    )
    said = next(line for line in printed.splitlines() if line.startswith("[["))
    texts, first, last = json.loads(said)
    assert texts == sorted(drawn.spec.drawn_text for drawn in load(data, "train"))
    assert last < 0.7 * first


def test_tesseract_makes_its_training_files(data: Path, tmp_path: Path) -> None:
    if shutil.which("tesseract") is None:
        pytest.skip("tesseract is not installed; Debian's package is tesseract-ocr")
    export_dataset(data, tmp_path / "out", "tesstrain", crops=True)
    for picture in sorted((tmp_path / "out/test").glob("*.png"))[:5]:
        stem = picture.with_suffix("")
        done = subprocess.run(
            ["tesseract", str(picture), str(stem), "--psm", "13", "lstm.train"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        # It says so and writes no file where it cannot use the boxes.
        assert stem.with_suffix(".lstmf").stat().st_size > 100
