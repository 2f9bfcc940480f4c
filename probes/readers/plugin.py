"""Plugins: the user's own code, named by the function that builds a reader or an encoder."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

from probes.errors import ProbeError
from probes.readers.base import Reader

PREFIX = "python:"


def import_factory(name: str) -> tuple[Callable[[], object], str]:
    """Return a factory, and a SHA-256 of its name and its source file.

    Args:
        name: "python:module:factory". The module is imported, from the working directory too;
            it is the user's own code and runs unrestricted.

    Raises:
        ProbeError: it cannot be imported.
    """
    module_name, _, factory_name = name.removeprefix(PREFIX).partition(":")
    # Appended, so that no file in the working directory shadows a package.
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
        factory = getattr(module, factory_name)
    except (ImportError, ValueError, AttributeError) as error:
        raise ProbeError(
            f"{name} cannot be imported ({error}); write python:module:factory"
        ) from error
    code = Path(module.__file__).read_bytes() if module.__file__ else b""
    return factory, hashlib.sha256(name.encode() + b"\n" + code).hexdigest()


def build_plugin_reader(name: str) -> Reader:
    """Return the reader that a factory builds, called without arguments."""
    factory, _ = import_factory(name)
    return cast("Reader", factory())
