"""The `fadm` command: parse, check, call; one file per command."""
