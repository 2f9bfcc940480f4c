"""The command line, as `python -m cli` and torchrun start it."""

from __future__ import annotations

from synthtext_cli.app import app, main

__all__ = ["app", "main"]

if __name__ == "__main__":
    main()
