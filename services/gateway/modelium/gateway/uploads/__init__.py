"""Models that are uploaded: which names they may have, and the files they grow in."""
