"""A dataset in the layouts of other tools."""
