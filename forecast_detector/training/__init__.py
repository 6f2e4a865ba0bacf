"""Training: matching, losses, schedules, the trainer."""
