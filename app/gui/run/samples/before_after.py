"""Samples of one prompt: before training against a later step, with a slider through the steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from app.gui.kit import Choice, Compare, Frame, Label, Option, Slider, px
from app.gui.run.run_source import Key, SampleImage, by_prompt
from modules.language import tr

ASKED_SECONDS = 10  # a sample that was asked for stays in view


class BeforeAfter(Frame):
    """`show(shots)` with all samples of a run; the newest step stays in view until the slider is moved back.

    Args:
        on_open: called with the sample that is to be shown large.
        on_change: called after another prompt or step is shown.
        wide: the picture takes the room that there is, instead of `size` pixels.
    """

    def __init__(
        self,
        master: Any,
        pictures: Any,
        *,
        on_open: Callable[[SampleImage], object],
        on_change: Callable[[], object] = lambda: None,
        size: float = 284,
        wide: bool = False,
    ) -> None:
        super().__init__(master)
        self._on_open, self._on_change = on_open, on_change
        self._groups: dict[Key, list[SampleImage]] = {}
        self._key: Key | None = None
        self._index = -1  # of the later picture; -1 follows the newest
        self._known = 0  # samples that were shown before
        self._asked: tuple[Key | None, float] | None = (
            None  # what was shown before a sample of the moment, and since when
        )
        self.compare = Compare(self, pictures, on_open=lambda _: self._open(), size=size)
        self.compare.pack(fill="both", expand=wide)
        self._lower = Frame(self)
        self._lower.pack(fill="x", pady=(px(6), 0))
        self.caption = Label(self._lower, "", font="small", role="text2", wrap=True)
        self.choice = Choice(self._lower, [], None, self._chosen)
        self.slider = Slider(self._lower, 0, 1, 1, self._slid)

    @property
    def shot(self) -> SampleImage | None:
        """The later picture."""
        shots = self._groups.get(self._key, []) if self._key is not None else []
        return shots[self._index] if shots else None

    @property
    def position(self) -> str:
        """Where the slider stands, in words: "10 of 10"."""
        count = len(self._groups.get(self._key, [])) if self._key is not None else 0
        return tr("{index} of {count}", index=self._index % count + 1, count=count) if count else ""

    def show(self, shots: Sequence[SampleImage]) -> None:
        """All samples of the run that is shown. One that was asked for just now is what the person wants to see."""
        self._groups = by_prompt(shots)
        new = shots[self._known :] if self._known else ()
        self._known = len(shots)
        if new:
            self._turn_to(new)
        if self._key not in self._groups:
            self._key, self._index = next(iter(self._groups), None), -1
        self._offer()
        self._refresh()

    def _turn_to(self, new: Sequence[SampleImage]) -> None:
        """To a sample of the moment at once; later, with new ones of the preset, back to what was watched."""
        now = time.monotonic()
        if asked := [shot for shot in new if not shot.number]:
            self._asked = (self._asked[0] if self._asked else self._key, now)
            self._key, self._index = asked[-1].key, -1
        elif self._asked is not None and now - self._asked[1] > ASKED_SECONDS:
            self._key, self._index, self._asked = self._asked[0], -1, None

    def select(self, shot: SampleImage) -> None:
        """Show this sample as the later picture."""
        shots = self._groups.get(shot.key, [])
        if shot in shots:
            index = shots.index(shot)
            self._key, self._index = shot.key, -1 if index == len(shots) - 1 else index
            self._asked = None
            self.choice.set(self._key)
            self._refresh()

    def _offer(self) -> None:
        if len(self._groups) > 1:
            self.caption.pack_forget()
            self.choice.offer([Option(key, prompt_text(shots[0])) for key, shots in self._groups.items()])
            self.choice.set(self._key)
            self.choice.pack(fill="x")
        else:
            self.choice.pack_forget()
            if self._groups:
                self.caption.pack(fill="x")

    def _refresh(self) -> None:
        shots = self._groups.get(self._key, []) if self._key is not None else []
        self.slider.pack_forget()
        if not shots:
            self.compare.show(None, None)
            self._on_change()
            return
        if self._index >= len(shots):
            self._index = -1
        shot, first = shots[self._index], shots[0]
        if shot is first:
            self.compare.show(None, shot.path, ("", step_text(shot)))
        else:
            self.compare.show(first.path, shot.path, (step_text(first), step_text(shot)))
        self.caption.set(prompt_text(shot))
        if len(shots) > 1:
            self.slider.limits(0, len(shots) - 1)
            self.slider.set(self._index % len(shots))
            self.slider.pack(fill="x", pady=(px(6), 0))
        self._on_change()

    def _chosen(self, key: Key) -> None:
        self._key, self._index, self._asked = key, -1, None
        self._refresh()

    def _slid(self, value: float) -> None:
        count = len(self._groups.get(self._key, [])) if self._key is not None else 0
        self._index = -1 if round(value) >= count - 1 else round(value)
        self._refresh()

    def _open(self) -> None:
        if self.shot is not None:
            self._on_open(self.shot)


def prompt_text(shot: SampleImage) -> str:
    """The caption of a sample."""
    return f"“{shot.prompt}”" if shot.prompt else tr("(empty prompt)")


def step_text(shot: SampleImage) -> str:
    return tr("step {step:,}", step=shot.step)
