"""Many models on few devices, seen from outside: what clients got, what engines held."""
