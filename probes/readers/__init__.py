"""A reader's name -> an object that returns the text in an image."""
