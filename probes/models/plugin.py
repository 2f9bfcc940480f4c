"""Plugins: an encoder or a reader of the user's own, named by the function that makes it."""

from __future__ import annotations

from probes.errors import ProbeError
from probes.readers.plugin import PREFIX, import_factory

__all__ = ["PREFIX", "build_plugin", "reads"]


def build_plugin(name: str) -> tuple[object, str]:
    """Return what a factory builds, and a SHA-256 of its name and the file it is written in.

    The weights of such an encoder are not known here, so caches go by the code that makes them.
    A class that reads is returned as it is, since a reader is built in a process of its own.

    Args:
        name: "python:module:factory". The module is imported, also from the working directory,
            and the factory called without arguments: the user's own code, run as such.

    Raises:
        ProbeError: it cannot be imported, or what it builds neither embeds nor reads.
    """
    factory, digest = import_factory(name)
    if reads(factory):
        return factory, digest
    built: object = factory()
    encoder = getattr(built, "encoder", built)
    embeds = hasattr(encoder, "embed_images") and hasattr(encoder, "embed_texts")
    if not (embeds or reads(built)):
        raise ProbeError(
            f"{name} returned {type(built).__name__}, which is not an encoder; it needs the"
            f" methods embed_images and embed_texts, or read_images"
        )
    return built, digest


def reads(built: object) -> bool:
    """Return whether what a plugin offers answers in text."""
    return hasattr(built, "read_images")
