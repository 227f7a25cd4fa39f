"""The lower card: all samples as a table, one of them before and after, or the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.gui.context import AppContext
from app.gui.kit import LARGEST, SMALLEST, Button, Card, Frame, Label, Segmented, Slider, fitting, labelled, px
from app.gui.run.log import LogPanel
from app.gui.run.mark_menu import keep_copy, model_at
from app.gui.run.run_source import LiveRun, PastRun, RunSource, SampleImage
from app.gui.run.samples.before_after import BeforeAfter
from app.gui.run.samples.gallery import Gallery, GalleryFacts
from app.gui.run.samples.image_viewer import ImageViewer
from app.gui.session.run_history import Run
from modules.language import plural, tr
from modules.preset.preset import Preset

VIEWS = {"samples": "Samples", "compare": "Before / after", "log": "Log"}
SIZE, LARGER, LARGER_FROM = 64, 118, 1500  # pixels of a sample, and of one in a wide window


class SamplesCard(Card):
    """`follow(source)`, then `refresh()`. What is large takes the page: `on_large` hears of it."""

    def __init__(self, master: Any, context: AppContext, on_large: Callable[[bool], object]) -> None:
        super().__init__(master)
        self.context, self._on_large, self.large = context, on_large, False
        self.source: RunSource = LiveRun(context.running)
        self._drawn: object = None
        self._run: Run | None = None
        self._head()
        size = context.window_state.get("sample_size", int) or self._usual_size()
        self.gallery = Gallery(
            self.body, context.pictures, size=size, on_select=self._selected, on_open=self._open, on_keep=self._keep,
            on_size=self._sized,
        )  # fmt: skip
        self.pictures = BeforeAfter(
            self.body, context.pictures, on_open=self._open, on_change=self._moved, size=120, wide=True
        )
        self.log = LogPanel(self.body, context)
        self.slider.set(size)
        self._views = {"samples": self.gallery, "compare": self.pictures, "log": self.log}
        self.turn("samples")

    def _head(self) -> None:
        head = Frame(self.body)
        head.pack(fill="x", pady=(0, px(6)))
        self.which = Segmented(head, labelled(VIEWS), "samples", self.turn)
        self.which.pack(side="left")
        self.larger = Button(head, tr("Large"), self._turn_large, image="maximize-2", height=30)
        self.larger.pack(side="right")
        self.grid_button = Button(head, tr("Make a grid"), self._make_grid, image="grid-3x3", height=30)
        self.grid_button.pack(side="right", padx=(0, px(6)))
        self.sizes = Frame(head)
        self.sizes.pack(side="right", padx=(0, px(10)))
        Label(self.sizes, image="image", role="text2", size=12).pack(side="left")
        self.slider = Slider(self.sizes, SMALLEST, LARGEST, SIZE, self._slid, step=2, width=110)
        self.slider.pack(side="left", padx=px(4))
        Label(self.sizes, image="image", role="text2", size=18).pack(side="left")
        self.position = Label(head, "", font="small", role="text2")  # in what is left
        self.position.pack(side="left", fill="x", expand=True, padx=(px(10), 0))
        self.position.bind("<Configure>", lambda _: self._describe())

    def follow(self, source: RunSource) -> None:
        """Show the samples of this run."""
        self.source, self._drawn, self._run = source, None, None
        self.refresh()

    def refresh(self) -> None:
        """Draw what is new."""
        source = self.source
        models = frozenset(mark.step for mark in source.marks if mark.kind == "model")
        now = (source.generation, len(source.shots), models, self._making())
        if now != self._drawn:
            self._drawn = now
            self.gallery.show(source.shots, GalleryFacts(self._seeds(), models, self._making()))
            self.pictures.show(source.shots)
            self._describe()
        saved = any(mark.kind in ("backup", "model") for mark in source.marks)
        self.grid_button.disable("" if saved else tr("The run has saved no model and made no backup yet."))

    def turn(self, view: str) -> None:
        """To the samples, to before and after, or to the log."""
        self.which.set(view)
        for name, part in self._views.items():
            if name != view:
                part.pack_forget()
        self._views[view].pack(fill="both", expand=True)
        if view == "samples":
            self.sizes.pack(side="right", padx=(0, px(10)), before=self.position)
        else:
            self.sizes.pack_forget()
        self._describe()

    def reveal(self, shot: SampleImage) -> None:
        """Bring a sample into view."""
        self.turn("samples")
        self.pictures.select(shot)
        self.gallery.select(shot)

    def _describe(self) -> None:
        """Beside the tabs: how many prompts there are, or which step is compared."""
        prompts, preset = len({shot.key for shot in self.source.shots}), self._preset()
        every = f" \u00b7 {tr('every {interval}', interval=preset.sampling.every)}" if preset else ""
        words = {
            "samples": plural(prompts, "1 prompt", "{count} prompts") + every if prompts else "",
            "compare": self.pictures.position,
        }
        self.position.set(fitting(words.get(self.which.get(), ""), self.position.winfo_width(), "small"))

    def _making(self) -> int:
        """The step whose samples are being made now."""
        running = self.context.running
        making = (
            isinstance(self.source, LiveRun) and running.stage is not None and running.stage.code == "stage.samples"
        )
        return running.progress.step if making and running.progress else 0 if making and running.started else -1

    def _preset(self) -> Preset | None:
        """That the run was made with."""
        if self.source.folder is None:
            return None
        if self._run is None or self._run.folder != self.source.folder:
            self._run = self.source.run if isinstance(self.source, PastRun) else Run(self.source.folder)
        return self._run.preset

    def _seeds(self) -> tuple[int, ...]:
        """Of the preset's prompts, as the run drew them."""
        preset = self._preset()
        return tuple(prompt.seed for prompt in preset.sampling.prompts if prompt.enabled) if preset else ()

    def _usual_size(self) -> int:
        return LARGER if self.winfo_toplevel().winfo_width() >= px(LARGER_FROM) else SIZE

    def _slid(self, size: float) -> None:
        self.gallery.table.resize(round(size))
        self.context.window_state.put("sample_size", round(size))

    def _sized(self, size: float) -> None:
        self.slider.set(size)
        self.context.window_state.put("sample_size", round(size))

    def _turn_large(self) -> None:
        self.large = not self.large
        self.larger.set(
            tr("Smaller") if self.large else tr("Large"), image="minimize-2" if self.large else "maximize-2"
        )
        self._on_large(self.large)

    def _make_grid(self) -> None:
        """The usual grid of this run, to be looked over before it is drawn."""
        self.context.go("examine", str(self.source.folder))

    def _selected(self, shot: SampleImage) -> None:
        self.pictures.select(shot)

    def _moved(self) -> None:
        if hasattr(self, "pictures"):
            self._describe()
            if (shot := self.pictures.shot) is not None:
                self.gallery.select(shot)

    def _open(self, shot: SampleImage) -> None:
        ImageViewer(self, self.context, self.source.shots, shot)

    def _keep(self, step: int) -> None:
        """Copy the model of this step, if there is one."""
        if model := model_at(self.source, step):
            keep_copy(self, self.context, model)
        else:
            words = tr("No model was saved at step {step:,}.", step=step)
            self.context.notify(words, tr("Go to setting"), lambda: self.context.go("backup", "backup.save_every"))
