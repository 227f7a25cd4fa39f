"""The layers of the model as a tree in a dialog: ready sets, boxes to tick, and what a choice weighs."""

from __future__ import annotations

from collections.abc import Sequence

from app.gui.context import AppContext
from app.gui.form.layer_counts import (
    GROUPS_PATH,
    LAYERS_PATH,
    NO_LAYERS,
    PATIENCE_MS,
    Values,
    layers_of,
    memory_in_words,
    short,
    trained_by,
    weights_in_words,
)
from app.gui.form.layer_tree import Line, Node, state, toggled
from app.gui.kit import Answer, Button, Dialog, Entry, Frame, Label, LinkButton, RoundFrame, Tree, TreeLine, px, tip
from modules.language import tr
from modules.preset.sections.method import Adapter, Full, LayerGroup
from modules.text import in_percent

SIZE = (1120, 700)
LEFT = 372


class LayerDialog(Dialog):
    """Each tick goes to the draft as one change; Escape and Close end it, Ctrl+Z undoes.

    Args:
        path: of the setting: "method.layers", or the layers of a group, "method.groups.2.layers".
    """

    def __init__(self, context: AppContext, path: str) -> None:
        self.context, self.path = context, path
        group = path.removeprefix(f"{GROUPS_PATH}.").partition(".")[0]
        title = (
            tr("Layers that are trained")
            if path == LAYERS_PATH
            else tr("Layers of group {group}", group=int(group) + 1)
        )
        super().__init__(
            context.app, title, answers=(Answer(tr("Close"), kind="primary"),), width=SIZE[0], height=SIZE[1],
            on_close=lambda _: None,
        )  # fmt: skip
        self.ticked = 0
        self.opened: set[str] = set()
        self.layers = NO_LAYERS  # until the engine has answered
        self._weights: dict[str, int] = {}
        self._late = ""  # a timer
        self._waiting = Label(self.body, tr("Reading the names of the layers …"), role="text2")
        self._waiting.pack(anchor="w")
        self.until_destroyed(
            context.draft.watch("", lambda _: self._read()), context.queries.watch(self._read), self._forget_late
        )
        self.bind("<Control-z>", lambda _: context.draft.undo())
        self.bind("<Control-Shift-Z>", lambda _: context.draft.redo())
        self.bind("<Control-y>", lambda _: context.draft.redo())
        self._read()

    # What a person does -----------------------------------------------------------------------------------------------

    def choose(self, name: str) -> None:
        """A ready set."""
        self._put(self.layers.tree.sets[name])

    def tick(self, key: str) -> None:
        """Turn the box of a line."""
        self._put(toggled(self.ticked, self._node(key).mask))

    def tick_all(self, on: bool) -> None:
        self._put(self.layers.tree.everything if on else 0)

    def fold(self, key: str) -> None:
        self.opened ^= {key}
        self.refresh()

    def fold_all(self) -> None:
        """Open everything, or nothing where everything is open."""
        everything = self.layers.tree.all_terms()
        self.opened = set() if self.opened >= everything else everything
        self.refresh()

    def find(self, text: str) -> None:
        """Show what has all these words."""
        self.refresh()
        hits = (line.node.term for line in self._lines(text) if line.hit)
        self.tree.go(next(hits, "") if text else "")

    def _lines(self, text: str) -> list[Line]:
        return self.layers.tree.lines(self.ticked, self.opened, text)

    def group(self) -> None:
        """Give the marked line a learning rate of its own: a layer group before the others, with the rate of now."""
        preset, key = self.context.draft.preset(), self.tree.key
        rate = preset.training.denoiser.learning_rate or preset.training.learning_rate
        number = self.context.draft.add(GROUPS_PATH, {"layers": key, "learning_rate": rate}, at=0)
        self.close(None)
        self.context.go("method", f"{GROUPS_PATH}.{number}.learning_rate")

    # What is shown ----------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Everything, by the draft and what is ticked."""
        preset, tree = self.context.draft.preset(), self.layers.tree
        if not isinstance(preset.method, Full | Adapter):
            return
        text = str(self.context.draft.get(self.path))
        chosen = next((name for name, mask in tree.sets.items() if mask == self.ticked), "")
        known = preset.card.layer_sets
        self.sets.show([self._set_line(name, tr(known[name].title), chosen) for name in tree.sets])
        group_masks = [(group, tree.read(group.layers)[0]) for group in preset.method.groups]
        self.tree.show([self._line(line, group_masks) for line in self._lines(self.search.get())])
        self._note.set(tr(known[chosen].note) if chosen else "")
        self._text.set(tr("In the preset: {text}", text=text) if self.ticked else "")
        wrong = (
            "" if self.ticked else tree.read(text)[1] or tr("Tick at least one. Until then it is: {text}", text=text)
        )
        self._wrong.set(wrong)
        self._folder.configure(text=tr("Collapse all") if self.opened >= tree.all_terms() else tr("Expand all"))
        self._offer_group()
        self._show_counts()

    def _show_counts(self) -> None:
        """What the draft trains; of a layer group, how many weights its layers have."""
        self._share.set(weights_in_words(self.layers.weights(self.ticked), self.layers.whole) if self.ticked else "")
        if not self.ticked or self.path != LAYERS_PATH:
            self._memory.set(self.layers.counted)
            return
        trained = trained_by(self.context)
        if trained is None:
            self._late = self._late or self.after(PATIENCE_MS, lambda: self._memory.set(tr("Counting …")))
            return
        self._forget_late()
        if part := trained.get("parts", {}).get("denoiser"):
            self._share.set(weights_in_words(part["picked"], part["whole"]))
            self._memory.set("\n".join(self._sentences(part, trained)))

    def _sentences(self, part: Values, trained: Values) -> list[str]:
        sentences = [memory_in_words(trained), self.layers.counted]
        if trained["along"]:
            words = '"Convolutions (LoCon)" is on: {more} more layers of resnets and resizers are adapted.'
            sentences.insert(1, tr(words, more=trained["along"]))
        if isinstance(self.context.draft.preset().method, Adapter):
            sentences.insert(0, tr("{trained:,} trainable parameters.", trained=part["trained"]))
        return sentences

    def _forget_late(self) -> None:
        if self._late:
            self.after_cancel(self._late)
        self._late = ""

    def _set_line(self, name: str, title: str, chosen: str) -> TreeLine:
        part = self._sum(name, self.layers.tree.sets[name]) / self.layers.whole
        return TreeLine(name, title, ticked=name == chosen, note=in_percent(part, 1))

    def _line(self, line: Line, group_masks: Sequence[tuple[LayerGroup, int]]) -> TreeLine:
        node = line.node
        group = next((group for group, mask in group_masks if state(mask, node.mask)), None)
        note = short(self._sum(node.term, node.mask))
        mark = _of_group(group) if group else ""
        return TreeLine(node.term, node.title, line.depth, line.ticked, line.opened, node.words, note, mark)

    def _sum(self, term: str, mask: int) -> int:
        """Weights of a node or set."""
        if term not in self._weights:
            self._weights[term] = self.layers.weights(mask)
        return self._weights[term]

    # How it works -----------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """The draft has changed, another text, another model, another optimizer; or the engine has answered."""
        text = self.context.draft.get(self.path)
        if text is None or not isinstance(self.context.draft.preset().method, Full | Adapter):
            self.after_idle(lambda: self.close(None))  # an undo took it away
            return
        now = layers_of(self.context)
        if now is None:
            return
        if not now.whole:
            self._waiting.set(tr("The layers of this model could not be found out."), "error")
            return
        before, self.layers = self.layers, now
        self.ticked, _ = now.tree.read(str(text))
        if not before.whole:
            self._build()
        if now.sizes != before.sizes:
            self._weights.clear()
        self.refresh()

    def _put(self, ticked: int) -> None:
        """Write down a selection; an empty one is only shown, for no run can train nothing."""
        before = str(self.context.draft.get(self.path))
        after = self.layers.tree.text_of(ticked, before) if ticked else before
        if after != before:
            self.context.draft.put(self.path, after)  # which is heard, and shown
        elif ticked != self.ticked:
            self.ticked = ticked
            self.refresh()

    def _open_partial(self, nodes: Sequence[Node]) -> None:
        """Begin with what is ticked in part unfolded, down to the blocks."""
        partial = [node for node in nodes if state(self.ticked, node.mask) is None and node.children]
        self.opened = {node.term for node in partial}

    def _node(self, key: str) -> Node:
        return next(line for root in self.layers.tree.roots for line in root.walk() if line.term == key)

    def _offer_group(self) -> None:
        key = self.tree.key
        self._group.disable("" if key else tr("Mark a line of the tree first."))
        self._group.set(tr("Learning rate for {what} …", what=self._crumbs(key)) if key else tr("Own learning rate …"))

    def _crumbs(self, key: str) -> str:
        """What a line is, with the block that it lies in: "Input 5, Transformer"."""
        mask = self._node(key).mask
        way = [node.title for root in self.layers.tree.roots for node in root.walk() if not mask & ~node.mask]
        return ", ".join(way[1:] or way)

    def _return(self) -> None:
        """Return in the search goes to what was found."""
        if self.layers.whole and self.focus_get() is self.search.inner:
            self.tree.focus_set()
        else:
            super()._return()

    # How it is built --------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self._waiting.destroy()
        self._build_left()
        self._build_right()
        self._build_foot()
        self._open_partial(self.layers.tree.roots)
        self.tree.focus_set()

    def _build_left(self) -> None:
        left = Frame(self.body, width=LEFT)
        left.pack(side="left", fill="y", padx=(0, px(16)))
        left.pack_propagate(False)
        Label(left, tr("Layer sets"), font="small_bold", role="text2").pack(fill="x", pady=(0, px(4)))
        self.sets = Tree(left, self.choose, boxes=False, lines=len(self.layers.tree.sets))
        self.sets.pack(fill="x")
        self._note = Label(left, font="small", role="text2", wrap=True)
        self._note.pack(fill="x", pady=(px(4), px(10)))
        self._share = Label(left, font="bold", wrap=True)
        self._memory = Label(left, font="small", role="text2", wrap=True)
        self._text = Label(left, font="small", role="text3", wrap=True)
        self._wrong = Label(left, font="small", role="error", wrap=True)
        for label in (self._share, self._memory, self._text, self._wrong):
            label.pack(fill="x", pady=(0, px(8)))

    def _build_right(self) -> None:
        right = Frame(self.body)
        right.pack(side="left", fill="both", expand=True)
        head = Frame(right)
        head.pack(fill="x", pady=(0, px(8)))
        self.search = Entry(head, placeholder=tr("Search: input 4, cross, mlp …"), on_change=self.find, rest_ms=0)
        self.search.pack(side="left", fill="x", expand=True)
        self._folder = LinkButton(head, tr("Expand all"), self.fold_all)
        nothing = LinkButton(head, tr("None"), lambda: self.tick_all(False))
        everything = LinkButton(head, tr("All"), lambda: self.tick_all(True))
        for link in (nothing, everything, self._folder):
            link.pack(side="right", padx=(px(10), 0))
        around = RoundFrame(right, "input")
        around.pack(fill="both", expand=True)
        self.tree = Tree(around, self.tick, on_fold=self.fold, on_mark=lambda _: self._offer_group())
        self.tree.pack(fill="both", expand=True, padx=px(4), pady=px(4))

    def _build_foot(self) -> None:
        self._group = Button(self.footer, tr("Own learning rate …"), self.group, image="sliders-horizontal")
        tip(self._group, tr("Makes a layer group of the marked line: a learning rate of its own, or none at all."))
        if self.path == LAYERS_PATH:
            self._group.pack(side="left")


def _of_group(group: LayerGroup) -> str:
    """What is special about a group, in two words."""
    if not group.train:
        return tr("not trained")
    if group.learning_rate:
        return tr("rate {rate:g}", rate=group.learning_rate)
    return tr("rank {rank}", rank=group.rank) if group.rank else ""
