"""The only reader of the time: wall clock in microseconds UTC, and elapsed time that counts suspend.

Never decides anything about time; the core receives times as arguments.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where the shell gets its time from."""

    def now_us(self) -> int:
        """Wall-clock time, microseconds since 1970-01-01 UTC."""
        ...

    def elapsed_us(self) -> int:
        """Microseconds since an arbitrary start, counting suspend, never going back."""
        ...

    def sleep_s(self, duration_s: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's clocks: CLOCK_REALTIME and CLOCK_BOOTTIME (clock_gettime(2))."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def elapsed_us(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000

    def sleep_s(self, duration_s: float) -> None:
        time.sleep(duration_s)
