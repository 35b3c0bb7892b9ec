"""What must be true, read from `checks/`."""
