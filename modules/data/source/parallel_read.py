"""Reads the facts of many files: here, or in worker processes where that pays."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

from modules.data.source.file_info import FileInfo, ReadJob, read_jobs

MIN_JOBS_FOR_WORKERS = 5_000  # files; fewer are read before the first worker has started (74 us of CPU a file)
CHUNK = 200

A = TypeVar("A")
T = TypeVar("T")
Advance = Callable[[int], None]
Stop = Callable[[], bool]


def read_file_infos(jobs: list[ReadJob], workers: int, advance: Advance, stop: Stop) -> list[FileInfo]:
    """Facts in the order of the jobs; fewer of them if `stop` said so. `workers` 0 takes one for each core."""
    chunks = [jobs[i : i + CHUNK] for i in range(0, len(jobs), CHUNK)]
    count = min(workers or os.cpu_count() or 1, len(chunks))
    if count > 1 and len(jobs) > MIN_JOBS_FOR_WORKERS:
        return _in_workers(chunks, count, advance, stop)
    found: list[FileInfo] = []
    for chunk in chunks:
        if stop():
            break
        found += read_jobs(chunk)
        advance(len(found))
    return found


def _in_workers(chunks: list[list[ReadJob]], count: int, advance: Advance, stop: Stop) -> list[FileInfo]:
    found: list[FileInfo] = []
    waiting = iter(chunks)
    # spawn, on every system: a fork of a process with threads can deadlock.
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        # A few chunks ahead of each worker: enough to keep them busy, few enough to stop at once.
        pending: deque[Future[list[FileInfo]]] = deque()
        while not stop():
            while len(pending) < 3 * count and (chunk := next(waiting, None)) is not None:
                pending.append(pool.submit(read_jobs, chunk))
            if not pending:
                break
            found += pending.popleft().result()
            advance(len(found))
        for future in pending:
            future.cancel()
    return found


def map_in_threads(work: Callable[[A], T], jobs: Iterable[A], stop: Stop) -> Iterator[T]:
    """Results in the order of the jobs, worked out a little ahead; fewer of them when `stop` says so."""
    count = min(8, os.cpu_count() or 1)
    waiting = iter(jobs)
    with ThreadPoolExecutor(count) as pool:
        pending: deque[Future[T]] = deque()
        try:
            while not stop():
                while len(pending) < 2 * count and (job := next(waiting, _END)) is not _END:
                    pending.append(pool.submit(work, job))  # pyright: ignore[reportArgumentType]
                if not pending:
                    return
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


_END = object()
