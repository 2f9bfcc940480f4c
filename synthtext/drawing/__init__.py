"""A spec -> pixels and quads."""
