"""Crops without labels -> the recipe that draws crops like them."""
