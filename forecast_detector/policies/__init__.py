"""Ways to decide which frames are read, and what answers the others: ours and the baselines."""
