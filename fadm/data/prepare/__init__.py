"""Preparation of raw videos: shards of tracked clips."""
