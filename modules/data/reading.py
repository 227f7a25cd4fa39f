"""Reads the facts of many files: here, or in worker processes where that pays."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context

from modules.data.facts import Facts, Job, read_all

WORTH_WORKERS = 5_000  # files; fewer are read before the first worker has started (74 us of CPU a file)
CHUNK = 200

Advance = Callable[[int], None]
Stop = Callable[[], bool]


def read_facts(jobs: list[Job], workers: int, advance: Advance, stop: Stop) -> list[Facts]:
    """Facts in the order of the jobs; fewer of them if `stop` said so. `workers` 0 takes one for each core."""
    chunks = [jobs[i : i + CHUNK] for i in range(0, len(jobs), CHUNK)]
    count = min(workers or os.cpu_count() or 1, len(chunks))
    if count > 1 and len(jobs) > WORTH_WORKERS:
        return _in_workers(chunks, count, advance, stop)
    found: list[Facts] = []
    for chunk in chunks:
        if stop():
            break
        found += read_all(chunk)
        advance(len(found))
    return found


def _in_workers(chunks: list[list[Job]], count: int, advance: Advance, stop: Stop) -> list[Facts]:
    found: list[Facts] = []
    waiting = iter(chunks)
    # spawn, on every system: a fork of a process with threads can deadlock.
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        # A few chunks ahead of each worker: enough to keep them busy, few enough to stop at once.
        pending: deque[Future[list[Facts]]] = deque()
        while not stop():
            while len(pending) < 3 * count and (chunk := next(waiting, None)) is not None:
                pending.append(pool.submit(read_all, chunk))
            if not pending:
                break
            found += pending.popleft().result()
            advance(len(found))
        for future in pending:
            future.cancel()
    return found
