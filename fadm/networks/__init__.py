"""Frozen pretrained networks, which losses and metrics look through."""
