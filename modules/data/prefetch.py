"""Prepares what comes next in a thread beside the one that uses it."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def prefetched(source: Iterable[T], depth: int = 2) -> Generator[T]:
    """The same things, each prepared in one background thread while those before it are used.

    Errors come out where the thing that failed would have come. The thread ends with the generator: close it, or let
    it run out.
    """
    iterator, end = iter(source), object()
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        pending: deque[Future[T | object]] = deque(pool.submit(next, iterator, end) for _ in range(depth))
        try:
            while (thing := pending.popleft().result()) is not end:
                pending.append(pool.submit(next, iterator, end))
                yield thing  # pyright: ignore[reportReturnType]
        finally:
            for future in pending:
                future.cancel()
