"""The process of a reader: images come in on standard input, answers go out on a pipe.

    python -m probes.readers.worker NAME NUMBER

NUMBER is the file descriptor of that pipe, which is separate so that what an engine prints does
not mix with the answers. A request is a line of JSON with the shapes of some images, then their
bytes; an answer is a line of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import BinaryIO

import numpy as np

from probes.arrays import Pixels
from probes.errors import ProbeError
from probes.readers.base import Reader, check_answers
from probes.readers.registry import build_reader

POLL_S = 0.5
"""Pause between two checks that the parent process is alive."""


def main(name: str, number: int) -> None:
    """Read images until standard input is closed."""
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    requests = sys.stdin.buffer
    with os.fdopen(number, "w", encoding="utf-8") as answers:

        def say(answer: Mapping[str, object]) -> None:
            answers.write(json.dumps(answer) + "\n")
            answers.flush()

        try:
            reader = build_reader(name)
            say({"batch_size": max(1, int(getattr(reader, "batch_size", 1)))})
        except ProbeError as error:
            say({"refused": str(error)})
            return
        except Exception as error:  # noqa: BLE001 - all become one sentence.
            say({"refused": f"{name} cannot be started ({_name_error(error)})"})
            return
        while images := _take_images(requests):
            say(_read(reader, images, name))


def _read(reader: Reader, images: Sequence[Pixels], name: str) -> Mapping[str, object]:
    try:
        readings = check_answers(reader.read_images(images), len(images), name)
    except ProbeError as error:
        return {"refused": str(error)}
    except Exception as error:  # noqa: BLE001 - an image on which a reader fails is counted.
        return {"fault": f"raised {_name_error(error)}"}
    # JSON has no NaN.
    sure = [r.confidence if r.confidence == r.confidence else None for r in readings]
    return {
        "texts": [r.text for r in readings],
        "confidences": sure,
        "faults": [r.fault for r in readings],
    }


def _take_images(requests: BinaryIO) -> list[Pixels]:
    """Return the images of the next request, an empty list when there is none."""
    line = requests.readline()
    if not line:
        return []
    images = []
    for height, width in json.loads(line):
        raw = requests.read(height * width * 3)
        images.append(np.frombuffer(raw, np.uint8).reshape(height, width, 3))
    return images


def _name_error(error: Exception) -> str:
    said = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _leave_with(parent: int) -> None:
    """End this process and everything that it started once its parent has ended."""
    while os.getppid() == parent:
        time.sleep(POLL_S)
    os.killpg(os.getpgid(0), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
