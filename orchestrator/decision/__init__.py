"""The pure core: what happened goes in, what must be done comes out; no time, chance or I/O."""
