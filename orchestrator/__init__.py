"""Relance restarts a hospital after ransomware: staged, verified, signed restores behind health gates."""

__version__ = "0.1.0"
