"""Map-style datasets for training: rendered images, and images rendered on demand.

Both have only `len` and `[]`: PyTorch's loaders and samplers shuffle them and split them among
workers and ranks, without duplicates and without any code here.
"""

from __future__ import annotations

import os
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL.Image import Image

from synthtext.dataset.codec import decode
from synthtext.dataset.plan import Plan, make_plan, read_texts, source_of
from synthtext.dataset.shards import Place, list_places, read_place
from synthtext.dataset.verify import open_shards
from synthtext.drawing.fonts import Catalogue, read_catalogue
from synthtext.drawing.photos import Photos
from synthtext.drawing.rendering import Rendering, render
from synthtext.errors import DatasetError, DrawError, quote
from synthtext.recipe import Recipe, edit_recipe, read_recipe
from synthtext.sampling import sample_specs
from synthtext.spec import Spec
from synthtext.storage import parse_folder

Transform = Callable[[Image], Any]
Target = Callable[[Rendering], Any]


class _Pictures(Sequence[Any]):
    """Images by index: as renderings, or as pairs for training."""

    _split: str
    _transform: Transform | None
    _target: Target | None

    def __getitem__(self, number: int) -> Any:  # type: ignore[override]  # noqa: ANN401
        """Return an image: a `Rendering`, or (transformed image, target).

        Raises:
            DrawError: the text cannot be drawn, and nothing may or can take its place.
            ShardError: the shard is broken.
        """
        rendering = self._read(number)
        if self._transform is None and self._target is None:
            return rendering
        image = self._transform(rendering.image) if self._transform else rendering.pixels
        return image, self._target(rendering) if self._target else rendering.spec.drawn_text

    def _read(self, number: int) -> Rendering:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self):,} images, {self._split}>"


class Dataset(_Pictures):
    """The rendered images of a split, accessible by index.

    >>> from synthtext import Dataset, load
    >>> isinstance(load("data/words"), Dataset)  # doctest: +SKIP
    True
    """

    def __init__(
        self,
        places: Sequence[tuple[Path, Place]],
        split: str,
        transform: Transform | None = None,
        target: Target | None = None,
    ) -> None:
        self._places = places
        self._split, self._transform, self._target = split, transform, target

    def __len__(self) -> int:
        return len(self._places)

    def _read(self, number: int) -> Rendering:
        return decode(read_place(*self._places[number]))


BLOCK = 128
"""Number of specs sampled at once: a single one costs as much as ten in a block."""

MAX_BLOCKS = 1024
"""Blocks of the longest stream that caches all of them: 120 MB of specs per process."""

N_RECENT = 8
"""Number of blocks that a longer stream caches."""

REPLACE, RAISE = "replace", "raise"
"""What a stream does where an image cannot be drawn."""

MAX_TRIES = 100
"""Consecutive images that cannot be drawn after which a stream gives up."""


class Stream(_Pictures):
    """Images of a split that are rendered on demand; equal indices give equal images.

    Where an image cannot be drawn, the next one that can takes its place, as `stream` says.

    >>> from synthtext import Stream, stream
    >>> pictures = stream(count=50, seed=3)
    >>> isinstance(pictures, Stream), bool((pictures[4].pixels == pictures[4].pixels).all())
    (True, True)
    """

    def __init__(
        self,
        plan: Plan,
        split: str,
        transform: Transform | None = None,
        target: Target | None = None,
        errors: str = REPLACE,
    ) -> None:
        self._plan, self._errors, self._has_warned = plan, errors, False
        self._split, self._transform, self._target = split, transform, target
        self._source = source_of(plan, split)
        self._count = plan.counts[plan.sources.index(self._source)]
        self._is_long = self._count > BLOCK * MAX_BLOCKS
        self._kept: OrderedDict[int, list[Spec]] = OrderedDict()
        self._asked: dict[int, Spec] = {}
        self._last = -1

    def __len__(self) -> int:
        return self._count

    def __getitems__(self, numbers: Sequence[int]) -> list[Any]:
        """Return several images; PyTorch's loader asks for each batch in this way.

        Raises:
            DrawError: as for a single one.
        """
        known = [number for number in numbers if 0 <= number < self._count]
        if self._is_long and known:
            # The specs of a batch, wherever they lie, cost little more than one of them.
            self._asked = dict(zip(known, self._sample_run(known), strict=True))
        return [self[number] for number in numbers]

    def _read(self, number: int) -> Rendering:
        if not 0 <= number < self._count:
            raise IndexError(f"{number} is not one of {self._count} images")
        plan = self._plan
        reasons: list[DrawError] = []
        n_tries = min(MAX_TRIES, self._count) if self._errors == REPLACE else 1
        for ahead in range(n_tries):
            place = (number + ahead) % self._count
            try:
                rendering = render(self._sample(place), plan.fonts, plan.photos)
            except DrawError as error:
                reasons.append(error)
                continue
            if reasons:
                self._warn(number, place, reasons[0])
            return rendering
        if n_tries == 1:
            raise reasons[0]
        raise DrawError(
            f"none of the {n_tries} images from {number} on can be drawn; of the last: "
            f"{reasons[-1]}"
        )

    def _warn(self, number: int, place: int, reason: DrawError) -> None:
        """Say once that images are replaced: a message for each would hide everything else."""
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"image {number} cannot be drawn, so image {place} takes its place, as will be"
                f" done with others without a warning: {reason}",
                stacklevel=4,
            )

    def __getstate__(self) -> dict[str, object]:
        # Another process can sample the specs faster than it could unpickle them.
        return {**self.__dict__, "_kept": OrderedDict(), "_asked": {}, "_last": -1}

    def _sample(self, number: int) -> Spec:
        """Return the spec of an image, from a block that is sampled as a whole."""
        if number in self._asked:
            return self._asked[number]
        block, place = divmod(number, BLOCK)
        follows, self._last = number == self._last + 1, number
        specs = self._kept.pop(block, None)
        if specs is None:
            if self._is_long and not follows:
                # With random access to a long stream, the rest of the block may never be
                # needed.
                return self._sample_run([number])[0]
            specs = self._sample_run(range(self._count)[block * BLOCK : (block + 1) * BLOCK])
        self._kept[block] = specs
        if self._is_long and len(self._kept) > N_RECENT:
            self._kept.popitem(last=False)
        return specs[place]

    def _sample_run(self, numbers: Sequence[int]) -> list[Spec]:
        plan, first = self._plan, self._source.first
        indices = (
            range(first + numbers.start, first + numbers.stop)
            if isinstance(numbers, range)
            else [first + number for number in numbers]
        )
        return sample_specs(
            plan.recipe, self._source, plan.fonts, seed=plan.seed, indices=indices,
            photos=plan.photos,
        )  # fmt: skip


