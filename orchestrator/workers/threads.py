"""A few threads that wait on the network. They ask and read only, so a process that ends need not wait for them.

Never decides what is asked, and never keeps a process alive.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Threads(Generic[T]):
    """As `ThreadPoolExecutor`, whose threads an interpreter joins before it ends, however long they wait."""

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._name = name
        self._due: queue.SimpleQueue[tuple[Future[T], Callable[[], T]] | None] = queue.SimpleQueue()
        self._started = 0

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Have it called once a thread is free."""
        future: Future[T] = Future()
        self._due.put((future, call))
        if self._started < self._count:
            self._started += 1
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        return future

    def close(self) -> None:
        """Begin nothing more: what waits is cancelled, and each thread ends with the call it is in."""
        with suppress(queue.Empty):
            while due := self._due.get_nowait():
                due[0].cancel()
        for _ in range(self._started):
            self._due.put(None)

    def _work(self) -> None:
        while (due := self._due.get()) is not None:
            future, call = due
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except Exception as error:  # noqa: BLE001 - the one place where a worker's own fault becomes a result
                future.set_exception(error)
