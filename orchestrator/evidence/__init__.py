"""What inspections and other tools found: how it is kept, and what indicators and sweeps find in it."""
