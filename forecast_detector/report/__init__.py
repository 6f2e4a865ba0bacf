"""One HTML file from the JSON of evaluations, replays and sweeps: to look at, not to read."""
