"""A model's name -> an encoder of images and texts."""
