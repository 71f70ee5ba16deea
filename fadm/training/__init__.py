"""Loops that learn from data, each read from top to bottom."""
