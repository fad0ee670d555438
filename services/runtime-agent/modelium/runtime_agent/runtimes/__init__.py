"""The kinds of engine that an agent can run, one module each."""
