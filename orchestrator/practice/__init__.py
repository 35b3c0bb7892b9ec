"""Hosts to practise on, destroyed and restored for real."""
