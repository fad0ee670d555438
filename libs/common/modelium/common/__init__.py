"""Contracts and the shared shell of all services."""
