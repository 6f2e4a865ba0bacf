"""Training without labels: a detector's own readings teach its forecasts and its scheduler."""
