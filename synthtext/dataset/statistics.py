"""Statistics of a dataset: texts, characters, fonts, and the distribution of each factor."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synthtext.dataset.codec import MEASURED, decode_fields
from synthtext.dataset.manifest import read_manifest
from synthtext.dataset.shards import read_samples
from synthtext.dataset.verify import check_split, open_shards
from synthtext.decks import COVER
from synthtext.drawing.layout import inked
from synthtext.errors import DatasetError, ShardError, SpecError
from synthtext.factors import FACTORS, SPLITS
from synthtext.spec import spec_from_dict, spec_to_dict

OnProgress = Callable[[str, int, int | None], None]

QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)

N_BINS = 20
"""Number of bins of a histogram."""

NUMBERS = (
    *(name for name, factor in FACTORS.items() if factor.bounds),
    "font_weight",
    *(name for name in MEASURED if name != "ink_drawn"),
)

CATEGORIES = (
    *(name for name, factor in FACTORS.items() if not factor.bounds and not factor.is_colour),
    "font",
    "photo",
    "ink_photo",
)


@dataclass(frozen=True)
class Spread:
    """The distribution of a number over the images.

    Attributes:
        quantiles: minimum, 5 %, median, 95 % and maximum.
        edges: `N_BINS` + 1 edges of bins of equal width.
        counts: number of images in each bin.
    """

    quantiles: tuple[float, ...]
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Statistics:
    """The statistics of a dataset.

    Attributes:
        images: number of images in each split.
        texts: number of distinct texts in each split, as drawn.
        characters: how often each character is drawn, most frequent first.
        split_characters: the same for each split; those of a promised alphabet are among them
            even if they are not drawn.
        numbers: the distribution of each numeric factor that varies.
        categories: number of images per value, most frequent first, of other factors that vary.
        constants: the value of each factor that is the same in every image.
    """

    images: Mapping[str, int]
    texts: Mapping[str, int]
    characters: Mapping[str, int]
    split_characters: Mapping[str, Mapping[str, int]]
    numbers: Mapping[str, Spread]
    categories: Mapping[str, Mapping[str, int]]
    constants: Mapping[str, Any]


def count_dataset(
    folder: Path, *, verify: bool = True, on_progress: OnProgress = lambda *_: None
) -> Statistics:
    """Return the statistics of a dataset, from its shards alone.

    Args:
        folder: a dataset that `synthtext render` wrote.
        verify: whether to verify the checksums of the shards.
        on_progress: called after every shard.

    Raises:
        DatasetError: no dataset, one that is unfinished, or one without images.
        ShardError: a shard is missing, broken or changed.
    """
    manifest = read_manifest(folder, verify=verify)
    if not manifest.get("complete"):
        raise DatasetError(f"{folder} is not finished; run the same render command again")
    n_all = sum(row["drawn"] for row in manifest["splits"].values())
    numbers = {name: array("d") for name in NUMBERS}
    categories = {name: Counter[str]() for name in CATEGORIES}
    promised = dict.fromkeys(manifest["plan"].get(COVER, {}).get("alphabet", ""), 0)
    characters: dict[str, Counter[str]] = {split: Counter(promised) for split in SPLITS}
    images, texts = dict[str, int](), dict[str, set[str]]()
    for split in (name for name in SPLITS if manifest["splits"].get(name, {}).get("drawn")):
        texts[split] = set()
        for fields in _read_fields(folder, split, verify=verify):
            images[split] = images.get(split, 0) + 1
            text = fields["drawn_text"]
            texts[split].add(text)
            characters[split].update(text[place] for place in inked(text))
            for name in NUMBERS:
                numbers[name].append(fields[name])
            for name in CATEGORIES:
                categories[name][fields[name]] += 1
            on_progress("images", sum(images.values()), n_all)
    if not images:
        raise DatasetError(f"{folder} has no images; render some first")
    return _summarise(images, texts, characters, numbers, categories)


def _read_fields(folder: Path, split: str, *, verify: bool) -> Iterator[dict[str, Any]]:
    """Return the checked factors of every image, and its measurements."""
    for file in open_shards(folder, split, verify=verify):
        for sample in read_samples(file):
            fields = decode_fields(sample)
            try:
                spec = spec_from_dict(fields)
            except SpecError as error:
                raise ShardError(f"{sample.key}.json: {error}") from error
            if verify:
                check_split(file, sample.key, spec.split)
            measured = {name: fields.get(name) for name in MEASURED}
            for name in NUMBERS:
                value = measured.get(name, 0)
                if not isinstance(value, int | float) or not math.isfinite(value):
                    raise ShardError(f"{sample.key}.json has no valid {name}; render it again")
            yield spec_to_dict(spec) | measured | {"drawn_text": spec.drawn_text}


def _summarise(
    images: dict[str, int],
    texts: dict[str, set[str]],
    characters: Mapping[str, Counter[str]],
    numbers: dict[str, array[float]],
    categories: dict[str, Counter[str]],
) -> Statistics:
    spreads = {name: _spread(np.asarray(values)) for name, values in numbers.items()}
    varying = {name: found for name, found in categories.items() if len(found) > 1}
    constants: dict[str, Any] = {
        name: spread.quantiles[0]
        for name, spread in spreads.items()
        if spread.quantiles[0] == spread.quantiles[-1]
    }
    constants |= {
        name: next(iter(found)) for name, found in categories.items() if name not in varying
    }
    return Statistics(
        images=images,
        texts={split: len(found) for split, found in texts.items()},
        characters=dict(sum(characters.values(), Counter[str]()).most_common()),
        split_characters={split: dict(characters[split].most_common()) for split in images},
        numbers={name: found for name, found in spreads.items() if name not in constants},
        categories={name: dict(found.most_common()) for name, found in varying.items()},
        constants=constants,
    )


def _spread(values: np.ndarray[Any, np.dtype[np.float64]]) -> Spread:
    counts, edges = np.histogram(values, N_BINS)
    quantiles = np.quantile(values, QUANTILES)
    return Spread(tuple(quantiles.tolist()), tuple(edges.tolist()), tuple(counts.tolist()))
