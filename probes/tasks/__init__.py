"""Tasks: what is shown, what is asked, and what is measured."""
