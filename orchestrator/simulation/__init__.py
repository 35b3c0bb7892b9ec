"""The same core in an invented world: seeded disasters that must end well, and forecasts from many invented futures."""
