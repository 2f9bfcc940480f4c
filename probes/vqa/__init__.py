"""Questions about images: ways to answer them, and their accuracy."""
