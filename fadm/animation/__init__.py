"""A source and a driver to frames and files: the stages joined."""
