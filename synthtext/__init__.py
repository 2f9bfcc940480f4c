"""Draw text, record every factor of every image, and write it as WebDataset shards."""
