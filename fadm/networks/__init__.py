"""Frozen pretrained networks whose features losses and metrics compare."""
