"""What models would write about three images: the picture, what was there, and the caption as it would be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.gui.caption_models.shots import Shot
from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Frame, ImageView, Label, LinkButton, px
from app.gui.kit.layout.tag_flow import TagFlow, TagWord
from modules.captioning.tag_choice import Choice, Score, chosen, excluded, spelt
from modules.language import plural, tr
from modules.messages import CaptionReady
from modules.preset.paths import Values

PICTURE = 104
LEFT_OUT = 4  # tags below the threshold that are shown
LONGEST = 90  # letters of what was there


class PreviewRow(Frame):
    """One image. `again` makes its sentences anew."""

    def __init__(self, master: Any, context: AppContext, shot: Shot, again: Callable[[Shot], object]) -> None:
        super().__init__(master)
        self.shot = shot
        picture = ImageView(self, context.pictures, empty="", height=PICTURE)
        picture.configure(width=px(PICTURE))
        picture.pack(side="left", anchor="n", padx=(0, px(12)))
        picture.show(shot.file)
        right = Frame(self)
        right.pack(side="left", fill="both", expand=True)
        was = " ".join(shot.text.split())[:LONGEST] or tr("no caption")
        head = tr("{name} · was: {caption}", name=shot.file.name, caption=was)
        Label(right, head, font="small", role="text2", wrap=True).pack(fill="x", pady=(0, px(4)))
        self.tags = TagFlow(right)
        self.text = Label(right, "", wrap=True)
        self.line = Frame(right)
        self.about = Label(self.line, "", font="small", role="text2")
        self.about.pack(side="left")
        self.again = LinkButton(self.line, tr("Again"), lambda: again(shot))
        self.again.pack(side="right")

    def show(self, made: Mapping[str, CaptionReady], values: Values, *, stale: bool) -> None:
        """What was made of it, as it would be written with these settings; `stale`: of other settings."""
        tags, prose = made.get("tags"), made.get("sentences")
        for widget in (self.tags, self.text, self.line):
            widget.pack_forget()
        if tags is not None and values["kind"] != "sentences":
            self._show_tags(tags, values)
        if prose is not None and values["kind"] != "tags":
            self._show_text(prose, values, stale=stale)

    def _show_tags(self, made: CaptionReady, values: Values) -> None:
        if made.problems and not made.scores:
            self.text.set(self._why(made), "error")
            self.text.pack(fill="x")
            return
        self.tags.show(tag_words(made, values))
        self.tags.pack(fill="x", pady=(0, px(4)))

    def _why(self, made: CaptionReady) -> str:
        """Its name is enough: it stands beside its picture."""
        said = made.problems[0]
        return WORDS.line(replace(said, values={**said.values, "file": self.shot.file.name}))

    def _show_text(self, made: CaptionReady, values: Values, *, stale: bool) -> None:
        if made.problems:
            self.text.set(self._why(made), "error")
        else:
            self.text.set(made.text, "text3" if stale else "text")
        self.text.pack(fill="x")
        self.about.set(plural(made.tokens, "1 token", "{count:,} tokens") if made.tokens else "")
        self.line.pack(fill="x", pady=(px(3), 0))


def tag_words(made: CaptionReady, values: Values) -> list[TagWord]:
    """The tags of an image: what is put first, those that are taken, and the next ones below the thresholds."""
    choice = choice_of(values)
    scores = [Score(*each) for each in made.scores]
    taken = chosen(scores, choice)
    prefix = str(values["prefix"]).strip().rstrip(",")
    found = [TagWord(prefix, look="lead")] if prefix else []
    found += [TagWord(spelt(each.name, spaces=choice.spaces), f"{each.probability:.2f}") for each in taken]
    below = [each for each in scores if each.category == "general" and each.probability < choice.threshold("general")]
    return found + [
        TagWord(spelt(each.name, spaces=choice.spaces), f"{each.probability:.2f}", "left") for each in below[:LEFT_OUT]
    ]


def choice_of(values: Values) -> Choice:
    """What of the settings chooses tags."""
    thresholds = {name: float(values[name]) for name in ("general", "character", "copyright", "rating")}
    return Choice(thresholds, excluded(str(values["exclude"])), spaces=values["underscores"] == "spaces")


def counts_of(made: Sequence[CaptionReady], values: Values) -> dict[str, float]:
    """How many tags of each category an image gets, in the mean."""
    if not made:
        return {}
    taken = [each for one in made for each in chosen([Score(*score) for score in one.scores], choice_of(values))]
    names = ("general", "character", "copyright")
    return {name: sum(each.category == name for each in taken) / len(made) for name in names}
