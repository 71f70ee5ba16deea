"""Renaming tables: released state-dict keys to ours, one file a released model."""
