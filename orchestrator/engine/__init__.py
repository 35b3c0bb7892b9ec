"""Event, journal, decision, commands, workers: the one loop."""
