"""What holds for every test: no test asserts a time, so a busy machine never fails one."""

from __future__ import annotations

from hypothesis import settings

from tests.storyline import tell

__all__ = ["tell"]

settings.register_profile("relance", deadline=None)
settings.load_profile("relance")
