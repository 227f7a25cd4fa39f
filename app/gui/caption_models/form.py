"""What is asked for captions: models, thresholds, prompt, what is put before and left out, which images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.gui.caption_models.model_choice import ModelChoice
from app.gui.context import AppContext
from app.gui.kit import (
    Choice,
    Divider,
    Entry,
    FormRow,
    Frame,
    Label,
    Option,
    Segmented,
    Slider,
    TextArea,
    labelled,
    px,
    tip,
)
from modules.captioning.kinds import CAPTIONERS, OFF, TAGGERS, USUAL
from modules.captioning.settings import EXISTING, KINDS, LENGTHS, UNDERSCORES
from modules.language import tr
from modules.preset.paths import Values

LABEL = 94
SLIDERS = {"general": "General", "character": "Character", "copyright": "Series", "rating": "Rating"}
BOTH = ("tags", "sentences", "both")
WITH_TAGS, WITH_SENTENCES = ("tags", "both"), ("sentences", "both")
MISSING, ALL, SELECTED = "missing", "all", "selected"


class CaptionForm(Frame):
    """`values()` are settings of the tool.

    Args:
        last: what was chosen last.
        on_change: something else is to be made: what was previewed is of before.
        on_filter: only tags that are known are chosen otherwise.
    """

    def __init__(
        self, master: Any, context: AppContext, last: Mapping[str, Any], on_change: Callable[[], object],
        on_filter: Callable[[], object],
    ) -> None:  # fmt: skip
        super().__init__(master)
        self._on_change, self._on_filter = on_change, on_filter
        self._rows: list[tuple[Frame, tuple[str, ...]]] = []
        self.kind = Segmented(self, labelled(KINDS), last.get("kind", "tags"), lambda _: self._turned(), width=210)
        self.kind.pack(anchor="w", pady=(0, px(8)))
        self._models(context, last)
        self._thresholds(last)
        self._words(last)
        self._row(Divider(self), BOTH, 8)
        self._which(last)
        self._lay_out()

    def _models(self, context: AppContext, last: Mapping[str, Any]) -> None:
        row = self._labelled(tr("Model"), WITH_TAGS)
        self.tagger = ModelChoice(row, context, TAGGERS, last.get("tagger", ""), self._changed)
        row.put(self.tagger)
        row = self._labelled(tr("Model"), ("sentences",))
        self.captioner = ModelChoice(row, context, CAPTIONERS, last.get("captioner", ""), self._changed)
        row.put(self.captioner)
        row = self._labelled(tr("Sentences by"), ("both",))
        self._second = ModelChoice(row, context, CAPTIONERS, self.captioner.model, self._second_chosen)
        row.put(self._second)

    def _thresholds(self, last: Mapping[str, Any]) -> None:
        self._row(Label(self, tr("Thresholds"), font="small_bold"), WITH_TAGS, 8)
        self.sliders: dict[str, Slider] = {}
        self._moved: set[str] = set()  # by a person; the others stand where the model's files recommend
        self._numbers: dict[str, Label] = {}
        self._counts: dict[str, Label] = {}
        for name, title in SLIDERS.items():
            line = Frame(self)
            words = Label(line, tr(title))
            words.pack(side="left", padx=(px(13), 0))
            words.configure(width=0)
            holder = Frame(line)
            holder.place(x=px(13 + LABEL), rely=0.5, anchor="w")
            value = float(last.get(name) or USUAL.get(name, OFF))
            if last.get(name):
                self._moved.add(name)
            slider = self.sliders[name] = Slider(
                holder, 0.1, OFF, value, lambda _, name=name: self._slid(name), step=0.01, width=112
            )
            slider.pack(side="left")
            self._numbers[name] = Label(holder, "")
            self._numbers[name].pack(side="left", padx=px(8))
            self._counts[name] = Label(holder, "", font="small", role="text2")
            self._counts[name].pack(side="left")
            line.configure(height=px(25))
            line.pack_propagate(False)
            self._row(line, WITH_TAGS, 0)
        self._tell_numbers()
        self._row(Divider(self), WITH_TAGS, 8)

    def _words(self, last: Mapping[str, Any]) -> None:
        row = self._labelled(tr("Prompt"), WITH_SENTENCES)
        self.prompt = TextArea(
            row, last.get("prompt", ""), lines=3, on_change=lambda _: self._changed(), rest_ms=300,
        )  # fmt: skip
        tip(self.prompt, tr("{tags} becomes the tags of each image"))
        row.put(self.prompt)
        row = self._labelled(tr("Length"), WITH_SENTENCES)
        self.length = Segmented(
            row, labelled(LENGTHS), last.get("length", "medium"), lambda _: self._changed(), width=220
        )
        row.put(self.length, stretch=False)
        row = self._labelled(tr("Prefix"), BOTH)
        self.prefix = Entry(row, last.get("prefix", ""), on_change=lambda _: self._on_filter(), rest_ms=200)
        row.put(self.prefix)
        row = self._labelled(tr("Exclude"), BOTH)
        self.exclude = Entry(
            row, last.get("exclude", ""), placeholder=tr("Tags or phrases, with commas"),
            on_change=lambda _: self._on_filter(), rest_ms=200,
        )  # fmt: skip
        row.put(self.exclude)
        row = self._labelled(tr("Underscores"), WITH_TAGS)
        self.underscores = Segmented(
            row, labelled(UNDERSCORES), last.get("underscores", "spaces"), lambda _: self._on_filter(), width=140
        )
        row.put(self.underscores, stretch=False)

    def _which(self, last: Mapping[str, Any]) -> None:
        row = self._labelled(tr("Images"), BOTH)
        self.images = Choice(row, [], MISSING, lambda _: self._on_filter())
        row.put(self.images)
        row = self._labelled(tr("Existing"), BOTH)
        line = Frame(row)
        self.existing = Segmented(
            line, labelled(EXISTING), last.get("existing", "keep"), lambda _: self._on_filter(), width=200
        )
        self.existing.pack(side="left")
        self.into = Label(line, "", font="small", role="text2")
        self.into.pack(side="left", padx=px(8))
        row.put(line)

    # What is asked ----------------------------------------------------------------------------------------------------

    def values(self) -> Values:
        """Of the tool, without the images' place."""
        found: Values = {
            "kind": self.kind.get(), "tagger": self.tagger.model, "captioner": self.sentence_model.model,
            "prompt": self.prompt.get().strip(), "length": self.length.get(), "prefix": self.prefix.get(),
            "exclude": self.exclude.get(), "underscores": self.underscores.get(), "existing": self.existing.get(),
            "images": MISSING if self.images.get() == MISSING else ALL,
        }  # fmt: skip
        moved = {name: value for name, value in self.thresholds().items() if name in self._moved}
        return found | dict.fromkeys(self.sliders, 0.0) | {"rating": OFF} | moved  # 0: what the model's files say

    def thresholds(self) -> dict[str, float]:
        """Where the sliders stand."""
        return {name: round(slider.get(), 2) for name, slider in self.sliders.items()}

    def recommend(self, thresholds: Mapping[str, float]) -> None:
        """What a model uses by itself: sliders go there that nobody has moved."""
        for name, value in thresholds.items():
            if name in self.sliders and name not in self._moved:
                self.sliders[name].set(value)
        self._tell_numbers()

    @property
    def sentence_model(self) -> ModelChoice:
        return self._second if self.kind.get() == "both" else self.captioner

    def models(self) -> list[ModelChoice]:
        """Those that are needed."""
        kind = self.kind.get()
        return ([self.tagger] if kind in WITH_TAGS else []) + ([self.sentence_model] if kind in WITH_SENTENCES else [])

    def offer(self, missing: int, whole: int, selected: int) -> None:
        """How many images there are of each sort."""
        options = [
            Option(MISSING, tr("Images without a caption ({count:,})", count=missing)),
            Option(ALL, tr("All images ({count:,})", count=whole)),
        ]
        if selected:
            options.append(Option(SELECTED, tr("Selected images ({count:,})", count=selected)))
        self.images.offer(options)
        self.images.set(self.images.get() if self.images.get() in [each.value for each in options] else MISSING)

    def tell_counts(self, counts: Mapping[str, float]) -> None:
        """How many tags of each category an image gets."""
        for name, label in self._counts.items():
            count = counts.get(name)
            words = "" if count is None else f"{count:.0f}" if name != "general" else ""
            if count is not None and name == "general":
                words = tr("{count:.0f} tags an image", count=count)
            label.set(words)

    def tell_into(self, words: str) -> None:
        """Which files they go into."""
        self.into.set(words)

    def disable(self, reason: str) -> None:
        """While something is made."""
        for control in (
            self.kind, self.length, self.prefix, self.exclude, self.underscores, self.images, self.existing,
            self.prompt, self.tagger.choice, self.captioner.choice, self._second.choice,
        ):  # fmt: skip
            control.disable(reason)

    # Laying out -------------------------------------------------------------------------------------------------------

    def _labelled(self, title: str, kinds: tuple[str, ...]) -> FormRow:
        row = FormRow(self, title, label_width=LABEL)
        row.columnconfigure(3, minsize=0)
        row.columnconfigure(4, minsize=0)
        self._row(row, kinds, 0)
        return row

    def _row(self, row: Any, kinds: tuple[str, ...], above: float) -> None:
        row.above = above
        self._rows.append((row, kinds))

    def _lay_out(self) -> None:
        kind = self.kind.get()
        for row, _ in self._rows:
            row.pack_forget()
        for row, kinds in self._rows:
            if kind in kinds:
                above: Any = getattr(row, "above", 0)
                row.pack(fill="x", pady=(px(above), px(above) if isinstance(row, Divider) else 0))

    def _turned(self) -> None:
        self._second.model = self.captioner.model
        self._second.refresh()
        self._lay_out()
        self._changed()

    def _second_chosen(self) -> None:
        self.captioner.model = self._second.model
        self.captioner.refresh()
        self._changed()

    def _changed(self) -> None:
        self._on_change()

    def _slid(self, name: str) -> None:
        self._moved.add(name)
        self._tell_numbers()
        self._on_filter()

    def _tell_numbers(self) -> None:
        for name, slider in self.sliders.items():
            value = slider.get()
            self._numbers[name].set(tr("off") if value >= OFF else f"{value:.2f}")
