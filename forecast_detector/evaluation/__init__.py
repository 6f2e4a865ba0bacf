"""Measuring: average precision, motion, baselines, sweeps."""
