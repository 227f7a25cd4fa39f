"""The pages that hold settings: forms over the schema, and what a few of them show besides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from app.gui.draft.choice_labels import choice_label
from app.gui.form.form import Arrangement, Below, Form, SettingRow
from app.gui.form.list_editor import ListEditor, ListLabels
from app.gui.form.model.base_model import Examples, OtherType
from app.gui.form.model.beside import FoundBeside
from app.gui.form.model.distilled import DistilledCard
from app.gui.form.model.files_head import FilesHead, is_separate
from app.gui.form.model.origin_line import OriginLine
from app.gui.form.model.part_line import PartLine
from app.gui.form.model.plan_line import PlanLine
from app.gui.form.model.sampling_hint import SamplingHint
from app.gui.form.model.text_encoders import TextEncodersCard
from app.gui.form.model.variants import VariantRow
from app.gui.form.prediction_wizard import PredictionWizard
from app.gui.form.schedule_curve import ScheduleCurve
from app.gui.form.timestep_curve import TimesCurve
from app.gui.kit import Card, Frame, Label, LinkButton, Masonry, ScrollArea, px
from app.gui.page import Page
from app.gui.session.model_files import VARIANT
from modules.catalog import FAMILIES, FamilyCard
from modules.language import tr
from modules.preset.paths import Values
from modules.preset.sections.training import encoder_names

SIDE = 190  # where the controls of a row begin
LONG_PATHS = 1100.0  # two columns would leave no room for a path before


class SettingsPage(Page):
    """A page with one form; what else it shows stands above or below it."""

    sections: Sequence[str] = ()
    without: Sequence[str] = ()
    two_from = 860.0  # pixels from which there are two columns

    def build(self) -> Iterator[None]:
        self.area = ScrollArea(self)
        self.area.pack(fill="both", expand=True, padx=(px(20), px(4)))
        inside = Frame(self.area.body)
        inside.pack(fill="x", padx=(0, px(16)), pady=(0, px(16)))
        yield from self.above(inside)
        self.form = self.made_form(inside)
        self.form.pack(fill="x")
        yield from self.form.build()
        yield from self.under(inside)

    def made_form(self, inside: Frame) -> Form:
        return Form(
            inside, self.context, self.sections, below=self.below(), titles=self.titles(), without=self.without,
            two_from=self.two_from,
        )  # fmt: skip

    def above(self, inside: Frame) -> Iterator[None]:
        """What stands over the form."""
        yield from ()

    def under(self, inside: Frame) -> Iterator[None]:
        """What stands under the form."""
        yield from ()

    def below(self) -> dict[str, Below]:
        """What stands under the row of a setting, by its path."""
        return {}

    def titles(self) -> dict[str, Callable[[], str]]:
        """Titles of cards that depend on other settings."""
        return {}

    def reveal(self, path: str) -> None:
        row = self.row_of(path)
        if row is not None:
            row.focus_control()
            self.area.update_idletasks()
            self.area.keep_visible(row)

    def row_of(self, path: str) -> SettingRow | None:
        """The row of a setting, unfolded; None if it is not in play."""
        return self.form.reveal(path)


PART_PATHS = ("model.vae", *(f"model.{name}" for name in encoder_names()))
MODEL_CARDS = {"model.type": ("model.family",), "model.files": ("model.source", *PART_PATHS), "model": ()}


class ModelPage(SettingsPage):
    """The model that is trained, and the one that comes out."""

    sections = ("model", "output")
    two_from = LONG_PATHS

    def made_form(self, inside: Frame) -> Form:
        self.beside = FoundBeside(self, self.context)
        arranged = Arrangement(
            {"model": MODEL_CARDS}, {"model.files": self._head},
            {"model.files": self._distilled, "model": self._encoders}, self._hides,
        )  # fmt: skip
        return Form(
            inside, self.context, self.sections, below=self.below(), titles=self.titles(), arranged=arranged,
            two_from=self.two_from,
        )  # fmt: skip

    def under(self, inside: Frame) -> Iterator[None]:
        self.until_destroyed(self.context.draft.watch("model", lambda _: self._changed()))
        self._changed()
        yield from self.distilled.build()

    def row_of(self, path: str) -> SettingRow | None:
        if path.startswith(self.distilled.list.path):
            self.form.show(self.distilled)
            return self.distilled.list.reveal(path)
        if path in PART_PATHS and not is_separate(self.context):
            self.head.choose(separate=True)
        return super().row_of("model.family" if path == VARIANT else path)  # it has its segments there

    def titles(self) -> dict[str, Callable[[], str]]:
        return {
            "model.type": lambda: tr("Model"), "model.files": lambda: tr("Files"),
            "model": lambda: tr("Precision and captions"),
        }  # fmt: skip

    def below(self) -> dict[str, Below]:
        parts = {path: partial(self._part, path.removeprefix("model.")) for path in PART_PATHS}
        return {
            "model.family": self._variants, "model.source": self._hints, "model.quantization": self._plan, **parts,
        }  # fmt: skip

    def _plan(self, under: Frame) -> None:
        PlanLine(beside_labels(under), self.context).pack(fill="x")

    def _hides(self, path: str) -> bool:
        return path == VARIANT or (path in PART_PATHS and not is_separate(self.context))

    def _changed(self) -> None:
        """Which fields there are, and what they are called."""
        self.form.refresh()
        (self.form.show if self.distilled.wanted else self.form.hide)(self.distilled)
        card, separate = FAMILIES[str(self.context.draft.get("model.family"))], is_separate(self.context)
        names = {
            "model.source": tr("Denoiser") if separate and card.comes_in_parts else tr("Base model"),
            "model.text_encoder_1": tr("Text encoder 1") if len(card.text_encoders) > 1 else tr("Text encoder"),
        }
        for path, name in names.items():
            if row := self.form.row(path):
                row.label.set(name)

    def _head(self, above: Frame) -> None:
        self.head = FilesHead(above, self.context, self.beside, self._changed)
        self.head.pack(fill="x", padx=(px(12), 0), pady=(px(2), px(4)))

    def _distilled(self, form: Masonry) -> Card:
        self.distilled = DistilledCard(form, self.context)
        return self.distilled

    def _encoders(self, form: Masonry) -> Card:
        return TextEncodersCard(form, self.context)

    def _variants(self, under: Frame) -> None:
        VariantRow(beside_labels(under), self.context).pack(fill="x")

    def _part(self, name: str, under: Frame) -> None:
        """What a component's file is."""
        PartLine(beside_labels(under), self.context, name, lambda: self.beside.note(name)).pack(fill="x")

    def _hints(self, under: Frame) -> None:
        """What the base model is, where it comes from, and models to start from."""
        inside = beside_labels(under)
        for hint in (
            OtherType(inside, self.context), PartLine(inside, self.context, "denoiser"),
            OriginLine(inside, self.context), Examples(inside, self.context), SamplingHint(inside, self.context),
        ):  # fmt: skip
            hint.pack(fill="x")


