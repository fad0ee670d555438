"""The brain: advises what to keep, evict and load, and how a new model is to be served."""
