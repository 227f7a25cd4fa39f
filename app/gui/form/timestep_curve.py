"""How often each amount of noise will be practised, as bars that follow the settings."""

from __future__ import annotations

from app.gui.context import AppContext
from app.gui.kit import Frame, Histogram, px
from modules.language import tr
from modules.preset.sections.timesteps import Times

BARS, DRAWS = 48, 1536
SIDE = 190  # where the controls of a row begin


def heights(times: Times) -> list[float]:
    """The share of draws that falls into each of BARS equal parts, from clean to all noise."""
    counts = [0] * BARS
    for number in range(DRAWS):
        counts[int(times.share((number + 0.5) / DRAWS) * BARS)] += 1
    return [count / DRAWS for count in counts]


class TimesCurve(Frame):
    """Stands under the choice of the distribution."""

    def __init__(self, master: Frame, context: AppContext) -> None:
        super().__init__(master)
        self._context = context
        self.bars = Histogram(self, (tr("clean image"), tr("all noise")))
        self.bars.pack(fill="x", padx=(px(SIDE), px(8)), pady=(px(2), px(8)))
        self._shown: Times | None = None
        self.until_destroyed(context.draft.watch("objective.times", lambda _: self._refresh()))
        self._refresh()

    def _refresh(self) -> None:
        times = self._context.draft.preset().objective.times
        if times != self._shown:
            self._shown = times
            self.bars.show(heights(times))
