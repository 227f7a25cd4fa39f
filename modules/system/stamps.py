"""Stamps of files: what changes whenever a file is written, so that what was read of it is believed until then."""

from __future__ import annotations

import time
from os import stat_result
from typing import NamedTuple

# A file written twice within one tick of the file system's clock has the same stamp twice. So what was read of a file
# that had only just been written is used now, and not kept.
TICK_NS = 50_000_000


class Stamp(NamedTuple):
    """The ctime catches tools that put the old mtime back, the inode files that were renamed over the old one."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int = 0  # 0 where it is not known: Windows does not list it

    def is_fresh(self) -> bool:
        """Whether the file may yet change without changing its stamp."""
        return time.time_ns() - max(self.mtime_ns, self.ctime_ns) < TICK_NS


NO_STAMP = Stamp(-1, 0, 0)  # of a file that is not there
ALWAYS = Stamp(0, 0, 0)  # of what depends on nothing but its name


def stamp_of(stat: stat_result) -> Stamp:
    return Stamp(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
