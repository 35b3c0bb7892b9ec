"""Doing what a command asks."""
