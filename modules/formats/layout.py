"""What a family's tensors are called and how they lie in single files: a table that is read in both directions.

    Layout(
        ("x_embedder", "img_in"),                                             a module, with all that is in it
        ("blocks.{i}.norm.weight", "layers.{i}.norm.scale"),                  a tensor; {i} is any number
        ("blocks.{i}.to_q + blocks.{i}.to_k", "layers.{i}.qk", "fuse"),       together along the first side
        ("norm_out.linear", "final.modulation", "swap"),                      its halves change places
        ("blocks.{i}.table", "layers.{i}.mod", "flat"),                       a matrix as one row of numbers
        ("attention.q.weight", "attention.q.weight", "conv"),                 a linear layer as 1x1 convolution
        ("", "ema_counter", "drop"),                                          in files only, and no weight
    )

Ours on the left are diffusers' names; the first row that matches counts, and what no row matches has the same name on
both sides. {last} is the highest number that there is: a last block may differ from the others. `within` puts what
stands before every name of a block.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from modules.catalog.contents import PREFIXES
from modules.formats.checkpoint import Link, NoPlace
from modules.system.weights import Shape

Op = Literal["rename", "fuse", "swap", "flat", "conv", "drop"]
Row = tuple[str, str] | tuple[str, str, Op]
WILDCARD = re.compile(r"\\\{(\w+)\\\}")


@dataclass(frozen=True)
class Rule:
    """A row of the table: `ours` are the parts of what may lie fused in the file."""

    ours: tuple[str, ...]
    theirs: str
    op: Op
    patterns: tuple[re.Pattern[str], ...]

    @classmethod
    def of(cls, ours: str, theirs: str, op: Op = "rename") -> Rule:
        parts = tuple(ours.split(" + "))
        return cls(parts, theirs, op, tuple(re.compile(rf"{_regex(part)}(?P<rest>\..*)?") for part in parts))

    def match(self, name: str) -> Match | None:
        for place, pattern in enumerate(self.patterns):
            if found := pattern.fullmatch(name):
                numbers = found.groupdict()
                return Match(self, place, numbers.pop("rest") or "", numbers)
        return None


@dataclass(frozen=True)
class Match:
    """A name that a rule speaks of."""

    rule: Rule
    place: int
    rest: str  # what follows what the rule says
    numbers: Mapping[str, str]

    @property
    def theirs(self) -> str:
        return self.rule.theirs.format(**self.numbers) + self.rest

    def members(self) -> Iterator[str]:
        """Our names of all that lies in the same tensor."""
        return (ours.format(**self.numbers) + self.rest for ours in self.rule.ours)


class Layout:
    """The table of one component."""

    def __init__(self, *rows: Row) -> None:
        given = [Rule.of(row[0], row[1], row[2] if len(row) == 3 else "rename") for row in rows]
        self.rules = tuple(rule for rule in given if rule.op != "drop")
        self.dropped = tuple(re.compile(rf"(.*\.)?{_regex(rule.theirs)}(\..*)?") for rule in given if rule.op == "drop")

    def links(self, shapes: Mapping[str, Shape], prefix: str = "") -> dict[str, Link]:
        """Where each of a component's tensors lies in a file. `shapes`: of all of them, as in the module.

        Raises:
            NoPlace: a part of what lies fused there is not among them.
        """
        last = self._last(shapes)
        return {name: self._link(name, shapes, prefix, last) for name in shapes}

    def layers(self, shapes: Mapping[str, Shape]) -> dict[str, Link]:
        """Where each layer lies, by its path in the module: the names are those that adapters' files use, too."""
        ends = ".weight"
        weights = {name: link for name, link in self.links(shapes).items() if name.endswith(ends)}
        return {
            name.removesuffix(ends): replace(link, theirs=link.theirs.removesuffix(ends))
            for name, link in weights.items()
        }

    def _link(self, name: str, shapes: Mapping[str, Shape], prefix: str, last: Mapping[Rule, int]) -> Link:
        match = self._match(name, last)
        if match is None:
            return Link(prefix + name)
        theirs = prefix + match.theirs
        match match.rule.op:
            case "fuse":
                if missing := [member for member in match.members() if member not in shapes]:
                    raise NoPlace(missing[0])
                return Link(theirs, "slice", match.place, tuple(shapes[member][0] for member in match.members()))
            case "swap":
                return Link(theirs, "swapped")
            case "flat":
                return Link(theirs, "flat", sizes=shapes[name])
            case "conv":
                return Link(theirs, "conv")
            case _:
                return Link(theirs)

    def _match(self, name: str, last: Mapping[Rule, int]) -> Match | None:
        matches = filter(None, (rule.match(name) for rule in self.rules))
        return next((m for m in matches if "last" not in m.numbers or int(m.numbers["last"]) == last[m.rule]), None)

    def _last(self, names: Iterable[str]) -> dict[Rule, int]:
        """What {last} means."""
        rules = [rule for rule in self.rules if "{last}" in rule.theirs]
        found = {rule: [match for name in names if (match := rule.match(name))] for rule in rules}
        return {rule: max((int(m.numbers["last"]) for m in matches), default=0) for rule, matches in found.items()}

    def drops(self, theirs: str) -> bool:
        """Whether a tensor of a file is none of the model's weights."""
        return any(pattern.fullmatch(theirs) for pattern in self.dropped)

    def links_of_file(self, names: Collection[str], shapes: Mapping[str, Shape]) -> dict[str, Link]:
        """Where a component's tensors lie in this file: under native names or ours, behind any of the usual prefixes.

        Of the ways in which files are written, that in which most of the tensors are found; empty: none is.
        """
        best = 0, dict[str, Link]()
        for links in (self.links(shapes), {name: Link(name) for name in shapes}):
            for prefix in PREFIXES:
                count = sum(prefix + link.theirs in names for link in links.values())
                if count > best[0]:
                    best = count, {name: link.behind(prefix) for name, link in links.items()}
        return best[1]


def within(ours: str, theirs: str, *rows: Row) -> Iterator[Row]:
    """Rows of what stands behind these two names."""
    for row in rows:
        parts = " + ".join(f"{ours}.{part}" for part in row[0].split(" + "))
        yield (parts, f"{theirs}.{row[1]}", row[2]) if len(row) == 3 else (parts, f"{theirs}.{row[1]}")


def _regex(pattern: str) -> str:
    return WILDCARD.sub(r"(?P<\1>\\d+)", re.escape(pattern))
