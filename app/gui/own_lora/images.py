"""Step 1: the folders of images. They are the concepts of the draft; the facts come from a look into the folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.gui.caption_models.dialog import MakeCaptions
from app.gui.concept_actions import ConceptActions
from app.gui.context import AppContext
from app.gui.kit import Badge, Button, Frame, Label, LinkButton, RoundFrame, accept_files, can_drop, px
from app.gui.own_lora.facts import FolderFacts, facts_of, own_concepts, summary_of, warnings_of
from app.gui.own_lora.step import Step
from app.gui.session.worker import Worker
from app.gui.session.worker_poll import WorkerPoll
from modules.data.source.source import DataFile
from modules.language import tr
from modules.preset.paths import Values

THUMB = 46


class ImagesStep(Step):
    """`facts` are of the folders as they were when they were looked into."""

    def __init__(self, master: Any, context: AppContext, number: int) -> None:
        super().__init__(
            master, context, number, tr("Images"), tr("10 to 30 of one thing; different poses and backgrounds")
        )
        self.facts: list[FolderFacts] = []
        self._asked: list[Values] = []
        self._again = False
        self._drawn: object = None
        self._actions = ConceptActions(context)
        self._waiting: WorkerPoll[list[FolderFacts]] = WorkerPoll(self, self._arrived)

    def destroy(self) -> None:
        self._waiting.cancel()
        super().destroy()

    @property
    def done(self) -> bool:
        return any(each.found and each.found.images for each in self.facts)

    def look(self) -> None:
        """Look into the folders again: files come and go."""
        self._again = True

    def show(self) -> None:
        concepts = self._actions.all
        numbers = own_concepts(concepts)
        asked = [{**concepts[number], "trigger": ""} for number in numbers]
        if asked != self._asked or self._again:
            if [each["path"] for each in asked] != [each["path"] for each in self._asked]:
                self.facts = []
            self._asked, self._again = asked, False
            self._waiting.cancel()
            if numbers:
                preset = self.context.draft.preset()
                self._waiting.start(Worker(lambda report, stop: facts_of(preset, numbers, report, stop)))
        now = (self.facts, len(numbers))
        if now != self._drawn:
            self._drawn = now
            self._draw(bool(numbers))

    def _arrived(self, facts: list[FolderFacts]) -> None:
        self.facts = facts

    # Drawing ----------------------------------------------------------------------------------------------------------

    def _draw(self, chosen: bool) -> None:
        self.body.clear()
        if not chosen:
            self.words.set(self.hint)
            self._drop_zone()
            return
        self.words.set("" if self.facts else tr("Reading …"))
        for facts in self.facts:
            self._folder(facts)
        LinkButton(self.body, tr("Add another folder"), self.choose).pack(anchor="w")

    def _drop_zone(self) -> None:
        zone = RoundFrame(self.body, "raised", edge="border")
        zone.pack(fill="x")
        Label(zone, image="images", role="text2", size=32, anchor="center").pack(pady=(px(18), px(8)))
        words = tr("Drop a folder here, or choose one") if can_drop(self) else tr("Choose a folder of images")
        Label(zone, words, font="bold", anchor="center").pack()
        below = tr("JPEG, PNG, WebP, AVIF … any size and shape. Your images are never changed.")
        Label(zone, below, font="small", role="text2", anchor="center", wrap=True).pack(
            fill="x", padx=px(20), pady=px(6)
        )
        button = Button(zone, tr("Choose a folder"), self.choose, kind="primary", image="folder-open")
        button.pack(pady=(px(4), px(18)))
        accept_files(zone, self.add)

    def _folder(self, facts: FolderFacts) -> None:
        head = Frame(self.body)
        head.pack(fill="x", pady=(0, px(4)))
        LinkButton(head, tr("Settings"), lambda: self._open(facts.number)).pack(side="right")
        LinkButton(head, tr("Make captions"), lambda: self._caption(facts.number)).pack(side="right", padx=px(10))
        LinkButton(head, tr("Paint masks"), lambda: self.context.go("masks")).pack(side="right")
        role = "error" if facts.found is None else "text2"
        Label(head, facts.title, font="bold").pack(side="left", padx=(0, px(10)))
        Label(head, summary_of(facts), role=role, wrap=True).pack(side="left", fill="x", expand=True)
        if facts.files and self.context.pictures is not None:
            row = Frame(self.body)
            row.pack(fill="x", pady=(0, px(4)))
            for file in facts.files:
                self._thumb(row, file)
            more = facts.found.images - len(facts.files) if facts.found else 0
            if more > 0:
                Label(row, f"+{more:,}", font="small", role="text2").pack(side="left", padx=px(6))
        chips = Frame(self.body)
        chips.pack(fill="x", pady=(0, px(4)))
        for words in warnings_of(facts):
            Badge(chips, words, "changed").pack(side="left", padx=(0, px(8)))

    def _thumb(self, row: Frame, file: DataFile) -> None:
        label = Label(row)
        label.pack(side="left", padx=(0, px(4)))

        def arrived(picture: Any) -> None:
            if picture is not None and label.winfo_exists():
                label.configure(image=picture)

        box = (px(THUMB), px(THUMB))
        arrived(self.context.pictures.cover(file, box, arrived))

    # Doing ------------------------------------------------------------------------------------------------------------

    def choose(self) -> None:
        """Ask for a folder."""
        folder = self.context.app.ask_folder(tr("A folder of images"), self._actions.last_place())
        if folder is not None:
            self.add([folder])

    def add(self, paths: Sequence[Path]) -> None:
        self._actions.add(paths)

    def _caption(self, number: int) -> None:
        MakeCaptions(self, self.context, [number], written=self.look)

    def _open(self, number: int) -> None:
        self.context.go("concepts", f"concepts.{number}.path")
