"""Reads the facts of many files: here, or in worker processes where that pays."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

from modules.data.source.file_info import FileInfo, ReadJob, read_job

MIN_FILES_FOR_WORKERS = 20_000  # fewer are read before the first worker has started (25 us of CPU a file)

A = TypeVar("A")
T = TypeVar("T")
Stop = Callable[[], bool]


def read_file_infos(jobs: Iterable[ReadJob], files: int, workers: int, stop: Stop) -> Iterator[FileInfo]:
    """What the jobs read, in their order; of fewer of them if `stop` said so. `workers` 0 takes one for each core.

    `files`: how many there are in all.
    """
    count = workers or os.cpu_count() or 1
    if count > 1 and files > MIN_FILES_FOR_WORKERS:
        yield from _in_workers(iter(jobs), count, stop)
        return
    for job in jobs:
        if stop():
            return
        yield read_job(job)


def _in_workers(jobs: Iterator[ReadJob], count: int, stop: Stop) -> Iterator[FileInfo]:
    # spawn, on every system: a fork of a process with threads can deadlock.
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        # A few jobs ahead of each worker: enough to keep them busy, few enough to stop at once.
        pending: deque[Future[FileInfo]] = deque()
        while not stop():
            while len(pending) < 3 * count and (job := next(jobs, None)) is not None:
                pending.append(pool.submit(read_job, job))
            if not pending:
                break
            yield pending.popleft().result()
        for future in pending:
            future.cancel()


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
