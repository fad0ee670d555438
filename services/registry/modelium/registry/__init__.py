"""The registry: turns events into records; the only writer of the store."""
