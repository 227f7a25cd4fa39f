"""What training will see of a concept: one image as it is cut, flipped and captioned, and all images to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw, ImageEnhance

from app.gui.captions.variants import DRAWS, CaptionVariants
from app.gui.concepts.card import not_read
from app.gui.concepts.concept_scan import ConceptScanner, Scan, filters_of, left_out_in_words, read_by
from app.gui.concepts.dataset_scan import Preview, captions_ahead, preview_of, row_of_draw
from app.gui.context import AppContext
from app.gui.draft.problem_labels import WORDS
from app.gui.kit import Button, Cell, Frame, ImageView, Label, VirtualGrid, px, theme
from app.gui.masks.overlay import covered
from app.gui.session.number_format import TIMES
from app.gui.session.worker import Worker
from app.gui.session.worker_poll import WorkerPoll
from modules.data.image.pixels import Crop, open_image
from modules.data.index import Index
from modules.data.source.entries import Entries
from modules.data.source.source import DataFile, Listing
from modules.errors import UserError
from modules.language import plural, tr

SETTLES_MS = 150
CELL = (118, 142)
VIEW, WHOLE = 244, 116
DARK = 0.35  # of its brightness is left to what is cut off


@dataclass(frozen=True)
class LoadedPreview:
    """A sight, its picture as large as there is room, and where it was cut from."""

    preview: Preview
    shown: Image.Image
    whole: Image.Image | None  # with what is cut off darkened; None where nothing is
    captions: list[str]  # of this draw and the next ones


class ConceptPreview(Frame):
    """The picture of training above, the images of the folder below. Follows the draft (`settle`)."""

    def __init__(self, master: Frame, context: AppContext, number: int) -> None:
        super().__init__(master)
        self._context, self._number = context, number
        self._index: Index | None = None
        self._images: Index | None = None  # one row for each image: that of the list
        self._listed: object = None  # what the index was made of
        self._draw = 0
        self._pending = ""
        self._scan: Scan | None = None
        self._scanner = ConceptScanner(number)
        self._listing: WorkerPoll[Scan] = WorkerPoll(self, self._arrived, self._failed, self._advance)
        self._comparing: WorkerPoll[Listing] = WorkerPoll(self, self._compare, lambda _: self._read_again())
        self._looking: WorkerPoll[LoadedPreview] = WorkerPoll(self, self._seen, self._failed)
        self.until_destroyed(self._listing.cancel, self._comparing.cancel, self._looking.cancel)
        self._make_view()
        self.draws = CaptionVariants(self, context)
        self.draws.pack(fill="x")
        self._line = Label(self, role="text2", wrap=True)
        self._line.pack(fill="x", pady=(px(12), px(4)))
        self._grid = VirtualGrid(self, self._paint_cell, cell=CELL, lines=2, on_select=self._choose)
        self._grid.pack(fill="both", expand=True)
        self.bind("<Configure>", self._fit, add=True)
        self.settle()

    def _fit(self, event: Any) -> None:
        """The picture leaves half of the width to the words, and half of the height to the list, in a small window."""
        side = min(px(VIEW), max(event.width // 2, px(WHOLE)), max(event.height * 2 // 5, px(WHOLE)))
        if event.widget is self and side != int(self.view.cget("width")):
            self.view.configure(width=side, height=side)
            self.settle()

    def _make_view(self) -> None:
        top = Frame(self)
        top.pack(fill="x")
        self.view = ImageView(top, self._context.pictures, empty=tr("Reading …"), width=VIEW, height=VIEW)
        self.view.pack(side="left")
        side = Frame(top)
        side.pack(side="left", fill="both", expand=True, padx=(px(16), 0))
        self._place = Label(side, font="bold", wrap=True)
        self._place.pack(fill="x")
        self._how = Label(side, font="small", role="text2", wrap=True)
        self._how.pack(fill="x", pady=(px(2), px(10)))
        Label(side, tr("Caption"), font="small", role="text2").pack(fill="x")
        self._caption = Label(side, wrap=True)
        self._caption.pack(fill="x", pady=(px(2), px(12)))
        bar = Frame(side)
        bar.pack(side="bottom", fill="x", pady=(px(10), 0))
        self._whole = ImageView(side, self._context.pictures, width=WHOLE, height=WHOLE)
        Button(
            bar, tr("Next epoch"), self.next_draw, image="sparkles", hint=tr("Caption, crop and flip of the next epoch")
        ).pack(side="left")
        self._count = Label(bar, font="small", role="text2")
        self._count.pack(side="left", padx=px(10))

    @property
    def row(self) -> int:
        """The image that is looked at."""
        return max(self._grid.current, 0)

    def next_draw(self) -> None:
        """The same image as the next epoch draws it."""
        self._draw += 1
        self._look()
        self.look_again()

    def look_again(self) -> None:
        """Read the folder anew if another program has changed something in it."""
        if self._scan is None:
            self._read_again()
        elif not self._listing.busy and not self._comparing.busy:
            source = self._scan.source
            self._comparing.start(Worker(lambda *_: source.listing()))

    def _compare(self, listing: Listing) -> None:
        if self._scan is None or listing != self._scan.listing:
            self._read_again()

    def _read_again(self) -> None:
        self._listed = None
        self._scanner.forget()
        self._refresh()

    def settle(self) -> None:
        """Look again when nothing has changed for a moment."""
        if self._pending:
            self.after_cancel(self._pending)
        self._pending = self.after(SETTLES_MS, self._refresh)

    def _refresh(self) -> None:
        self._pending = ""
        preset = self._context.draft.preset()
        if self._number >= len(preset.concepts):
            return
        concept = preset.concepts[self._number]
        made_of = (
            read_by(concept), concept.resolutions, filters_of(concept), preset.training.model_dump(), preset.model,
        )  # fmt: skip
        if made_of != self._listed or self._index is None:
            self._listed = made_of
            scanner = self._scanner
            self._listing.start(Worker(lambda report, stop: scanner.scan(preset, report, stop)))
        else:
            self._look()

    def _advance(self, done: int, total: int) -> None:
        if total > done:
            self._line.set(tr("Reading images: {done:,} of {total:,}", total=total, done=done))

    def _arrived(self, scan: Scan) -> None:
        index, self._scan = scan.index, scan
        same = self._index is not None and len(index) == len(self._index)
        self._index = index
        self._images = index.one_row_per_image()
        bad = tr(" · {count:,} cannot be used", count=len(index.bad)) if index.bad else ""
        remarks = index.remarks.get(self._number)
        if remarks is not None and remarks.not_taken:
            bad += f" · {not_read(remarks.not_taken)}"
        bad += left_out_in_words(index, self._number)
        bad += masks_in_words(scan, self._context.draft.get(f"concepts.{self._number}.masks") == "file")
        count = len(self._images)
        self._line.set(plural(count, "1 image{bad}", "{count:,} images{bad}", bad=bad), "text2")
        self._grid.show(count, keep=same)
        if not same and len(index):
            self._grid.select({0}, 0)
        else:
            self._look()

    def _failed(self, error: UserError) -> None:
        self._scan = None
        if self._listed is not None and not self._looking.busy and self._index is None:
            self._grid.show(0)
        self.view.draw(None, error.text(WORDS))
        for label in (self._place, self._how, self._caption, self._count):
            label.set("")
        self._line.set("")

    def _choose(self) -> None:
        self._look()

    def _look(self) -> None:
        index, row, draw = self._index, self.row, self._draw
        if index is None or row >= index.images:
            return
        preset, box = self._context.draft.preset(), self.view.room()
        now = Index(index.table, preset.concepts, index.sources, index.buckets) if preset.concepts else index

        edge = theme.colour("accent")

        def look() -> LoadedPreview:
            shown = row_of_draw(now, int(now.first_rows()[row]), draw)
            preview = preview_of(now, shown, preset, draw)
            picture = fitted(covered(preview.image, preview.mask) if preview.mask else preview.image, box)
            captions = captions_ahead(now, shown, preset, draw, DRAWS)
            return LoadedPreview(
                preview, picture, whole_with_cut(preview.variant.crop, now.file(shown), edge), captions
            )

        self._looking.start(Worker(lambda *_: look()))

    def _seen(self, seen: LoadedPreview) -> None:
        image = seen.preview.image
        self.view.draw(seen.shown)
        self._whole.draw(seen.whole)
        if seen.whole is None:
            self._whole.pack_forget()
        else:
            self._whole.pack(side="bottom", anchor="w")
        self._place.set(tr("{size} bucket", size=f"{image.width} {TIMES} {image.height}"))
        self._how.set(in_words(seen.preview))
        self._caption.set(seen.preview.caption or tr("(no caption)"), "text2" if seen.preview.dropped else "text")
        self._count.set(tr("epoch {epoch:,}", epoch=self._draw + 1))
        self.draws.show(seen.captions, self._draw)

    def _paint_cell(self, cell: Cell, index: int) -> None:
        if self._images is None:
            return
        item = self._images[index]
        cell.words(0, item.file.name)
        caption = item.captions[0]
        cell.words(1, caption or tr("No caption"), "text3" if caption else "changed")

        def arrived(_: object) -> None:
            if self.winfo_exists():
                self._grid.refresh(index)

        pictures, size = self._context.pictures, cell.picture_size
        failed = pictures.failed(item.file, size)
        cell.image(pictures.thumb(item.file, size, arrived), tr("Cannot be read") if failed else "")


def in_words(preview: Preview) -> str:
    """What was done to an image: "Flipped, turned by 3°, cut 12 from the top, 0 from the left"."""
    variant, crop = preview.variant, preview.variant.inner
    done = [*([tr("flipped")] if variant.flip else []), *([tr("upside down")] if variant.upside_down else [])]
    done += [tr("rotated by {angle:.1f}°", angle=variant.angle)] if variant.angle else []
    done += [f"{name} {amount:+.0f}°" if name == "hue" else f"{name} {amount:+.0%}" for name, amount in variant.colours]
    moved = crop.top or crop.left or crop.bucket != crop.resized
    done.append(
        tr("cropped {top} from the top, {left} from the left", top=crop.top, left=crop.left)
        if moved
        else tr("not cropped")
    )
    done += [tr("red counts little")] if preview.mask else []
    return ", ".join(done).capitalize()


def masks_in_words(scan: Scan, used: bool) -> str:
    """How many images have a mask beside them, and whether training looks at it."""
    entries = scan.listing.entries
    count = Entries.of(entries[0].file.source, entries).masked if entries else 0
    unused = "" if used else tr(" (not used)")
    return plural(count, " · 1 with a mask{unused}", " · {count:,} with a mask{unused}", unused=unused) if count else ""


def fitted(image: Image.Image, box: tuple[int, int]) -> Image.Image:
    """As large as fits."""
    share = min(box[0] / image.width, box[1] / image.height)
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image.resize(size, Image.Resampling.LANCZOS)


def whole_with_cut(crop: Crop, file: DataFile, edge: str) -> Image.Image | None:
    """The whole image, small: what is cut off darkened, what is left framed in the colour `edge`."""
    high, wide = crop.resized
    if crop.bucket == crop.resized:
        return None
    share = (px(WHOLE) - px(4)) / max(high, wide)
    size = (max(1, round(wide * share)), max(1, round(high * share)))
    image = open_image(file, size[1] / high).resize(size, Image.Resampling.LANCZOS)
    place = [
        round(edge * share) for edge in (crop.left, crop.top, crop.left + crop.bucket[1], crop.top + crop.bucket[0])
    ]
    box = (place[0], place[1], place[2], place[3])
    dark = ImageEnhance.Brightness(image).enhance(DARK)
    dark.paste(image.crop(box), box[:2])
    ImageDraw.Draw(dark).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), outline=edge, width=px(2))
    return dark
