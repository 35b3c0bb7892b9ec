"""Tortures the real engine: its own processes are killed at every named point until nothing more can be broken.

Never used by the product, and nothing in the product knows of it: what is wrapped is wrapped from outside.
"""
