"""What the C library on Linux makes of a program's allocations: memory that is free, and still this process's own.

glibc takes blocks of 32 MB and more straight from the kernel and gives them back at once. Smaller ones come from a
heap of its own (for a thread that is not the first, as a run's is: pieces of 64 MB each), where freed blocks leave
holes that the next block may not fit into. A training step makes and drops thousands of blocks of all sizes: on the CPU
the holes are 5 to 20 % of what it needs, too much to be left out. The rules are those of malloc.c: the smallest hole
that is large enough, neighbours that are free become one, new room only where no hole will do.

PyTorch asks for blocks of 2 MB and more at multiples of 2 MB, and the kernel to use huge pages for them. What was once
a huge page stays one: a few bytes in it hold all of it.
"""

from __future__ import annotations

from bisect import bisect_left, insort

import numpy as np

SMALL, HUGE = 4096, 2 * 2**20  # pages of the kernel
PIECE = 64 * 2**20
DIRECT = 32 * 2**20  # from here on blocks come from the kernel; it begins lower and rises to this in the first step
HEAD = 32  # bytes that a block costs beside what was asked for

Block = tuple[int, int]  # address (or -1 for one from the kernel) and size


class Heap:
    """Blocks come and go; `resident` is what the process holds of the computer's memory."""

    def __init__(self) -> None:
        self.resident = 0
        self._holes: list[tuple[int, int]] = []  # (size, address), sorted
        self._starts: dict[int, int] = {}  # of holes: address -> size
        self._ends: dict[int, int] = {}  # of holes: end -> address
        self._touched: list[np.ndarray] = []  # of each piece, by page
        self._top = 0  # where the newest piece has not been used yet

    def take(self, size: int) -> Block:
        """A block that is written to at once."""
        align = HUGE if size >= HUGE else 64
        need = size + align + HEAD
        if need >= DIRECT:
            pages = -(-size // SMALL) * SMALL
            self.resident += pages
            return -1, pages
        start, room = self._hole(need) or self._new(need)
        address = -(-start // align) * align
        end = address + -(-(size + 16) // 16) * 16
        self._add_hole(start, address - start)
        self._add_hole(end, start + room - end)
        self._touch(address, end, True)
        return address, end - address

    def give(self, block: Block) -> None:
        """A block is free again."""
        address, size = block
        if address < 0:
            self.resident -= size
            return
        self._add_hole(address, size)

    def _hole(self, need: int) -> tuple[int, int] | None:
        place = bisect_left(self._holes, (need, 0))
        if place == len(self._holes):
            return None
        size, address = self._holes.pop(place)
        del self._starts[address], self._ends[address + size]
        return address, size

    def _new(self, need: int) -> tuple[int, int]:
        end = len(self._touched) * PIECE
        if end - self._top < need:
            rest, self._top = (self._top, end - self._top), end
            self._touched.append(np.zeros(PIECE // HUGE, dtype=bool))
            self._add_hole(*rest)
        self._top += need
        return self._top - need, need

    def _add_hole(self, address: int, size: int) -> None:
        if size <= 0:
            return
        before = self._ends.pop(address, None) if address % PIECE else None
        if before is not None:
            self._holes.remove((address - before, before))
            del self._starts[before]
            address, size = before, size + address - before
        after = self._starts.pop(address + size, None) if (address + size) % PIECE else None
        if after is not None:
            self._holes.remove((after, address + size))
            del self._ends[address + size + after]
            size += after
        if address + size == self._top and self._top % PIECE:
            self._lower(address)
            return
        insort(self._holes, (size, address))
        self._starts[address], self._ends[address + size] = size, address

    def _lower(self, address: int) -> None:
        """The top of the newest piece sinks; a piece that is all free goes back to the kernel."""
        self._top = address
        while self._touched and self._top == (len(self._touched) - 1) * PIECE:
            self._touch(self._top, self._top + PIECE, False)
            self._touched.pop()
            start = self._ends.get(self._top)
            if start is None:
                return
            size = self._top - start
            self._holes.remove((size, start))
            del self._starts[start], self._ends[self._top]
            self._top = start

    def _touch(self, start: int, end: int, held: bool) -> None:
        pages = self._touched[start // PIECE]
        first = start // PIECE * PIECE
        part = pages[(start - first) // HUGE : -(-(end - first) // HUGE)]
        changed = int(np.count_nonzero(part != held))
        part[:] = held
        self.resident += changed * HUGE if held else -changed * HUGE


class Exact:
    """No holes: memory is what the blocks are. On a card PyTorch keeps holes too, but fills them from its own plan."""

    def __init__(self) -> None:
        self.resident = 0

    def take(self, size: int) -> Block:
        self.resident += size
        return -1, size

    def give(self, block: Block) -> None:
        self.resident -= block[1]
