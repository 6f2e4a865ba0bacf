"""Nodes around the detector, for demos and replays: they play cameras and record answers."""
