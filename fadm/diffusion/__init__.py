"""Noise schedules, the denoising U-Net, samplers and losses; they know nothing of faces."""
