"""The `modelium` command; it starts the services, and talks to them by HTTP only."""
