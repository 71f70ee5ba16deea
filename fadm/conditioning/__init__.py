"""Coarse frame and attributes to the denoiser's condition (paper, section 3.2)."""
