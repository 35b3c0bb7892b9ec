"""What people and dashboards see."""
