"""Balance: how often each character of a promised alphabet comes up in each split."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from synthtext.dataset.manifest import to_json
from synthtext.dataset.shards import read_drawn_texts
from synthtext.decks import COVER
from synthtext.errors import DamageError
from synthtext.files import read_file
from synthtext.storage import replace_file

BALANCE = "balance.json"

MAX_BALANCE_BYTES = 64 << 20

REMEDY = "run the command that wrote the dataset again, with --repair"


@dataclass(frozen=True)
class Balance:
    """How often the characters of an alphabet come up.

    Attributes:
        n_each: how often each was to come up at least.
        counts: of each character, the rarest first, for each split.
    """

    n_each: int
    counts: Mapping[str, Mapping[str, int]]

    @property
    def lacking(self) -> dict[str, dict[str, int]]:
        """The characters that come up too rarely, for each split that has any."""
        found = {
            split: {char: n for char, n in counts.items() if n < self.n_each}
            for split, counts in self.counts.items()
        }
        return {split: counts for split, counts in found.items() if counts}


def write_balance(folder: Path, manifest: Mapping[str, Any]) -> dict[str, str]:
    """Count the characters of a finished dataset and write `balance.json`.

    Returns:
        The SHA-256 of the file, in hex, by its name; empty if the plan promises no alphabet.

    Raises:
        ShardError: a shard is missing or broken.
    """
    cover = manifest["plan"].get(COVER)
    if cover is None:
        return {}
    counts = {
        split: Counter(dict.fromkeys(cover["alphabet"], 0)) for split in manifest["splits"]
    }
    wanted = set(cover["alphabet"])
    for row in manifest["shards"]:
        found = Counter("".join(read_drawn_texts(folder / row["file"])))
        counts[row["file"].partition("/")[0]].update(
            {char: n for char, n in found.items() if char in wanted}
        )
    content = to_json(
        {
            "at_least": cover["at_least"],
            "counts": {
                split: dict(sorted(each.items(), key=lambda pair: (pair[1], pair[0])))
                for split, each in counts.items()
            },
        }
    )
    replace_file(folder / BALANCE, content)
    return {BALANCE: hashlib.sha256(content).hexdigest()}


def read_balance(folder: Path) -> Balance | None:
    """Return the balance of a dataset; None if its plan promises no alphabet.

    Raises:
        DamageError: the file is broken.
    """
    path = folder / BALANCE
    if not path.exists():
        return None
    raw = read_file(path, MAX_BALANCE_BYTES, kind=DamageError, remedy=REMEDY)
    try:
        fields = orjson.loads(raw)
        n_each, counts = fields["at_least"], fields["counts"]
        is_fine = type(n_each) is int and all(
            type(n) is int for each in counts.values() for n in each.values()
        )
    except (ValueError, LookupError, TypeError, AttributeError):
        is_fine = False
    if not is_fine:
        raise DamageError(f"{path} is not what synthtext wrote; {REMEDY}")
    return Balance(n_each, counts)
