"""The routes, and reading of what comes in."""
