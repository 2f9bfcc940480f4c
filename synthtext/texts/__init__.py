"""Words and sentences to draw."""
