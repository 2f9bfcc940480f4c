"""Every task by its name: no more than names, so that to check one costs nothing."""

from __future__ import annotations

TASKS = {
    "words": "words.WORDS",
    "distractors": "distractors.TASK",
    "pseudowords": "pseudowords.TASK",
    "sentences": "words.SENTENCES",
    "sentiment": "sentiment.TASK",
    "where": "localization.TASK",
    "attack": "typographic_attack.TASK",
}
"""Where each task is declared, in the order of the documentation."""
