"""Signs on walls, and questions about them in TextVQA's format."""
