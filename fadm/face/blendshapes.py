"""The names of the blendshape coefficients that the tracker gives."""

from fadm.blendshapes import BLENDSHAPES, NUM_BLENDSHAPES, UNSEEN_BLENDSHAPES, mirror_blendshape

__all__ = ["BLENDSHAPES", "NUM_BLENDSHAPES", "UNSEEN_BLENDSHAPES", "mirror_blendshape"]
