"""Kill training at random, continue it, and compare what comes out: `python -m tests.faults.kills --kills 300`."""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.child import adopt_orphans
from tests.faults.figures import Figures
from tests.faults.runs import MODES
from tests.faults.story import Known, Story, known_of


def main(arguments: list[str]) -> int:
    """Kill until there were enough kills, each story to its end. The exit code is 1 if anything was lost."""
    options = _parser().parse_args(arguments)
    adopt_orphans()
    base = Path(tempfile.mkdtemp(prefix="kills-", dir=options.folder))
    figures, began, dice = Figures(), time.monotonic(), random.Random(options.seed)
    modes = options.modes.split(";") if options.modes else list(MODES)
    known: dict[str, Known] = {}
    number = 0
    try:
        while figures.kills < options.kills and not (options.wrong and figures.wrong):
            lanes = [modes[(number + i) % len(modes)] for i in range(2 if number % 5 == 4 else 1)]
            known |= {mode: known_of(base, mode) for mode in lanes if mode not in known}
            left = options.kills - figures.kills
            story = Story(base / f"story {number}", [known[mode] for mode in lanes], dice, figures, left)
            wrong = story.told()
            if wrong:
                _say("\n".join([f"WRONG in {story.workspace} ({', '.join(lanes)}), seed {options.seed}:", *wrong]))
            else:
                shutil.rmtree(story.workspace)
            number += 1
            took = time.monotonic() - began
            _say(f"{figures.kills} kills in {number} stories, {took:.0f} s, {len(figures.wrong)} wrong")
    except KeyboardInterrupt:
        _say("Ended early.")
    _say(figures.table(time.monotonic() - began, _cpu()))
    if not figures.wrong:
        shutil.rmtree(base)
    return 1 if figures.wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--modes", default="", help=f"some of {'; '.join(MODES)}")
    parser.add_argument("--folder", type=Path, default=None, help="where the runs are made, and stay if one is wrong")
    parser.add_argument("--wrong", action="store_true", help="stop at the first story that is wrong")
    return parser


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in used)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
