"""Which images the page Captions shows, chosen over the grid; other pages open it with the names of its filters.

Nothing that the page itself needs is imported here: the page Check knows these names too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from app.gui.draft.labels import title_of
from app.gui.kit import Choice, Entry, Flow, Frame, Label, Option, Slider, px
from modules.language import tr
from modules.preset.sections.concept import Concept

MISSING, WRONG = "missing", "wrong"  # without a caption; cannot be read, or only by a guess
ALL, TAGGED = "all", "tagged"
SIZES = (96, 320)  # least and most width of a tile at 100 %


class FilterBar(Flow):
    """Concept, kind and words that are looked for, and how large the tiles are.

    Args:
        on_change: called when other images are wanted.
        on_size: called with the width of a tile.
    """

    def __init__(self, master: Frame, on_change: Callable[[], object], on_size: Callable[[float], object]) -> None:
        super().__init__(master)
        self._several = False
        self.tag = ""  # only images with this tag
        self._concept = Choice(self, [Option(-1, tr("All concepts"))], -1, lambda _: on_change(), width=140)
        self._which = Choice(self, [Option(ALL, tr("All images"))], ALL, lambda _: on_change(), width=168)
        self._search = Entry(
            self, placeholder=tr("Find in captions"), on_change=lambda _: on_change(), width=150, fit=True, rest_ms=120
        )
        size = Frame(self)
        Label(size, image="image", size=14).pack(side="left", padx=(0, px(6)))
        self.size = Slider(size, *SIZES, SIZES[0], on_size, step=8, width=84)
        self.size.pack(side="left")
        Label(size, image="image", size=20).pack(side="left", padx=(px(6), 0))
        self.add(self._concept, self._which, self._search, size)

    @property
    def concept(self) -> int | None:
        """The number of the only concept that is wanted; None where that is no choice."""
        number = self._concept.get()
        return number if self._several and number >= 0 else None

    @property
    def kind(self) -> str:
        """`MISSING`, `WRONG`, `TAGGED` or `ALL`."""
        return str(self._which.get())

    @property
    def words(self) -> str:
        return self._search.get()

    def choose(self, kind: str) -> None:
        self._which.set(kind)

    def offer(self, concepts: Sequence[Concept], missing: int, wrong: int) -> None:
        """What there is to choose now; what was chosen before stays so where it still can be."""
        named = [Option(number, title_of(concept.model_dump())) for number, concept in enumerate(concepts)
                 if concept.caption_files]  # fmt: skip
        self._several = len(named) > 1
        _offer(self._concept, named if len(named) == 1 else [Option(-1, tr("All concepts")), *named])
        kinds = [Option(ALL, tr("All images")), Option(MISSING, tr("Without a caption"), note=f"{missing:,}")]
        if wrong:
            kinds.append(Option(WRONG, tr("Cannot be read, or not UTF-8"), note=f"{wrong:,}"))
        if self.tag:
            kinds.append(Option(TAGGED, tr("With “{tag}”", tag=self.tag)))
        _offer(self._which, kinds)


def _offer(choice: Choice, options: Sequence[Option]) -> None:
    before: Any = choice.get()
    values = [option.value for option in options]
    choice.offer(options)
    choice.set(before if before in values else values[0])
