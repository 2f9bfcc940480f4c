"""Images and texts -> vectors, kept on disk."""
