"""Epochs: a config -> the pairs of a run, and the batches of each epoch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from probes.arrays import Vectors
from probes.data.pairs import (
    Exclusion,
    Pairs,
    join_pairs,
    keep_pairs,
    pair_files,
    read_batches,
    read_pairs,
)
from probes.data.rendered import is_published, read_trials
from probes.embeddings.texts import embed_prompts, fill_template, find_cache_folder
from probes.errors import ProbeError
from probes.models.base import Model
from probes.models.factory import Parts
from probes.models.tokenizers import number_texts
from probes.training.arms import ARMS
from probes.training.batch_sampler import (
    Order,
    cluster,
    cut_batches,
    join_edits,
    resample,
    shuffle,
    weave,
)
from probes.training.config import FinetuneConfig
from probes.training.loader import TrainingSet
from probes.training.trained_clip import TrainedClip
from synthtext.dataset.manifest import read_classnames
from synthtext.dataset.plan import SENTIMENTS
from synthtext.dataset.verify import open_shards

BLOCK = 256
"""Number of images or texts that a tower embeds at a time."""


def read_split(
    folder: Path,
    split: str,
    marks: Exclusion | None = None,
    *,
    task: str = "words",
    verify: bool = True,
) -> Pairs:
    """Return the pairs of one split of a dataset.

    Args:
        folder: the dataset.
        split: `train`, `val` or `test`.
        marks: levels of factors; samples that have one are marked.
        task: whether the caption of an image is its text, or the name of its label.
        verify: whether to verify the checksums of shards.

    Raises:
        ProbeError: labels are needed, and the images have none.
        DatasetError: the dataset has no such split, or it is empty.
        ShardError: a shard is missing, broken or changed.
    """
    if task == "words":
        return read_pairs(list(open_shards(folder, split, verify=verify)), marks)
    if is_published(folder):
        trials = read_trials(folder, split).trials
        captions = [SENTIMENTS[trial.spec.label or 0] for trial in trials]
        return pair_files([Path(trial.file) for trial in trials], captions)
    files = list(open_shards(folder, split, verify=verify))
    names = read_classnames(folder)
    if names != SENTIMENTS:
        raise ProbeError(f"{folder} has no reviews with labels; render only --sentences")
    return read_pairs(files, marks, names)


def read_training_pairs(config: FinetuneConfig) -> tuple[Pairs, int]:
    """Return the training pairs, with rendered pairs first, and the number of the latter."""
    own = read_split(
        config.data, "train", config.exclude, task=config.task, verify=config.verify
    )
    if config.exclude and not own.is_marked.any():
        asked = ", ".join(f"{name}={draw}" for name, draw in config.exclude.items())
        raise ProbeError(
            f"no image of {config.data} has {asked}, so nothing would be held out; give"
            f" levels that it has"
        )
    own = keep_pairs(own, np.flatnonzero(~own.is_marked))
    n_own = len(own.captions)
    if config.mix is None:
        return own, n_own
    return join_pairs(own, read_pairs(list_mixed(config.mix))), n_own


def list_mixed(folder: Path) -> list[Path]:
    """Return the shards of natural pairs in a folder and its subfolders.

    Raises:
        ProbeError: there are none.
    """
    files = sorted(folder.glob("**/*.tar"))
    if not files:
        raise ProbeError(f"{folder} has no .tar files; give a folder of WebDataset shards")
    return files


def make_training_set(
    config: FinetuneConfig, pairs: Pairs, n_own: int, parts: Parts, reader: Model
) -> TrainingSet:
    """Return the training data, with the vectors of frozen towers."""
    captions = number_texts(pairs.captions, reader.tokenize)
    texts: dict[int, str] = {}
    for number, caption in zip(captions.tolist(), pairs.captions, strict=True):
        texts.setdefault(number, caption)
    ordered = tuple(texts[number] for number in range(len(texts)))
    training_set = TrainingSet(pairs, n_own, captions, ordered, config.templates)
    if "texts" in ARMS[config.arm].freezes:
        vectors = embed_prompts(reader, ordered, config.templates, find_cache_folder())
        training_set = replace(training_set, vectors=tuple(vectors))
    if "images" in ARMS[config.arm].freezes:
        training_set = replace(training_set, images=_embed_all(pairs, parts, reader))
    return training_set


def order_epoch(
    config: FinetuneConfig,
    training_set: TrainingSet,
    trained_clip: TrainedClip,
    parts: Parts,
    epoch: int,
) -> Order:
    """Return the order in which an epoch sees the rendered pairs."""
    n, seed = training_set.n_own, config.seed + epoch
    if config.resamples:
        return resample(n, config.seed, epoch)
    if config.batches == "random":
        return shuffle(n, config.seed, epoch)
    if config.batches == "edit":
        return join_edits(
            [training_set.texts[number] for number in training_set.captions[:n]], seed
        )
    sides = ("image", "text") if config.batches == "both" else (config.batches,)
    found = [MINERS[side](config, training_set, trained_clip, parts) for side in sides]
    return cluster(np.concatenate(found, axis=1), config.batch_size, seed)


def cut_epoch(
    config: FinetuneConfig,
    training_set: TrainingSet,
    order: Order,
    epoch: int,
    n_processes: int,
) -> list[Order]:
    """Return the batches of an epoch, including natural pairs if there are any."""
    if config.mix is None:
        return cut_batches(order, config.batch_size, n_processes)
    n_mixed = _count_mixed(config, n_processes)
    batches = cut_batches(order, config.batch_size - n_mixed, n_processes)
    others = range(training_set.n_own, len(training_set.captions))
    return weave(batches, others, n_mixed, config.seed, epoch)


@torch.inference_mode()
def _mine_images(
    config: FinetuneConfig, training_set: TrainingSet, trained_clip: TrainedClip, parts: Parts
) -> Vectors:
    """Return the current vectors of the images, (n_own, D), unit length."""
    trained_clip.eval()
    blocks = np.array_split(np.arange(training_set.n_own), -(-training_set.n_own // BLOCK))
    seen: Iterable[NDArray[Any]]
    if training_set.images is None:
        seen = read_batches(training_set.pairs, blocks, parts.fit_pixels)
    else:
        seen = (training_set.images[block] for block in blocks)
    vectors = [
        normalize(trained_clip.embed_images(torch.from_numpy(images).to(parts.device)), dim=-1)
        for images in seen
    ]
    return torch.cat(vectors).cpu().numpy()


@torch.inference_mode()
def _mine_texts(
    config: FinetuneConfig, training_set: TrainingSet, trained_clip: TrainedClip, parts: Parts
) -> Vectors:
    """Return the current vectors of the captions, (n_own, D), unit length."""
    trained_clip.eval()
    template = config.templates[-1]
    vectors = []
    for at in range(0, len(training_set.texts), BLOCK):
        if training_set.vectors:
            texts = torch.from_numpy(np.array(training_set.vectors[-1][at : at + BLOCK]))
        else:
            texts = parts.tokenizer(
                fill_template(template, training_set.texts[at : at + BLOCK])
            )
        texts = texts.to(parts.device)
        vectors.append(normalize(trained_clip.embed_texts(texts), dim=-1))
    return torch.cat(vectors).cpu().numpy()[training_set.captions[: training_set.n_own]]


MINERS = {"image": _mine_images, "text": _mine_texts}
"""The functions that give the vectors for clustering."""


def count_steps(config: FinetuneConfig, n_own: int) -> int:
    """Return the number of steps of whole epochs."""
    size = config.batch_size - _count_mixed(config, 1)
    n_batches = -(-n_own // size)
    return config.n_epochs * -(-n_batches // config.schedule.n_accumulated)


def _count_mixed(config: FinetuneConfig, n_processes: int) -> int:
    """Return the number of natural pairs per batch, a multiple of the number of processes."""
    if config.mix is None:
        return 0
    share = config.mix_frac * config.batch_size / n_processes
    return max(1, round(share)) * n_processes


def _embed_all(pairs: Pairs, parts: Parts, reader: Model) -> Vectors:
    """Return the vectors of all images, (N, D), unit length."""
    blocks = np.array_split(np.arange(len(pairs.captions)), -(-len(pairs.captions) // BLOCK))
    seen = read_batches(pairs, blocks, parts.fit_pixels)
    return np.concatenate([reader.encoder.embed_images(list(images)) for images in seen])
