"""The entry point of `python -m synthtext_cli` and `torchrun -m synthtext_cli`."""

from __future__ import annotations

from synthtext_cli.app import main

if __name__ == "__main__":
    main()
