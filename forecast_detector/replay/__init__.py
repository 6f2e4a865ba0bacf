"""Replaying bags, offline or through the live node: the same answers, the same report."""
