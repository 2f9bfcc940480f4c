"""Specs -> shards on disk, and back."""
