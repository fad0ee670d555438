"""Requests whose model cannot serve them now: who waits, in which order, and until when."""
