"""Every task by its name; importing this is cheap, so that names can be checked early."""

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
