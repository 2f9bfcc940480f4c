"""Coverage-guided fuzzing of a target: `guided.py TARGET N FOLDER`.

The first input that is neither read nor refused with one sentence, or takes over 10 s or 2 GB,
ends the process with an error and is kept in the folder.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

MAX_INPUT_BYTES = 20_000


def main() -> None:
    """Try N inputs."""
    import atheris  # It is not always installed, and must be imported before the rest.

    with atheris.instrument_imports(include=["synthtext", "probes"]):
        from fuzzing import MAX_BYTES, MAX_SECONDS, MUTATORS, SEED, TARGETS
        from synthtext.errors import SynthtextError

    target, n, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    make_seeds, run = TARGETS[target]
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(make_seeds()):
        (corpus / f"{number:03d}").write_bytes(seed)

    def check(raw: bytes) -> None:
        path = folder / "input"
        path.write_bytes(raw)
        try:
            run(path)
        except SynthtextError as error:
            if "\n" in str(error):
                raise AssertionError(f"a sentence of several lines: {error}") from error

    def change(raw: bytes, max_bytes: int, seed: int) -> bytes:
        return MUTATORS[target](random.Random(seed), [raw])[:max_bytes]

    options = {
        "runs": n, "seed": SEED, "timeout": MAX_SECONDS, "rss_limit_mb": MAX_BYTES >> 20,
        "max_len": MAX_INPUT_BYTES, "len_control": 0, "artifact_prefix": f"{folder}/",
    }  # fmt: skip
    flags = [f"-{name}={value}" for name, value in options.items()]
    own = {"custom_mutator": change} if target in MUTATORS else {}
    atheris.Setup([sys.argv[0], *flags, str(corpus)], check, **own)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
