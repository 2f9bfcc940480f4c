"""A hub on 127.0.0.1 whose repository is kept in a folder, so that it outlives a killed push."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

REPO = "org/words"

LAST = "/hub/dataset.json"
"""What is only there once all the rest is."""


@contextmanager
def lend_hub(folder: Path) -> Iterator[None]:
    """Let `push` reach a hub that has the files of a folder, and note there what it has then."""
    from huggingface_hub import constants

    from dataset_hub import TOKEN, serve_datasets
    from synthtext.export import push

    with serve_datasets() as shelf, ExitStack() as stack:
        for patch in (
            mock.patch.dict(os.environ, {"HF_TOKEN": TOKEN}),
            mock.patch.multiple(
                constants, ENDPOINT=shelf.url, HF_HUB_DISABLE_XET=True, HF_HUB_OFFLINE=False
            ),
            mock.patch.object(push, "N_PER_COMMIT", 2),
            mock.patch("time.sleep"),  # The client waits before it tries again.
        ):
            stack.enter_context(patch)
        if folder.exists():
            shelf.files[REPO, "main"] = {
                os.fspath(path.relative_to(folder)): path.read_bytes()
                for path in folder.rglob("*")
                if path.is_file()
            }
        yield
        for name, content in shelf.files.get((REPO, "main"), {}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
