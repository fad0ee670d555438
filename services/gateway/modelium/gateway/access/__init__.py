"""Who may ask, how much, and what it cost: keys, limits, usage."""
