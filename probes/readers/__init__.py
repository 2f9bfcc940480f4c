"""A reader's name -> something that answers what is written in an image."""
