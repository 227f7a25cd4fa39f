"""The pages of the window in the order of the navigation. A page's module is imported when it is first shown."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from app.gui.page import Page


@dataclass(frozen=True)
class PageCard:
    """What the navigation knows of a page before it is made."""

    key: str
    title: str
    line: str  # what is found there, in a few words, beside the title
    image: str  # of resources/icons
    target: str  # "module:Class"
    sections: tuple[str, ...] = ()  # parts of the schema that it shows: their changes and errors count on its badge
    pane: bool = True  # whether the live pane is open beside it until somebody closes it

    def page_class(self) -> type[Page]:
        module, name = self.target.split(":")
        return getattr(import_module(module), name)


SETTINGS = "app.gui.pages.settings:"
PAGES: tuple[PageCard, ...] = (
    PageCard(
        "general", "General", "Run, seed, this machine", "settings-2", "app.gui.own_lora.page:GeneralPage", ("general",)
    ),
    PageCard("model", "Model", "Base model and output", "box", f"{SETTINGS}ModelPage", ("model", "output")),
    PageCard("concepts", "Concepts", "Your images", "images", "app.gui.concepts.page:ConceptsPage", ("concepts",)),
    PageCard(
        "training", "Training", "Length, rate, memory, loss and noise", "graduation-cap", f"{SETTINGS}TrainingPage",
        ("training", "optimizer", "schedule", "objective", "prior"),
    ),
    PageCard(
        "method", "Method", "LoRA, full fine-tune or embedding", "layers", f"{SETTINGS}MethodPage", ("method", "words")
    ),
    PageCard(
        "sampling", "Sampling", "Sample images, validation", "sparkles", "app.gui.pages.sampling:SamplingPage",
        ("sampling", "validation", "examine"),
    ),
    PageCard("backup", "Backup", "Continue later, save models", "shield", f"{SETTINGS}BackupPage", ("backup",)),
    PageCard("check", "Check", "Before you start", "check", "app.gui.check.page:CheckPage"),
    PageCard("run", "Live run", "Loss, samples, log", "chart-line", "app.gui.run.page:RunPage", pane=False),
    PageCard(
        "examine", "Examine", "What was learnt, what was lost", "microscope", "app.gui.examine.page:ExaminePage",
        pane=False,
    ),
    PageCard(
        "queue", "Queue", "What comes after what", "list-ordered", "app.gui.queue.page:QueuePage", pane=False
    ),
    PageCard(
        "captions",
        "Captions",
        "The texts of your images",
        "pencil",
        "app.gui.captions.page:CaptionsPage",
        pane=False,
    ),
    PageCard(
        "masks", "Masks", "Red is left out of the loss", "brush", "app.gui.masks.page:MasksPage", pane=False
    ),
    PageCard(
        "tools", "Tools", "Make images, convert, merge, compare", "wrench", "app.gui.tools.page:ToolsPage", pane=False
    ),
)  # fmt: skip
TOOLS_WITH_A_PAGE = {"grid": "examine"}  # the others have cards on the page Tools
FIRST_OF_THE_REST = "run"  # a line stands above it in the navigation


def page_for(path: str) -> str:
    """The key of the page on which a setting stands."""
    section = path.partition(".")[0]
    return next((card.key for card in PAGES if section in card.sections), PAGES[0].key)
