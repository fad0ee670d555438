"""What this gateway counts, and who is told."""
