"""The training-free coarse generator: the source warped by its own landmarks."""
