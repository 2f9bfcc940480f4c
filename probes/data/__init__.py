"""Images to show a model: drawn for a design, or read from disk."""
