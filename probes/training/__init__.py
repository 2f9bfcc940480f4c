"""Fine-tuning: what is trained, on what, and what was gained and kept."""
