"""HTTP in, engines out; requests wait here while their model loads."""
