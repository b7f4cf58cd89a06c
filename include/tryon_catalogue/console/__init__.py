"""The `tryon` command and what it shows in a terminal."""
