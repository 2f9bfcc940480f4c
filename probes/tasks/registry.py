"""Every task by its name."""

from __future__ import annotations

from probes.tasks import (
    distractors,
    localization,
    pseudowords,
    sentiment,
    typographic_attack,
    words,
)
from probes.tasks.base import Task

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        words.WORDS,
        distractors.TASK,
        pseudowords.TASK,
        words.SENTENCES,
        sentiment.TASK,
        localization.TASK,
        typographic_attack.TASK,
    )
}
"""In the order of the documentation."""
