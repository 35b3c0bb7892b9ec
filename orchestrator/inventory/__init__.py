"""What exists: sites, functions, services, hosts and devices, read from `inventory/`."""
