"""Weights as data: safetensors with their configuration, and importers of the released files."""
