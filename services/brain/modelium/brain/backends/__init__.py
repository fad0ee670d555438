"""What implements `backend.Backend`."""
