"""What detections are worth: average precision, motion, intervals; no networks, no running."""
