"""Renaming tables from released state-dict keys to ours, one file for each released model."""
