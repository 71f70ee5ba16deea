"""Coarse frames rendered by the diffusion model (paper, section 3.2): the only way to render."""
