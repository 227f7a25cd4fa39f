"""Ratios by block on the card of a merge: sliders over the settings `curve` and `blocks`, whose text stands below."""

from __future__ import annotations

from typing import Any

from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.form.controls import options_of
from app.gui.kit import Button, Choice, Column, Entry, FormRow, Frame, Label, SliderBank, Switch, px
from app.gui.tools.rows import LABEL
from modules.errors import UserError
from modules.language import tr
from modules.merging.block_ratios import BASE, TEXT, on_curve, ratios_in, usual_ratio, written
from modules.preset.setting_info import SettingInfo

SIDES = {"IN": "input blocks", "OUT": "output blocks"}
FLAT = "flat"


def columns_of(names: tuple[str, ...]) -> list[Column]:
    """Blocks as columns: sides of a U-Net, tens of a transformer's."""
    found: list[Column] = []
    numbered = any(name.isdigit() for name in names)
    for name in names:
        side = next((side for side in SIDES if name.startswith(side)), "")
        if name.isdigit():
            ten = int(name) // 10 * 10
            found.append(Column(name, name[-1], f"{ten}\u2013{ten + 9}"))
        elif side:
            found.append(Column(name, name.removeprefix(side), tr(SIDES[side])))
        else:
            found.append(Column(name, "", name) if numbered else Column(name, name))
    return found


class CurveField:
    """The curve, which is chosen above the sliders."""

    widget = None

    def __init__(self, form: Any, context: AppContext, setting: SettingInfo) -> None:
        del context
        self.setting, self.value = setting, FLAT
        self._form = form

    def read(self) -> str:
        return self.value if self._form.fields["blocks"].switch.get() else FLAT

    def show(self, value: Any) -> None:
        self.value = str(value)
        self._form.fields["blocks"].turn_on()

    def complain(self, sentence: str) -> None: ...


class BlocksField:
    """A switch, a curve, a slider for each block of the first model, and the ratios as they are written.

    Off: one ratio for all. What is moved stands in the text; what is not follows curve and ratio.
    """

    def __init__(self, form: Any, context: AppContext, setting: SettingInfo) -> None:
        del context
        self._form = form
        self._curve: CurveField = form.fields["curve"]
        self.widget = Frame(form)
        self.head = FormRow(
            self.widget, tr(self._curve.setting.label), words=tr(self._curve.setting.help), label_width=LABEL
        )
        self.head.pack(fill="x")
        line = Frame(self.head)
        self.switch = Switch(line, False, lambda _: self._changed())
        self.switch.pack(side="left")
        self.curve = Choice(line, options_of(self._curve.setting), FLAT, self.choose_curve, width=190)
        self.reset = Button(line, tr("Reset"), self._reset, hint=tr("The same ratio everywhere"))
        self.head.put(line)
        self.below = Frame(self.widget)
        self.bank = SliderBank(self.below, self._moved)
        self.unknown = Label(self.below, tr("Choose the first model to see its blocks."), role="text2", wrap=True)
        self.row = FormRow(self.below, tr(setting.label), words=tr(setting.help), label_width=LABEL)
        self.entry = Entry(self.row, placeholder="IN00-IN05=0.2, MID=0.5", on_change=lambda _: self._changed())
        self.row.put(self.entry)
        self.row.pack(side="bottom", fill="x")
        form.listen(self.refresh)

    @property
    def overall(self) -> float:
        """The ratio of what has none of its own."""
        fields = self._form.fields
        first = str(fields["ratio"].read() or "").replace(",", " ").replace(";", " ").split()
        try:
            return float(first[0])
        except (IndexError, ValueError):
            return usual_ratio(fields["method"].read(), max(2, len(fields["models"].read() or ())))

    def read(self) -> str | None:
        if not self.switch.get():
            return ""
        text, names = self.entry.get().strip(), self._form.models.first.blocks
        return text if not names or self._ratios(names) is not None else None

    def _ratios(self, names: tuple[str, ...]) -> dict[str, float] | None:
        """Those in the text; None if it cannot be used, which then stands below it."""
        try:
            found = ratios_in(self.entry.get(), names)
        except UserError as error:
            self.complain(error.text(WORDS))
            return None
        self.complain("")
        return found

    def show(self, value: Any) -> None:
        self.entry.set(str(value))
        self.turn_on()

    def turn_on(self) -> None:
        """On where there is anything to see."""
        self.switch.set(bool(self.entry.get().strip()) or self._curve.value != FLAT)
        self.refresh()

    def complain(self, sentence: str) -> None:
        self.row.error(sentence)

    def refresh(self) -> None:
        """The first model, the ratio or the text may be others."""
        on, names = self.switch.get(), self._form.models.first.blocks
        self.curve.set(self._curve.value)
        for control in (self.curve, self.reset):
            if on:
                control.pack(side="left", padx=(px(12), 0))
            else:
                control.pack_forget()
        if not on:
            self.below.pack_forget()
            return
        self.below.pack(fill="x")
        shown, hidden = (self.bank, self.unknown) if names else (self.unknown, self.bank)
        hidden.pack_forget()
        shown.pack(fill="x", pady=px(4))
        if names:
            self._show(names)

    def _show(self, names: tuple[str, ...]) -> None:
        overall = self.overall
        values = {name: overall for name in (TEXT, BASE, *names)} | on_curve(self._curve.value, overall, names)
        values |= self._ratios(names) or {}
        self.bank.show(columns_of((TEXT, BASE, *names)), values, overall)

    def _moved(self, changes: dict[str, float]) -> None:
        names, overall = self._form.models.first.blocks, self.overall
        own = self._ratios(names) or {}
        usual = {TEXT: overall, BASE: overall, **dict.fromkeys(names, overall)}
        usual |= on_curve(self._curve.value, overall, names)
        found = {name: ratio for name, ratio in (own | changes).items() if abs(ratio - usual[name]) > 1e-9}
        self.entry.set(written(found, names))
        self.complain("")

    def choose_curve(self, curve: str) -> None:
        """A curve begins anew: what was moved before is forgotten."""
        self._curve.value = curve
        self.entry.set("")
        self._changed()

    def _reset(self) -> None:
        self.choose_curve(FLAT)

    def _changed(self) -> None:
        self.complain("")
        self.refresh()
