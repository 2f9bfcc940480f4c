"""Plugins: the user's own encoder or reader, named by the function that builds it."""

from __future__ import annotations

from probes.errors import ProbeError
from probes.readers.plugin import PREFIX, import_factory

__all__ = ["PREFIX", "build_plugin", "reads"]


def build_plugin(name: str) -> tuple[object, str]:
    """Return what a factory builds, and a SHA-256 of its name and its source file.

    The weights of such an encoder are unknown, so cache keys depend on its code. A reader's
    class is returned without being called, since readers are built in a separate process.

    Args:
        name: "python:module:factory". The module is imported, from the working directory too,
            and the factory is called without arguments; it is the user's own code and runs
            unrestricted.

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
    """Return whether the object of a plugin returns text."""
    return hasattr(built, "read_images")
