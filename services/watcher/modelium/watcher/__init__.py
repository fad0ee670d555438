"""The watcher: sees models come, change and go, and reads what they are."""
