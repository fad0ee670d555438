"""Fits the policies to the demand: `tuner.py` when and what, `replaying.py` in a child process."""
