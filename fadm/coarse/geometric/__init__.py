"""The training-free coarse generator: the source is warped by its own landmarks."""
