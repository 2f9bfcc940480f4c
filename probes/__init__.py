"""Measures how well models read text in images, and fine-tunes models to read it.

>>> import probes
>>> config = probes.ProbeConfig(task="words", design="size", n=12, ks=(2, 10))
>>> config.task, config.n
('words', 12)

`docs/reference.md` shows a complete probe; `load_model` takes the same names as
`synthtext probe --model`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probes.errors import ProbeError
    from probes.models.base import Encoder, Model
    from probes.models.factory import load_model
    from probes.readers.base import Reader, Reading
    from probes.reports.probe import write_probe
    from probes.tasks.config import ProbeConfig
    from probes.tasks.run import Probe, run_probe
    from probes.training.config import FinetuneConfig
    from probes.training.finetune import Finetuned, run_finetune
    from probes.vqa.run import VqaConfig, run_vqa

__all__ = [
    "Encoder",
    "FinetuneConfig",
    "Finetuned",
    "Model",
    "Probe",
    "ProbeConfig",
    "ProbeError",
    "Reader",
    "Reading",
    "VqaConfig",
    "load_model",
    "run_finetune",
    "run_probe",
    "run_vqa",
    "write_probe",
]

_HOMES = {
    "errors": ("ProbeError",),
    "models.base": ("Encoder", "Model"),
    "models.factory": ("load_model",),
    "readers.base": ("Reader", "Reading"),
    "reports.probe": ("write_probe",),
    "tasks.config": ("ProbeConfig",),
    "tasks.run": ("Probe", "run_probe"),
    "training.config": ("FinetuneConfig",),
    "training.finetune": ("Finetuned", "run_finetune"),
    "vqa.run": ("VqaConfig", "run_vqa"),
}
"""The module of each public name; it is imported on first use, so that importing is fast."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for.
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"probes.{module}"), name)
    raise AttributeError(f"module 'probes' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