def load(
    folder: str | os.PathLike[str],
    split: str = "train",
    *,
    transform: Transform | None = None,
    target: Target | None = None,
    verify: bool = True,
) -> Dataset:
    """Return the images of a dataset that `synthtext render` wrote.

    The shards are read once to verify their checksums, at 1 to 2 s/GB; an image is read when it
    is requested.

    >>> from synthtext import load
    >>> pictures = load("data/words", "test")  # doctest: +SKIP
    >>> pictures[7].spec.text, pictures[7].pixels.shape  # doctest: +SKIP
    ('quartz', (224, 224, 3))

    With PyTorch: `DataLoader(load("data/words", transform=preprocess), shuffle=True)`, where
    `preprocess` is that of open_clip or torchvision; without a transform `collate_fn=list`.

    Args:
        folder: a local folder or a remote address.
        split: `train`, `val` or `test`.
        transform: a function of a Pillow image; the dataset then gives pairs of its result and
            the text. None gives each image as a `Rendering`.
        target: a function that gives the second element of a pair instead of the text, such as
            `lambda rendering: rendering.spec.class_index`; it may return a dict.
        verify: whether to verify the checksums of the shards; otherwise only their headers are
            read.

    Raises:
        DatasetError: no dataset, or no such split.
        ShardError: a shard is missing, broken or changed.
    """
    files = open_shards(parse_folder(os.fspath(folder)), split, verify=verify)
    places = [(file, place) for file in files for place in list_places(file)]
    return Dataset(places, split, transform, target)


def stream(  # noqa: PLR0913 - each is an option of `synthtext render`.
    recipe: str | Recipe = "default",
    words: str | None = None,
    *,
    sentences: str | None = None,
    count: int | None = None,
    seed: int = 0,
    split: str = "train",
    fonts: Catalogue | None = None,
    photos: Photos | None = None,
    edits: Mapping[str, str] | None = None,
    transform: Transform | None = None,
    target: Target | None = None,
    errors: str = REPLACE,
) -> Stream:
    """Return images that are rendered on demand, without shards.

    They equal those that `synthtext render` would write with the same options: image 7 is the
    same here, in a worker, and in a shard. `count` is one epoch; another seed gives another
    epoch. A count of 10**12 costs nothing and never ends; texts are already shuffled.

    A recipe may ask for what cannot be drawn, such as a word too short for its arc. `synthtext
    render` leaves such an image out. In a stream the next image of the split that can be drawn
    takes its place, so every index gives an image, always the same one, and training does not
    stop. `rendering.spec.index` is that of the image drawn. The first time in each process, a
    warning says so.

    >>> from synthtext import stream
    >>> pictures = stream(words="en", count=1000, edits={"size_px": "20:40"})
    >>> len(pictures), pictures[3].pixels.shape
    (901, (224, 224, 3))

    Args:
        recipe: name or file of a recipe, or a `Recipe`.
        words: name or file of a list of words, `lang:de` or `pattern:[A-Z]{2}`; see
            `synthtext.texts.words.read_words`.
        sentences: name, file or folder of sentences.
        count: number of images in all splits; None draws each text once.
        seed: 0 or more.
        split: `train`, `val` or `test`.
        fonts: the fonts to choose from; None uses the bundled ones.
        photos: photographs for backgrounds.
        edits: entries of the recipe to change, as in the options of `synthtext render`.
        transform: as for `load`.
        target: as for `load`.
        errors: `replace`; or `raise`, which raises a `DrawError` for an image that cannot be
            drawn.

    Raises:
        DatasetError: a number is out of range, or the split has no texts.
        RecipeError: the recipe cannot be used.
        WordsError: the texts cannot be used.
    """
    if errors not in (REPLACE, RAISE):
        raise DatasetError(f"errors is {quote(errors)}; it is {REPLACE} or {RAISE}")
    given = recipe if isinstance(recipe, Recipe) else read_recipe(recipe)
    edited = edit_recipe(given, edits or {})
    plan = make_plan(
        edited, read_texts(words, sentences, edited, count=count, seed=seed),
        fonts or read_catalogue(), seed=seed, count=count, photos=photos,
    )  # fmt: skip
    if split not in {source.split for source in plan.sources}:
        have = " or ".join(source.split for source in plan.sources)
        raise DatasetError(f"there are no images in the split {split!r}; choose {have}")
    return Stream(plan, split, transform, target, errors)
