"""The layers of a model as a tree, what is ticked in it, and the text that says the same. No widgets.

A selection is a number with a bit for each layer (or weight): "all of this node" and "some of it" are one `&` each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from app.gui.draft.problem_labels import WORDS
from modules.catalog.layers import LayerSet
from modules.language import tr
from modules.preset.text.layer_names import LayerPattern, invalid_reason, split

NUMBERED = re.compile(r"(input|middle|output) \d+")
ENDS = ("time", "input 0", "output end")  # sets that stand beside Down, Middle and Up
SIDES = ("down", "mid", "up")
MANY = 6  # terms from which one expression for what is left out is tried
KINDS: dict[str, tuple[tuple[str, str, str], ...]] = {  # by what a block is made of: title, our name, expression
    "attentions": (
        ("Self-attention (image)", "attn1", r"transformer_blocks\.\d+\.attn1\..*"),
        ("Cross-attention (text)", "attn2", r"transformer_blocks\.\d+\.attn2\..*"),
        ("MLP", "ff", r"transformer_blocks\.\d+\.ff\..*"),
        ("Norms", "norm", r"(transformer_blocks\.\d+\.)?norm.*"),
        ("Projections in and out", "proj_in, proj_out", r"proj_.*"),
    ),
    "resnets": (
        ("Convolutions", "conv1, conv2", r"conv[12].*"),
        ("Norms", "norm1, norm2", r"norm.*"),
        ("Time", "time_emb_proj", r"time_emb_proj.*"),
        ("Shortcut", "conv_shortcut", r"conv_shortcut.*"),
    ),
}
MADE_OF = {"resnets": "ResNet", "attentions": "Transformer", "downsamplers": "Resizer", "upsamplers": "Resizer"}


@dataclass(frozen=True)
class Node:
    """A line of the tree."""

    term: str  # picks exactly this: a set's name, or an expression. No other node has it
    titles: tuple[str, ...]  # what it is, and what of that
    words: str  # our own name for it, as it stands in files
    mask: int
    children: tuple[Node, ...] = ()

    @property
    def title(self) -> str:
        """ "Input 1", "Input 1 (Transformer)"."""
        first, *rest = (tr(title) for title in self.titles)
        return f"{first} ({rest[0]})" if rest else first

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True)
class Line:
    """A node as it is to be seen."""

    node: Node
    depth: int
    ticked: bool | None  # None: some of it
    opened: bool | None  # None: there is nothing inside
    hit: bool  # whether a search found this, and not only something in it


class LayerTree:
    """The tree of a model, for names of weights (full fine-tune) or of modules (adapters).

    Args:
        names: in the model's order.
        sets: the family's (`catalog.layers.LAYER_SETS`).
    """

    def __init__(self, names: Sequence[str], sets: Mapping[str, LayerSet]) -> None:
        self.names = tuple(names)
        self._sets = sets
        self._places: dict[str, list[int]] = {}  # where a block lies: its names
        for place, name in enumerate(self.names):
            self._places.setdefault(_prefix(name), []).append(place)
        self.everything = (1 << len(self.names)) - 1
        self._is_unet = all(side in sets for side in SIDES)
        self.roots = tuple(self._roots())
        self._nodes = {node.term: node for root in self.roots for node in root.walk()}
        block = re.compile(rf"({NUMBERED.pattern})(\.\d)?")
        hidden = self._nodes.keys() - {*SIDES} if self._is_unet else set[str]()
        named = [name for name in sets if not block.fullmatch(name) and name not in hidden]
        masks = {name: self._held(sets[name].patterns) for name in named}
        # In the catalog's order, and only those that pick something here.
        self.sets = {name: masks[name] for name in sets if masks.get(name)}
        self._terms = {**self.sets, **{term: node.mask for term, node in self._nodes.items()}}

    # Text and ticks ---------------------------------------------------------------------------------------------------

    def read(self, text: str) -> tuple[int, str]:
        """What a text picks, and what is wrong with it ("" if nothing is)."""
        found = 0
        for part in split(text):
            if part in self._terms:
                found |= self._terms[part]
            elif part in self._sets:
                found |= self._held(self._sets[part].patterns)
            elif why := invalid_reason(part):
                return 0, WORDS.sentence(why)
            else:
                found |= self._where(range(len(self.names)), LayerPattern(part).matches)
        return found, "" if found else tr("Nothing in this model has such a name.")

    def text_of(self, ticked: int, before: str = "") -> str:
        """A text that picks exactly this; `before`, what stood there, lends its own expressions where they still fit.

        A set's name if one says it, else the fewest names and expressions; "" for nothing.
        """
        for name, mask in self.sets.items():
            if mask == ticked:
                return name
        own = {part: self.read(part)[0] for part in split(before)}
        terms = self._cover(ticked, {**self._terms, **own})
        if len(terms) > MANY and (left_out := self._all_but(ticked)) and len(left_out) < len(", ".join(terms)):
            return left_out
        return ", ".join(terms)

    def _cover(self, ticked: int, offered: Mapping[str, int]) -> list[str]:
        """Terms that pick all of this and nothing else: each time the one that adds most."""
        fitting = {term: mask for term, mask in offered.items() if mask and not mask & ~ticked}
        left, taken = ticked, dict[str, int]()
        while left:
            term = max(fitting, key=lambda each: (fitting[each] & left).bit_count(), default="")
            if not term or not fitting[term] & left:
                break
            taken[term] = fitting[term]
            left &= ~fitting[term]
        for term in list(taken):
            others = _union(mask for other, mask in taken.items() if other != term)
            if not taken[term] & ~(others | left):
                del taken[term]
        order = {term: place for place, term in enumerate(offered)}
        exactly = [f"^{re.escape(self.names[place])}$" for place in bits(left)]
        return [*sorted(taken, key=order.__getitem__), *exactly]

    def _all_but(self, ticked: int) -> str:
        """One expression by what is left out, as the catalog writes such; "" if that cannot be said in short."""
        nodes = {term: mask for term, mask in self._terms.items() if not self._patterns(term)[0].startswith("^")}
        starts = [
            pattern.removesuffix(".*")
            for term in self._cover(self.everything & ~ticked, nodes)
            for pattern in self._patterns(term)
        ]
        text = f"^(?!{'|'.join(starts)})" if starts else ""
        if not text or self.read(text)[0] != ticked:
            return ""
        return text

    def _patterns(self, term: str) -> tuple[str, ...]:
        return self._sets[term].patterns if term in self._sets else (term,)

    def _held(self, patterns: Iterable[str]) -> int:
        """What a set of the catalog picks: its patterns are for whole names, too, which are far sooner refused."""
        ways = [re.compile(pattern) for pattern in patterns]
        return self._where(range(len(self.names)), lambda name: any(way.fullmatch(name) for way in ways))

    def _where(self, places: Iterable[int], fits: Callable[[str], object]) -> int:
        return _union(1 << place for place in places if fits(self.names[place]))

    # What is seen -----------------------------------------------------------------------------------------------------

    def lines(self, ticked: int, opened: Collection[str], search: str = "") -> list[Line]:
        """The tree from top to bottom, without what lies in folded nodes; with a search, what it finds and its way."""
        wanted = search.casefold().split()
        return [line for root in self.roots for line in _lines_of(root, 0, (ticked, opened), wanted, "")]

    def all_terms(self) -> set[str]:
        """The terms of all that can be opened."""
        return {term for term, node in self._nodes.items() if node.children}

    # How it is built --------------------------------------------------------------------------------------------------

    def _roots(self) -> Iterator[Node]:
        if not self._is_unet:
            named = {self._held(each.patterns): name for name, each in reversed([*self._sets.items()])}
            yield from self._dotted("", range(len(self.names)), named)
            return
        for name in ENDS[:2]:
            yield from self._set_node(name)
        for side in SIDES:
            yield from self._set_node(side, tuple(self._blocks(side)))
        yield from self._set_node(ENDS[2])

    def _dotted(self, above: str, places: Iterable[int], named: Mapping[int, str]) -> Iterator[Node]:
        """What lies at a path ("" or one with its dot), by the parts of the names; a lone child stands for its parent.

        A layer's weight and bias are one line. What is one of the family's sets has its name, of `named`.
        """
        parts: dict[str, list[int]] = {}
        for place in places:
            parts.setdefault(_module(self.names[place])[len(above) :].partition(".")[0], []).append(place)
        for inside in parts.values():
            paths = [_module(self.names[place]).split(".") for place in inside]
            path = ".".join(level[0] for level in takewhile(lambda each: len({*each}) == 1, zip(*paths, strict=False)))
            lone, mask = self.names[inside[0]] == path, _union(1 << place for place in inside)
            children = () if len({*map(tuple, paths)}) == 1 else tuple(self._dotted(f"{path}.", inside, named))
            name, title = named.get(mask, ""), path.removeprefix(above)
            if title.isdecimal():
                title = ".".join(path.split(".")[-2:])  # "blocks.3"
            if name and mask != self.everything:
                title = self._sets[name].title
            yield Node(name or f"^{re.escape(path)}{'$' if lone else '[.]'}", (title,), path, mask, children)

    def _set_node(self, name: str, children: tuple[Node, ...] = ()) -> Iterator[Node]:
        mask = self._held(self._sets[name].patterns)
        if mask:
            words = {"down": "down_blocks", "mid": "mid_block", "up": "up_blocks"}.get(name, "")
            words = words or ", ".join(dict.fromkeys(self.names[place].split(".")[0] for place in bits(mask)))
            yield Node(name, (self._sets[name].title,), words, mask, children)

    def _blocks(self, side: str) -> Iterator[Node]:
        """The numbered blocks of a side, in the order of the numbers."""
        start = {"down": "down_blocks.", "mid": "mid_block.", "up": "up_blocks."}[side]
        mine = [prefix for prefix in self._places if prefix.startswith(start)]
        blocks = [name for name in self._sets if NUMBERED.fullmatch(name)]
        for name in sorted(blocks, key=lambda each: int(each.split()[1])):
            ways = [re.compile(pattern) for pattern in self._sets[name].patterns]
            inside = [prefix for prefix in mine if any(way.fullmatch(f"{prefix}.x") for way in ways)]
            if inside:
                yield self._block(name, sorted(inside, key=lambda prefix: "resnets" not in prefix))

    def _block(self, name: str, prefixes: list[str]) -> Node:
        parts = [self._part(name, prefix) for prefix in prefixes]
        title = self._sets[name].title.partition(" (")[0]
        if len(parts) == 1:
            part = parts[0]
            return Node(name, (title, *part.titles), part.words, part.mask, part.children)
        return Node(name, (title,), ", ".join(prefixes), _union(part.mask for part in parts), tuple(parts))

    def _part(self, block: str, prefix: str) -> Node:
        """A resnet, transformer or resizer, with the kinds of layers in it."""
        made_of, inside = prefix.split(".")[-2], self._places[prefix]
        number = {"resnets": "0", "attentions": "1"}.get(made_of, "")
        start, mask = re.escape(f"{prefix}."), _union(1 << place for place in inside)
        term = f"{block}.{number}" if f"{block}.{number}" in self._sets else f"{start}.*"
        kinds = (
            Node(f"{start}{way}", (title,), words, self._where(inside, re.compile(start + way).match))
            for title, words, way in KINDS.get(made_of, ())
        )
        children = tuple(kind for kind in kinds if kind.mask)
        return Node(term, (MADE_OF[made_of],), prefix, mask, children if len(children) > 1 else ())


def _lines_of(
    node: Node, depth: int, held: tuple[int, Collection[str]], wanted: Sequence[str], above: str
) -> list[Line]:
    """A node and what is to be seen in it; nothing where a search finds nothing."""
    ticked, opened = held
    said = f"{above} {node.title} {node.words} {node.term}".casefold()
    hit = all(word in said for word in wanted)  # what lies in it need not be found, too
    unfolded = node.term in opened
    inside: list[Line] = []
    if unfolded or not hit:
        for child in node.children:
            inside += _lines_of(child, depth + 1, held, () if hit else wanted, said)
    if not hit and not inside:
        return []
    shown = (bool(inside) if not hit else unfolded) if node.children else None
    return [Line(node, depth, state(ticked, node.mask), shown, hit), *inside]


def state(ticked: int, mask: int) -> bool | None:
    """All of it, nothing, or (None) some."""
    return None if ticked & mask not in (0, mask) else bool(ticked & mask)


def toggled(ticked: int, mask: int) -> int:
    """The selection after a click on a box: all of it, or nothing where all was ticked."""
    return ticked & ~mask if ticked & mask == mask else ticked | mask


def _module(name: str) -> str:
    """The layer that a weight belongs to."""
    return name.removesuffix(".weight").removesuffix(".bias")


def _prefix(name: str) -> str:
    """Where a layer lies: "down_blocks.1.attentions.0", "mid_block.resnets.1", "conv_in"."""
    parts = name.split(".")
    if parts[0] in ("down_blocks", "up_blocks"):
        return ".".join(parts[:4])
    return ".".join(parts[:3]) if parts[0] == "mid_block" else parts[0]


def _union(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


def bits(mask: int) -> list[int]:
    """The places of a selection."""
    return [place for place in range(mask.bit_length()) if mask >> place & 1]
