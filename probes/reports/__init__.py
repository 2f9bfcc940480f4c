"""Results -> pages, plots, images and model cards."""
