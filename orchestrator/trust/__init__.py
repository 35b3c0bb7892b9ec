"""Who says so: keys, signatures, statements and what they prove."""
