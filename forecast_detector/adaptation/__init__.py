"""Weights adapted to a user's own recordings, which nobody has to label."""
