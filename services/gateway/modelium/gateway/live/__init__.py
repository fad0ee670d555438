"""What can be followed as it happens: models, devices, and what is said on the bus."""
