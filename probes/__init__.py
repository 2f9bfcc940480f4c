"""Measures who can read what synthtext draws."""
