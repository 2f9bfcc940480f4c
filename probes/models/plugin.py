"""Plugins: an encoder of the user's own, named by the function that makes it."""

from __future__ import annotations

import hashlib
import importlib
import sys
from pathlib import Path

from probes.errors import ProbeError

PREFIX = "python:"


def build_plugin(name: str) -> tuple[object, str]:
    """Return what a factory builds, and a SHA-256 of its name and the file it is written in.

    The weights of such an encoder are not known here, so caches go by the code that makes them.

    Args:
        name: "python:module:factory". The module is imported, also from the working directory,
            and the factory called without arguments: the user's own code, run as such.

    Raises:
        ProbeError: it cannot be imported, or what it builds embeds nothing.
    """
    module_name, _, factory_name = name.removeprefix(PREFIX).partition(":")
    # Appended, so that no file here takes the place of a package.
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
        build = getattr(module, factory_name)
    except (ImportError, ValueError, AttributeError) as error:
        raise ProbeError(
            f"{name} cannot be imported ({error}); write python:module:factory"
        ) from error
    built: object = build()
    encoder = getattr(built, "encoder", built)
    if not (hasattr(encoder, "embed_images") and hasattr(encoder, "embed_texts")):
        raise ProbeError(
            f"{name} returned {type(built).__name__}, which is not an encoder;"
            " give it the methods embed_images and embed_texts"
        )
    code = Path(module.__file__).read_bytes() if module.__file__ else b""
    return built, hashlib.sha256(name.encode() + b"\n" + code).hexdigest()
