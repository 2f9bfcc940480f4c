"""Bundled sentences: short film reviews, half of them positive, half negative.

A small grammar generates them. Both classes have the same subjects and frames; only the
evaluative words differ, so the classes can only be distinguished by reading them.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator

from synthtext.texts.words import Texts, make_texts

N_PER_LABEL = 7000

SUBJECTS = (
    "the story", "the script", "the opening hour", "the lead performance", "the dialogue",
    "the direction", "the final act", "the camera work", "the score", "the editing",
    "the supporting cast", "the romance at its centre", "the humour", "the production design",
    "the love triangle", "the mystery", "the courtroom scene", "the long chase", "the ending",
    "the narration",
)  # fmt: skip

FILMS = (
    "this thriller", "this family drama", "the sequel", "this first feature", "the remake",
    "this quiet comedy", "this war picture", "the documentary", "this western",
    "this space adventure", "the musical", "this ghost story",
)  # fmt: skip

ADJECTIVES = {
    0: (
        "dull", "clumsy", "lifeless", "tedious", "shallow", "stale", "muddled", "forgettable",
        "charmless", "painfully slow", "badly judged", "hollow", "grating", "unconvincing",
    ),
    1: (
        "gripping", "graceful", "lively", "moving", "rich", "fresh", "lucid", "memorable",
        "charming", "beautifully paced", "finely judged", "profound", "delightful",
        "convincing",
    ),
}  # fmt: skip

VERBS = {
    0: (
        "falls flat", "runs out of ideas", "tests our patience", "never comes to life",
        "insults the audience", "wastes its time", "leads nowhere", "rings false",
    ),
    1: (
        "hits every note", "is full of ideas", "holds our attention", "bursts into life",
        "respects the audience", "makes every minute count", "lands beautifully", "rings true",
    ),
}  # fmt: skip

VERDICTS = {
    0: (
        "I wanted to leave long before it was over",
        "it is a chore to sit through",
        "nobody should have to see it twice",
        "I would not wish it on anyone",
        "it deserves to be forgotten",
        "there is no reason to see it",
    ),
    1: (
        "I could have stayed for another hour",
        "it is a joy to sit through",
        "everybody should see it twice",
        "I would recommend it to anyone",
        "it deserves to be remembered",
        "there is every reason to see it",
    ),
}

ASIDES = (
    "on a second viewing", "from any seat in the house", "as so often with this director",
    "whenever two people share the screen", "even by the standards of its kind",
)  # fmt: skip


def _short(label: int) -> Iterator[str]:
    """Return sentences of one clause about one part of a film."""
    for subject, adjective, verb in itertools.product(
        SUBJECTS, ADJECTIVES[label], VERBS[label]
    ):
        yield f"{subject} is {adjective} and {verb}."


def _aside(label: int) -> Iterator[str]:
    """Return sentences that begin with an aside."""
    for subject, adjective, aside in itertools.product(SUBJECTS, ADJECTIVES[label], ASIDES):
        yield f"{aside}, {subject} is {adjective}."


def _paired(label: int) -> Iterator[str]:
    """Return sentences of two parts of a film that agree."""
    for (first, second), adjective, verdict in itertools.product(
        itertools.combinations(SUBJECTS, 2), ADJECTIVES[label], VERDICTS[label]
    ):
        yield f"{first} is {adjective}, {second} is no less so, and {verdict}."


def _whole(label: int) -> Iterator[str]:
    """Return sentences about a film as a whole."""
    for film, (first, second), verdict in itertools.product(
        FILMS, itertools.combinations(ADJECTIVES[label], 2), VERDICTS[label]
    ):
        yield f"{film} is {first} and {second}: {verdict}."


def _long(label: int) -> Iterator[str]:
    """Return long sentences, with a film, one of its parts and a verdict."""
    for film, subject, verb, verdict in itertools.product(
        FILMS, SUBJECTS, VERBS[label], VERDICTS[label]
    ):
        yield (
            f"there is one thing to be said of {film}, and it is that {subject} {verb}, "
            f"so much so that {verdict}."
        )


FRAMES = (_short, _aside, _paired, _whole, _long)


@functools.cache
def review_sentences() -> Texts:
    """Return the bundled reviews: 14,000 distinct sentences, labels alternating.

    >>> texts = review_sentences()
    >>> len(texts.items), sum(label or 0 for label in texts.labels)
    (14000, 7000)
    """
    pairs = zip(_mix(0), _mix(1), strict=True)
    items = [item for pair in pairs for item in pair]
    return make_texts(items, [0, 1] * N_PER_LABEL, "reviews")


def _mix(label: int) -> list[str]:
    """Return the sentences of a label, alternating frames, spread over each frame's range."""
    columns = [_spread(list(frame(label)), N_PER_LABEL // len(FRAMES)) for frame in FRAMES]
    return [_capitalise(sentence) for row in zip(*columns, strict=True) for sentence in row]


def _spread(sentences: list[str], n: int) -> list[str]:
    """Return n of the sentences in a fixed order in which neighbours are far apart."""
    # A stride near the golden ratio, coprime to the length, visits every item once.
    stride = round(len(sentences) * 0.618)
    while math.gcd(stride, len(sentences)) > 1:
        stride += 1
    return [sentences[i * stride % len(sentences)] for i in range(min(n, len(sentences)))]


def _capitalise(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
