"""In what order things come back and behind which gate, read from `plans/`."""
