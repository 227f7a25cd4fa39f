"""The row of one setting: mark, label, control, unit, arrow back, and what is wrong in words under the control."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.gui.context import AppContext
from app.gui.draft.labels import value_text
from app.gui.form.controls import Control, ControlCallbacks, control_of
from app.gui.kit import FormRow, Frame, Label, Option, popup, px, the_tip
from app.gui.session.live_settings import LiveChanges
from modules.language import tr
from modules.preset.setting_info import SettingInfo
from modules.preset.validate import schema_path, setting_at
from modules.trials.values import can_be_tried

LIVE = "Also changes the run that is going on."
LABEL = 178


class SettingRow(FormRow):
    """A setting of the draft. It follows the draft by itself, and ends that when it is destroyed.

    Args:
        path: of the setting, with its place in a list: "training.epochs", "concepts.3.flip".
        setting: which of several settings of this path (optimizers share names); None: the one of now.

    Raises:
        KeyError: there is no such setting.
    """

    def __init__(
        self,
        master: Frame,
        context: AppContext,
        path: str,
        *,
        setting: SettingInfo | None = None,
        label_width: float = LABEL,
    ) -> None:
        found = setting or setting_at(path, context.draft.values)
        if found is None:
            raise KeyError(path)
        self.setting, self.path, self.context = found, path, context
        super().__init__(
            master, tr(found.label), words=self._help, unit=tr(found.unit) if found.unit else "",
            on_reset=self._reset, label_width=label_width,
        )  # fmt: skip
        self._shown: tuple[Any, str | None] | None = None
        self._typing = False
        self._note: Label | None = None
        self.made: Control = control_of(self, found, ControlCallbacks(self._put, self._type, self._done, context, path))
        self.put(self.made.widget, stretch=self.made.stretch)
        if self.made.tall:
            self.label.grid_configure(sticky="new", pady=(px(9), 0))
        for target in self.made.key_targets:
            target.bind("<Escape>", lambda _: self._escape(), add=True)
            target.bind("<F1>", lambda _: the_tip.soon(self.made.widget), add=True)
            target.bind("<Shift-F10>", lambda _: self._open_menu(), add=True)
        for part in (self, self.label):
            part.bind("<Button-3>", lambda _: self.after_idle(self._open_menu), add=True)
        self.until_destroyed(context.draft.watch("", lambda _: self.refresh()))
        if found.live:
            context.live = context.live or LiveChanges(context.draft, context.engine, context.running)
            self.until_destroyed(context.running.listen(lambda _: self._tell_live()))
            self._tell_live()
        self.refresh()

    def refresh(self) -> None:
        """Show what the draft holds."""
        draft = self.context.draft
        value, bad = draft.get(self.path), draft.bad(self.path)
        if value is None:
            return  # its entry of a list is gone, or it belongs to an optimizer that is not chosen
        now = (value, bad.text if bad else None)
        if now != self._shown:
            self._shown = now
            if not self._typing:  # "1e-4" stays while it is being typed, though the value is 0.0001
                self.made.show(*now)
        self.changed(draft.changed(self.path))
        self.error(draft.errors().get(self.path, ""))

    def focus_control(self) -> None:
        """Put the focus into the control, so that typing replaces what is there."""
        self.made.widget.focus_set()

    def flush(self) -> None:
        """Take what is being typed now, instead of when typing rests."""
        flush = getattr(getattr(self.made.widget, "entry", self.made.widget), "flush", None)
        if flush is not None:
            flush()

    def _put(self, value: Any) -> None:
        self.context.draft.put(self.path, value)

    def _type(self, text: str) -> None:
        self._typing = True
        try:
            self.context.draft.type(self.path, text)
        finally:
            self._typing = False

    def _done(self) -> None:
        """Typing is over: a size goes to the nearest possible, and the value is shown as it is kept."""
        if (size := self.context.draft.nearest_size(self.path)) is not None:
            self.context.draft.put(self.path, size)
        if self._shown is not None:
            self.made.show(*self._shown)

    def _reset(self) -> None:
        self.context.draft.reset(self.path)
        self._done()
        self.focus_control()  # the arrow that had the focus is gone

    def _escape(self) -> str | None:
        if self.context.draft.bad(self.path) is None:
            return None  # Escape means something to the window
        self.context.draft.revert(self.path)
        self._done()
        return "break"

    def _open_menu(self) -> str:
        """What else can be done with a setting: several values of it can be tried."""
        the_tip.hide()
        changed = self.context.draft.changed(self.path)
        tried = "" if can_be_tried(self.setting) and ".0." not in schema_path(self.path) else tr("Not of this setting.")
        options = [
            Option("try", tr("Try values of this \u2026"), reason=tried),
            Option("reset", tr("Back to the preset's value"), reason="" if changed else tr("It is the preset's.")),
            Option("copy", tr("Copy its key"), note=self.path),
        ]
        acts = {
            "try": lambda: self.context.try_values(self.path), "reset": self._reset,
            "copy": lambda: self.context.app.copy(self.path),
        }  # fmt: skip
        popup(self.label, options, lambda name: acts[name](), search="", width=320)
        return "break"

    def _help(self) -> str:
        setting, draft = self.setting, self.context.draft
        original = draft.original(self.path)
        usual = value_text(setting, original)
        compared = tr("Preset: {value}", value=usual) if draft.base.name else tr("Default: {value}", value=usual)
        lines = [tr(setting.help), "", compared]
        if setting.limits:
            lines.append(tr("Allowed: {limits}", limits=setting.limits))
        if setting.live:
            lines.append(tr(LIVE))
        return "\n".join([*lines, tr("Key: {path}", path=self.path)])

    def _tell_live(self) -> None:
        """While a run is under way, say that this setting goes to it."""
        on = self.context.live is not None and self.context.live.under_way
        if on and self._note is None:
            self._note = Label(self, tr(LIVE), font="small", role="text2", wrap=True)
        if self._note is not None:
            if on:
                self._note.grid(row=2, column=2, columnspan=3, sticky="ew", pady=(0, px(4)))
            else:
                self._note.grid_remove()


def in_tab_order(row: SettingRow, later: Sequence[SettingRow]) -> None:
    """Tab reaches a row that was made late before the rows that stand under it: Tk goes by the order of stacking."""
    if later:
        row.lower(later[0])
