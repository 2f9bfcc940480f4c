"""The terms of a report, explained on its page."""

from __future__ import annotations

from collections.abc import Collection

from probes.reports.headline import CONDITIONS

ALWAYS = {
    "choice, 1 of K": "each image is compared with K texts, of which one is its own",
    "chance": "the accuracy of the same model on white images",
    "x-height": "the height of the letter x; in px, at the size at which the model sees the"
    " image, or in patches, the squares into which the model divides it",
    "95 % interval": "contains the true value in 95 of 100 such measurements",
}

DESIGN = {
    "easy, standard": "the two conditions from which one factor at a time is varied; at every"
    f" level the same words are shown. {CONDITIONS['easy'].capitalize()}."
    f" {CONDITIONS['harder'].capitalize()}",
    "threshold": "the level at which accuracy is midway between chance and the accuracy at the"
    " easiest level",
    "p (Holm)": "p of a test, corrected for the number of tests in its table",
}

MIXED = {
    "log odds": "how much the logarithm of correct to incorrect answers changes, with the other"
    " factors held fixed",
    "p (Holm)": DESIGN["p (Holm)"],
    "Zipf scale": "the frequency of a word in English: 3 is once in a million words, 6 once in"
    " a thousand",
}


def list_terms(names: Collection[str] = (), *, is_design: bool) -> list[tuple[str, str]]:
    """Return the terms of a report and their explanations.

    Args:
        names: factors of the report; terms of others are left out.
        is_design: whether one factor was varied at a time.
    """
    terms = ALWAYS | (DESIGN if is_design else MIXED)
    if not is_design and "zipf" not in names:
        terms = {name: text for name, text in terms.items() if name != "Zipf scale"}
    return list(terms.items())
