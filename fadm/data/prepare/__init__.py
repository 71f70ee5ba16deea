"""From raw videos to shards of tracked clips."""
