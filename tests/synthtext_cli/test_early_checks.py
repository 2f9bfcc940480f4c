from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from probes.tasks.registry import TASKS
from probes.training.arms import ARMS

SCRIPT = """
import json, sys, time
sys.argv[0] = "synthtext"
from synthtext_cli.app import main
began = time.process_time()
try:
    main()
finally:
    heavy = {"torch", "open_clip", "pandas", "sklearn", "matplotlib"} & sys.modules.keys()
    json.dump([sorted(heavy), time.process_time() - began], sys.stdout)
"""


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("probe", "--task", "wrods"), f"no task 'wrods'; there are {', '.join(TASKS)}"),
        (("probe", "--design", "sise"), "there is no factor 'sise'; choose among size, noise, strike"),
        (("probe", "--n", "1"), "n is 1; a level needs at least 2 words"),
        (("probe", "--limit", "3"), "limit applies to --data; leave it out, and use --n for a design"),
        (("probe", "--linear"), "--linear needs labelled images; add --task sentiment --data DIR"),
        (("finetune", "--data", "."), "o lies in the dataset . that the command reads; give another --out"),
        (("probe", "--data", "."), "o lies in the dataset . that the command reads; give another --out"),
        (("probe", "--data", "d", "--linear"), "--linear needs labelled images; add --task sentiment --data DIR"),
        (("finetune", "--data", "d", "--task", "wrods"), "task is 'wrods'; it is one of words, sentiment"),
        (("finetune", "--data", "d", "--arm", "hed"), f"arm is 'hed'; it is one of {', '.join(ARMS)}"),
        (("finetune", "--data", "d", "--batches", "hard"), "batches is 'hard'; it is one of random, image, text, both, edit"),
        (("finetune", "--data", "d", "--loss", "mse"), "loss is 'mse'; it is one of clip, siglip"),
        (("finetune", "--data", "d", "--exclude", "siz=3"), "a recipe has no factor 'siz'; did you mean size_px"),
    ],
)  # fmt: skip
def test_a_wrong_name_is_refused_before_anything_slow_is_imported(
    options: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", SCRIPT, *options, "--model", "bundled", "--out", "o"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, f"synthtext: {sentence}\n")
    heavy, seconds = json.loads(done.stdout)
    assert heavy == []
    # Processor time, since tests may run in parallel; the limit is half a second.
    assert seconds < 2
    assert list(tmp_path.iterdir()) == []
