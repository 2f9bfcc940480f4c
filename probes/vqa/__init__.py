"""Questions about images: methods to answer them, and their accuracy."""
