"""Data sets as clips: one adapter a file, clip transforms, the synthetic world."""
