"""Noise schedules, the denoising U-Net, samplers and losses; no word about faces."""
