"""What happened, for good: an append-only journal whose head names every byte before it."""
