"""Plan -> plan in which each character of an alphabet comes up often enough in every split.

The first images of each split show texts that are chosen for it: of those that have the rarest
character that is still lacking, the one with the most characters that are lacking. Every text
is tried as its image would draw it, and only what can be drawn counts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from synthtext.dataset.made_texts import make_texts_with
from synthtext.dataset.plan import SENTIMENTS, Plan
from synthtext.decks import Chosen, Cover, Deck, Source
from synthtext.drawing.painting import cover
from synthtext.drawing.rendering import fit, open_face_of, open_fallback
from synthtext.draws import Choice
from synthtext.errors import DatasetError, DrawError, WordsError
from synthtext.recipe import ANY, Recipe, list_draws
from synthtext.rng import draw_bits
from synthtext.sampling import sample_specs
from synthtext.spec import CASES, Spec

MAX_COVER = 1_000_000
"""Maximum number of times that a character can be asked for."""

N_KEPT = 512
"""Number of texts to choose from for each character."""

N_COMPARED = 16
"""Number of texts compared for an image."""

N_TRIES = 8
"""Number of texts tried for an image whose size and shape may not suit each."""

BLOCK = 128
"""Number of images chosen before they are tried."""

N_FAILED = 64
"""Number of images without a text that can be drawn, beside half of all, to give up at."""


@dataclass
class _Stock:
    """The texts to choose from for each character, and how often it is still lacking.

    Attributes:
        source: the split; texts are added to its chosen ones.
        lacking: number of times that each character still has to come up; below 0 if it comes
            up more often.
        texts: for each character, texts that have it; those with the fewest come first.
        turns: for each character, the next text to look at.
    """

    source: Source
    lacking: Counter[str]
    texts: dict[str, list[Chosen]]
    turns: Counter[str] = field(default_factory=Counter)

    def find_lacking(self) -> str | None:
        """Return the rarest character that is lacking; None if none is."""
        return next((char for char in self.texts if self.lacking[char] > 0), None)

    def choose(self) -> Chosen:
        """Return a text with the rarest character that is lacking.

        No text is returned twice for a character before each was returned once.
        """
        char = self.find_lacking() or next(iter(self.texts))
        texts, turn = self.texts[char], self.turns[char] % len(self.texts[char])
        self.turns[char] += 1
        # What was returned before lies before the turn.
        stop = min(turn + N_COMPARED, len(texts))
        best = max(range(turn, stop), key=lambda place: self._measure_gain(texts[place]))
        texts[turn], texts[best] = texts[best], texts[turn]
        self.lacking.subtract(self._count(texts[turn]))
        return texts[turn]

    def put_back(self, text: Chosen) -> None:
        """Take back a text that was chosen."""
        self.lacking.update(self._count(text))

    def _count(self, text: Chosen) -> Counter[str]:
        shown = Counter(CASES[text.case](text.text))
        return Counter({char: n for char, n in shown.items() if char in self.texts})

    def _measure_gain(self, text: Chosen) -> int:
        return sum(min(n, max(self.lacking[char], 0)) for char, n in self._count(text).items())


def cover_alphabet(
    plan: Plan, alphabet: Sequence[str] | None, n_each: int, *, count: int | None = None
) -> Plan:
    """Return the plan with texts chosen so that each character comes up often enough.

    A character that no text of a split has gets texts made for it, which are classes too.

    Args:
        plan: from `make_plan`.
        alphabet: the characters, as drawn; None takes all those of the texts.
        n_each: how often each comes up at least in every split, 1 or more.
        count: the total number of images, of which the chosen ones are a part; None adds them.

    Raises:
        DatasetError: the number is out of range, there are too few images, or texts with a
            character cannot be drawn.
        WordsError: no font has a character, no letter case shows it, or no text can be made
            that has it.
    """
    if not 1 <= n_each <= MAX_COVER:
        raise DatasetError(f"--cover is {n_each}; it must be 1 to {MAX_COVER:,}")
    cases = _list_cases(plan.recipe)
    alphabet = _list_shown(plan, cases) if alphabet is None else alphabet
    _check_alphabet(plan, alphabet, cases)
    classes = {name: place for place, name in enumerate(plan.classnames)}
    sources: list[Source] = []
    counts = []
    first = 0
    for source, n in zip(plan.sources, plan.counts, strict=True):
        chosen = _cover_split(plan, replace(source, first=first), alphabet, n_each, classes)
        n_images = n if count is not None else n + len(chosen.chosen)
        sources.append(chosen)
        counts.append(n_images)
        first += n_images
    if count is not None:
        _check_room(sources, counts, n_each)
    return replace(
        plan,
        sources=tuple(sources),
        counts=tuple(counts),
        classnames=tuple(classes),
        cover=Cover(tuple(alphabet), n_each),
    )


def _list_cases(recipe: Recipe) -> tuple[str, ...]:
    """Return the letter cases that a recipe draws."""
    found = set[str]()
    for draw in list_draws(recipe, "case"):
        if not isinstance(draw, Choice) or ANY in draw.values:
            return tuple(CASES)
        found |= {name for name, n in zip(draw.values, draw.weights, strict=True) if n}
    return tuple(case for case in CASES if case in found)


def _list_shown(plan: Plan, cases: Sequence[str]) -> tuple[str, ...]:
    """Return the characters of all texts in their letter cases, without spaces."""
    own = {char for texts in plan.texts.values() for item in texts.items for char in item}
    shown = {char for case in cases for each in own for char in _show(each, case)}
    return tuple(sorted(char for char in shown if not char.isspace()))


def _show(char: str, case: str) -> str:
    """Return what a letter case makes of a character, first in a text or not."""
    return CASES[case](char) + CASES[case](f"x{char}")[1:]


def _check_alphabet(plan: Plan, alphabet: Sequence[str], cases: Sequence[str]) -> None:
    without = [char for char in alphabet if not plan.fonts.masks.get(ord(char))]
    if without:
        raise WordsError(
            f"no font has {_name(without)} of the alphabet; leave that out, or add a font with"
            " --fonts"
        )
    unshown = [
        char for char in alphabet if not any(char in _show(char, case) for case in cases)
    ]
    if unshown:
        raise WordsError(
            f"case is {','.join(cases)}, which never shows {_name(unshown)} of the alphabet;"
            " leave that out, or change --case"
        )


def _check_room(sources: Sequence[Source], counts: Sequence[int], n_each: int) -> None:
    total = sum(counts)
    needed = max(
        math.ceil(len(source.chosen) * total / n)
        for source, n in zip(sources, counts, strict=True)
    )
    for source, n in zip(sources, counts, strict=True):
        if len(source.chosen) > n:
            raise DatasetError(
                f"--cover {n_each} takes {len(source.chosen):,} images in {source.split}, which"
                f" has {n:,}; give --count {needed} or more, or a lower --cover"
            )


def _cover_split(
    plan: Plan, source: Source, alphabet: Sequence[str], n_each: int, classes: dict[str, int]
) -> Source:
    """Return the source of a split with its chosen texts; classes of made texts are added."""
    texts = _collect(plan, source, alphabet)
    for char in alphabet:
        texts[char] = texts[char] or _make(plan, source, char, alphabet, classes)
    rarest_first = sorted(alphabet, key=lambda char: (len(texts[char]), char))
    stock = _Stock(
        source,
        Counter(dict.fromkeys(alphabet, n_each)),
        {char: texts[char] for char in rarest_first},
    )
    n_failed = 0
    while lacking := stock.find_lacking():
        reasons = _choose_block(plan, stock)
        n_failed += len(reasons)
        if n_failed > N_FAILED + len(stock.source.chosen) // 2:
            raise DatasetError(
                f"too few texts with {_name([lacking])} can be drawn in"
                f" {source.split}, and one reason is: {reasons[-1]}"
            )
    return stock.source


def _choose_block(plan: Plan, stock: _Stock) -> list[str]:
    """Choose the texts of some images; return why each that cannot be drawn cannot be."""
    done, start = stock.source.chosen, stock.source.start
    block: list[Chosen] = []
    while stock.find_lacking() and len(block) < BLOCK:
        block.append(stock.choose())
    failed = dict.fromkeys(range(len(block)), "")
    for turn in range(N_TRIES):
        if turn:
            for place in failed:
                stock.put_back(block[place])
                block[place] = stock.choose()
        stock.source = replace(stock.source, chosen=(*done, *block))
        specs = sample_specs(
            plan.recipe, stock.source, plan.fonts, seed=plan.seed,
            indices=range(start, start + len(block)), photos=plan.photos,
        )  # fmt: skip
        failed = {place: why for place in failed if (why := _explain(plan, specs[place]))}
        if not failed:
            break
    for place in failed:
        stock.put_back(block[place])
    return list(failed.values())


def _explain(plan: Plan, spec: Spec) -> str:
    """Return why a text cannot be drawn, without its background; empty if it can."""
    try:
        face = open_face_of(spec, plan.fonts)
        cover(*fit(spec, face, open_fallback(spec, plan.fonts)))
    except DrawError as error:
        return str(error)
    return ""


def _collect(plan: Plan, source: Source, alphabet: Sequence[str]) -> dict[str, list[Chosen]]:
    """Return texts of a split for each character that they show, in random order."""
    texts: dict[str, list[Chosen]] = {char: [] for char in alphabet}
    wanted, cases = set(alphabet), _list_cases(plan.recipe)
    for deck in source.decks:
        for place in _shuffle(plan, source, deck):
            shown = {CASES[case](deck.items[place]): case for case in reversed(cases)}
            for text, case in shown.items():
                for char in sorted(wanted & set(text)):
                    texts[char].append(_choose(deck, place, case))
                    if len(texts[char]) == N_KEPT:
                        wanted.remove(char)
            if not wanted:
                return texts
    return texts


def _shuffle(plan: Plan, source: Source, deck: Deck) -> Iterator[int]:
    bits = draw_bits(plan.seed, f"cover {deck.kind} {source.split}", 0, len(deck.items))
    yield from np.argsort(bits[:, 0], kind="stable").tolist()


def _choose(deck: Deck, place: int, case: str) -> Chosen:
    return Chosen(
        deck.kind, deck.items[place], deck.labels[place], deck.class_indices[place], case
    )


def _make(
    plan: Plan, source: Source, char: str, alphabet: Sequence[str], classes: dict[str, int]
) -> list[Chosen]:
    """Return texts made for a character that no text of a split has."""
    made: list[Chosen] = []
    if plan.classnames != SENTIMENTS:
        texts = make_texts_with(char, alphabet, source.split, plan.recipe.splits, plan.seed)
        for text in texts:
            case = next(
                (case for case in _list_cases(plan.recipe) if char in CASES[case](text)), None
            )
            if case is not None:
                number = classes.setdefault(text, len(classes))
                made.append(Chosen(source.decks[0].kind, text, None, number, case))
            if len(made) == N_COMPARED:
                break
    if not made:
        raise WordsError(
            f"no text of {source.split} has {char!r} (U+{ord(char):04X}) of the alphabet, and"
            " none can be made; leave it out, or give texts that have it"
        )
    return made


def _name(chars: Sequence[str]) -> str:
    """Return the first characters of a list, with their code points."""
    named = ", ".join(f"{char!r} (U+{ord(char):04X})" for char in chars[:8])
    return named + (f" and {len(chars) - 8:,} more" if len(chars) > 8 else "")
