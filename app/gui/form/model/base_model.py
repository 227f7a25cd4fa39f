"""What stands under the base model: the offer to set "Model type" to what it plainly is, and models to start from."""

from __future__ import annotations

from functools import partial
from typing import Any

from app.gui.context import AppContext
from app.gui.draft.choice_labels import choice_label
from app.gui.kit import Frame, Label, LinkButton, px
from app.gui.session.model_files import files_of
from modules.language import tr
from modules.system.bundled import is_bundled
from modules.system.hub import looks_like_hub_name


class OtherType(Frame):
    """Empty, or a link; that the type is wrong is said by the row above."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master)
        self._context, self._files = context, files_of(context)
        self._shown = ""
        self.until_destroyed(self._files.listen(self.refresh), context.draft.watch("model", lambda _: self.refresh()))
        self.refresh()

    def refresh(self) -> None:
        draft, found = self._context.draft, self._files.of("denoiser")
        family = found.part.family if found and found.part else ""
        family = "" if family == draft.get("model.family") else family
        if family == self._shown:
            return
        self._shown = family
        self.clear()
        self.configure(height=1)
        if family:
            words = tr("Set Model type to {title}", title=choice_label("model.family", family))
            LinkButton(self, words, lambda: draft.put("model.family", family)).pack(anchor="w", pady=(0, px(4)))


class Examples(Frame):
    """Models of the hub to start from, while no file of this machine is chosen."""

    def __init__(self, master: Any, context: AppContext) -> None:
        super().__init__(master)
        self._context, self._files = context, files_of(context)
        self._shown: tuple[str, ...] | None = None
        self.until_destroyed(context.draft.watch("model", lambda _: self.refresh()))
        self.refresh()

    def refresh(self) -> None:
        source = str(self._context.draft.get("model.source"))
        names = () if _is_here(source) else tuple(each for each in self._files.card.examples if each != source)
        if names == self._shown:
            return
        self._shown = names
        self.clear()
        self.configure(height=1)
        if not names:
            return
        words = tr("A .safetensors, .gguf or .ckpt file, a diffusers folder, or a name on Hugging Face. To start from:")
        Label(self, words, font="small", role="text2", wrap=True).pack(fill="x", padx=px(2))
        for name in names:
            LinkButton(self, name, partial(self._context.draft.put, "model.source", name)).pack(anchor="w")


def _is_here(source: str) -> bool:
    return bool(source) and not is_bundled(source) and not looks_like_hub_name(source)