def beside_labels(under: Frame) -> Frame:
    """The column in which a form has its controls."""
    inside = Frame(under)
    inside.pack(fill="x", padx=(px(SIDE), 0))
    return inside


class TrainingPage(SettingsPage):
    """How long, at which rate, and which parts."""

    @property
    def sections(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        encoders = (f"training.{name}" for name in encoder_names())
        before = ("training", "optimizer", "schedule", "training.denoiser")
        return (*before, *encoders, "objective", "prior", "training.masks", "training.guards")

    def below(self) -> dict[str, Below]:
        return {
            "schedule.kind": self._schedule,
            "objective.times.kind": self._times,
            "objective.weighting": self._guide,
        }

    def _schedule(self, under: Frame) -> None:
        ScheduleCurve(under, self.context).pack(fill="x")

    def _times(self, under: Frame) -> None:
        TimesCurve(under, self.context).pack(fill="x")

    def _guide(self, under: Frame) -> None:
        link = LinkButton(under, tr("Change what the model predicts …"), lambda: PredictionWizard(self.context))

        def show(_: object = None) -> None:
            """A model that can be nothing but a flow is offered nothing."""
            if FAMILIES[str(self.context.draft.get("model.family"))].is_flow:
                link.pack_forget()
                under.configure(height=1)
            else:
                link.pack(anchor="w", padx=(px(SIDE), 0), pady=(px(2), px(6)))

        show()
        self.until_destroyed(self.context.draft.watch("model.family", show))

    def titles(self) -> dict[str, Callable[[], str]]:
        def card() -> FamilyCard:
            return FAMILIES[str(self.context.draft.get("model.family"))]

        def first() -> str:
            return tr("Text encoder 1") if len(card().text_encoders) > 1 else tr("Text encoder")

        return {
            "training.denoiser": lambda: tr("Denoiser ({name})", name=card().component("denoiser").title),
            "training.text_encoder_1": first,
            "optimizer": lambda: tr("Optimizer"),
        }


METHODS = {
    "lora": "A small add-on file for the model. Quick, needs little memory, and can be shared and combined.",
    "loha": "Like a LoRA, of a higher rank at the same size. Some find it better for styles; a little slower.",
    "lokr": "Like a LoRA, in much smaller files or, with full matrices, close to a full fine-tune.",
    "oft": "Rotates weights instead of adding to them. Keeps more of the model; not every program reads it.",
    "full": "All weights of the model are trained. Best for large datasets; needs much memory and gives a large file.",
    "embedding": "Textual inversion: the model stays, a new token is trained. Tiny files; good for one thing or style.",
}
WORDS = ListLabels(
    "Embedding",
    "Add an embedding",
    "No embedding (textual inversion) is trained. One can be trained with any method.",
    new=lambda others: {"token": _new_word(others)},
    seldom=True,
)
GROUPS = ListLabels(
    "Layer group",
    "Add a layer group",
    "All layers are trained alike. A group gives some a learning rate or rank of their own, or leaves them out.",
    seldom=True,
)


class MethodPage(SettingsPage):
    """What is added to the model or changed in it."""

    sections = ("method",)
    without = ("method.kind",)

    def above(self, inside: Frame) -> Iterator[None]:
        card = Card(inside)
        card.pack(fill="x", pady=(0, px(14)))
        self.kind = SettingRow(card.body, self.context, "method.kind")
        self.kind.pack(fill="x")
        self.words = Label(card.body, font="small", role="text2", wrap=True)
        self.words.pack(fill="x", padx=(px(SIDE + 1), px(86)), pady=(px(2), 0))
        self.until_destroyed(self.context.draft.watch("method.kind", lambda _: self._show()))
        yield

    def under(self, inside: Frame) -> Iterator[None]:
        self._grouped = Frame(inside)
        self._grouped.pack(fill="x")
        Label(self._grouped, tr("Layer groups"), font="section").pack(fill="x", pady=(px(18), px(8)))
        self.groups = ListEditor(self._grouped, self.context, "method.groups", GROUPS)
        self.groups.pack(fill="x")
        self._below_groups = Frame(inside)
        self._below_groups.pack(fill="x")
        self._embeddings = Frame(self._below_groups)
        Label(self._embeddings, tr("Embeddings"), font="section").pack(fill="x", pady=(px(18), px(8)))
        self.list = ListEditor(self._embeddings, self.context, "words", WORDS)
        self.list.pack(fill="x")
        self.until_destroyed(self.context.draft.watch("model.family", lambda _: self._show()))
        self._show()
        yield from self.groups.build()
        yield from self.list.build()

    def titles(self) -> dict[str, Callable[[], str]]:
        return {"method": lambda: choice_label("method.kind", self.context.draft.get("method.kind"))}

    def row_of(self, path: str) -> SettingRow | None:
        if path == "method.kind":
            return self.kind
        if path.startswith("words"):
            return self.list.reveal(path)
        if path.startswith("method.groups"):
            return self.groups.reveal(path)
        return super().row_of(path)

    def _show(self) -> None:
        kind = str(self.context.draft.get("method.kind"))
        self.words.set(tr(METHODS.get(kind, "")))
        if self.context.draft.get("method.groups") is None:  # nothing of the model itself is trained
            self._grouped.pack_forget()
        else:
            self._grouped.pack(fill="x", before=self._below_groups)
        if FAMILIES[str(self.context.draft.get("model.family"))].uses("words"):
            self._embeddings.pack(fill="x")
        else:  # its text encoders learn no words
            self._embeddings.pack_forget()
            self._below_groups.configure(height=1)


def _new_word(others: Sequence[Values]) -> str:
    taken = {str(other["token"]) for other in others}
    return next(word for number in range(1, len(taken) + 2) if (word := f"<new{number}>") not in taken)


class BackupPage(SettingsPage):
    """Backups, and models saved on the way."""

    sections = ("backup",)
