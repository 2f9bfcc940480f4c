"""Fuzzing of untrusted inputs: seed files, mutations, and limits that must hold.

Every input is identified by (target, seed, number) and can be made again from these.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzz_targets import TARGETS
from hostile_configs import (
    mutate_json,
)
from hostile_tars import mutate_headers
from synthtext.errors import SynthtextError

IS_FULL = os.environ.get("FAULTS") == "full"
"""Whether to run all cases, or a small part of each."""

SEED = 20

MAX_SECONDS = 10

MAX_BYTES = 2 << 30

N_EDITS = 8

STRANGE = [
    b"\x00", b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"../", b"/etc/passwd",
    b"\xef\xbb\xbf", b"\xed\xa0\x80", "\u202e\u0301\u200d".encode(), b"1e999", b"-1", b"nan",
    b"[" * 200, b"{\"a\":" * 50, b"\r\n", b"\t", b"%s%n", b"9" * 30,
    b"9" * 5000, b"a." * 1000, b"[" * 1000, b"{a=" * 1000, b'"""', b"'" * 3, b"=", b"\n[a.b]\n",
]  # fmt: skip
"""Byte strings that are hard for parsers."""


@dataclass
class Report:
    """The results for the inputs of one target.

    Attributes:
        n_tried: number of inputs.
        n_refused: number of inputs that were refused with one sentence.
        faults: inputs that were neither read nor refused, with what happened.
        peak_bytes: peak memory of the process.
    """

    n_tried: int = 0
    n_refused: int = 0
    faults: list[str] = field(default_factory=list)
    peak_bytes: int = 0


def mutate(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return one of the seeds with a few edits, or two of them spliced."""
    raw = bytearray(chance.choice(seeds))
    if chance.random() < 0.1:
        other = chance.choice(seeds)
        raw = raw[: chance.randrange(len(raw) + 1)] + other[chance.randrange(len(other) + 1) :]
    for _ in range(chance.randint(1, N_EDITS)):
        at = chance.randrange(len(raw) + 1)
        here, size = raw[at : at + 1] or b"0", chance.randint(1, 200)
        # The bytes to insert, and the number of bytes that they replace.
        piece, n_replaced = chance.choice(
            [
                (bytes([here[0] ^ 1 << chance.randrange(8)]), 1),
                (bytes([chance.randrange(256)]), 1),
                (chance.choice(STRANGE), 0),
                (b"", size),
                (bytes(raw[at : at + size]), 0),
            ]
        )
        raw[at : at + n_replaced] = piece
    return bytes(raw[: chance.randrange(len(raw) + 1)] if chance.random() < 0.05 else raw)


def make_input(target: str, number: int, seeds: Sequence[bytes], seed: int = SEED) -> bytes:
    """Return the input of a number and seed; the first inputs are the seed files themselves."""
    if number < len(seeds):
        return seeds[number]
    return MUTATORS.get(target, mutate)(random.Random(f"{seed} {target} {number}"), seeds)


def fuzz(target: str, n: int, folder: Path) -> Report:
    """Return the results of n inputs of a target, run in a separate process that may crash."""
    context = multiprocessing.get_context("spawn")
    report, number = Report(), 0
    while number < n:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(target, number, n, str(folder), sender))
        process.start()
        sender.close()
        with suppress(EOFError):
            while receiver.poll(3 * MAX_SECONDS):
                number, refused, fault, peak = receiver.recv()
                report.n_refused += refused
                report.peak_bytes = max(report.peak_bytes, peak)
                if fault:
                    report.faults.append(f"{target} {number}: {fault}")
                number += 1
        process.kill()
        process.join()
        if number < n and process.exitcode != 0:
            report.faults.append(f"{target} {number}: the process died ({process.exitcode})")
            number += 1
    report.n_tried = n
    if report.peak_bytes > MAX_BYTES:
        report.faults.append(f"{target}: {report.peak_bytes:,} bytes of memory")
    return report


def _work(target: str, first: int, n: int, folder: str, sender: Any) -> None:  # noqa: ANN401
    make_seeds, run = TARGETS[target]
    seeds = make_seeds()
    path = Path(folder) / "input"

    def expire(*_: object) -> None:
        raise TimeoutError(f"took more than {MAX_SECONDS} s")

    signal.signal(signal.SIGALRM, expire)
    for number in range(first, n):
        path.write_bytes(make_input(target, number, seeds))
        refused, fault = False, ""
        signal.alarm(MAX_SECONDS)
        try:
            run(path)
        except SynthtextError as error:
            refused = True
            if "\n" in str(error):
                fault = f"a sentence of several lines: {error}"
        except BaseException:  # noqa: BLE001 - any exception is a fault that was found.
            fault = traceback.format_exc()
        signal.alarm(0)
        sender.send((number, refused, fault, read_peak()))


def read_peak() -> int:
    """Return the peak memory of this process in bytes."""
    # `ru_maxrss` survives an exec, so it includes the peak of the parent process.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _mutate_json(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return one of the seeds with changed values or bytes."""
    made = mutate_json(chance, seeds) if chance.random() < 0.7 else None
    return made or mutate(chance, seeds)


MUTATORS = {
    "tar headers": mutate_headers,
    **dict.fromkeys(("configs", "tokenizers", "tokenizer configs"), _mutate_json),
}
"""Mutators for targets whose format random bytes would only break."""
