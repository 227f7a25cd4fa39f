"""The kit: everything the window is made of, and the one place that imports tkinter and customtkinter.

Sizes are pixels at 100 %; `px(n)` gives pixels of this screen. Colours and fonts are roles (see theme.py): window
panel card raised input hairline border selection text text2 text3 accent button changed error danger good; small
small_bold body bold section title mono. Widgets are laid out with pack and grid as in tkinter and re-colour themselves.
`set` on a control tells nobody; `on_change` is called for what a person does. Every control knows get, set,
disable(reason) (empty: enabled again), invalid(yes), focus_set. A disabled control says why in its tip.

    theme.set("dark" | "light")  theme.mode  theme.zoom(percent)  theme.percent  theme.listen(heard) -> end
    theme.colour(role)  theme.font(role)  px(n)  liked_mode()                  icon(name, role, size)  mark(pixels)

    App(title, mode, percent)      .show(geometry) .geometry_now() .every(ms, act) -> end .copy(text) .pasted()
                                   .ask_open_file(title, kinds, folder) .ask_folder .ask_save_file -> Path | None
                                   .on_error = f(kind, error, trace)        raises NoDisplay
    events.on_click(heard)         keyboard(widget, act): Tab, space, Return
    tip(widget, words)             words: text or a function

    Frame(master, role)            .clear()            Divider(master)
    Label(master, text, font, role, wrap, image)       .set(text, role)
    Card(master, title, action, on_action)             .body .action(words)    RoundFrame(master, role, edge)
    Badge(master, text, tone)      .set                tones: plain good changed error accent
    Button(master, text, on_press, kind, image, hint)  kinds: primary danger plain quiet icon chosen alarm notice
                                   .set(text, kind, image, hint) .disable(reason) .enable() .press()
    LinkButton(master, text, on_press)

    Entry(master, text, placeholder, on_change, on_done, width, mono, rest_ms)       .flush() .clear() .inner
    TextArea(master, text, lines, on_change)           .flush() .inner
    PathEntry(master, text, what="file" | "folder" | "save" | "model" | "images", kinds, on_change, placeholder)
    Choice(master, options, value, on_change)          .offer(options) .open()
                                   options: words, or Option(value, label, note, reason, group, words)
                                   labelled({value: label}): options with translated labels
    ChoiceCards(master, on_change) .add(value, title, text) -> frame .pick(value)
    Chips(master, on_change, on_add)                   .show([Chip(value, label, star)]) .values
    Segmented(master, options, value, on_change)       Switch(master, on, on_change) .turn()
    Slider(master, low, high, value, on_change, step)  .limits(low, high)

    FormRow(master, label, words, unit, on_reset)      .put(control, stretch) .changed(yes) .error(text)
    NavList(master, [NavEntry(key, label, image, line)], on_choose)      .choose(key) .disable(key, reason)
                                   .badge(key, changed, wrong)
    ScrollArea(master)             .body .keep_visible(widget) .to_top()
    Masonry(master)                .add(card) .hide(card) .show(card)
    EmptyState(master, image, sentence, button, on_press)

    popup(under, options, on_pick, current, search, width, footer, on_close) -> Popup | None
    Dialog(master, title, message, [Answer(label, value, kind)], on_close, check, width, height)  .body .close(answer)
                                   .wait()             ask(master, title, message, answers) -> value | None
    toast(master, text, action, on_action, role)

    Progress(master, share)        .set(share | None)  Meter(master, label).set(share, words)
    LogView(master, lines)         .append([(level, text)]) .only(level) .content() .clear()
    BarList(master)                .show([Bar(label, value, note)])
    Histogram(master, ends)        .show(values)
    HeatMap(master, on_look)       .show(rows, [Column], {(row, key): (share, role)}, ends)   on_look((row, key) | None)
    SliderBank(master, on_change)  .show([Column(key, label, group)], {key: value}, usual)   on_change({key: value})
    StackedBar(master)             .show([Part(label, value, inside, note)], Limit(whole, usable, words))
    PathChart(master, titles, bands, diagonal, least, on_pick)         .show([DotPath([Dot(x, y, label, ...)], name)])
    MeterRows(master, on_pick, dots, pitch)            .show([MeterRow(value, label, share, role, amount, ...)], chosen)
    LinePlot(master, ends, on_change, follow, told)    .show(line, points) .ends(left, right)
    Chart(master, empty, on_mark)  .series(name, second, dots) -> Curve  curve.add(xs, ys)  .redraw() .clear()
                                   .marks [ChartMark(x, kind, words, label, value)] .kinds .log(on) .view()
    Compare(master, pictures)      .show(before, after, words)  paths or None   .move(share)
    ImageView(master, pictures, empty, on_open)        .show(path) .draw(image, empty) .room()
    Pictures(root, folder)         .thumb(path, size, done) .cover(path, box, done) .picture(path, box, done)
    opened(file, box) -> image     upright, on white, decoded now: for threads
    VirtualGrid(master, paint, cell, on_select, on_open, on_menu, on_switch)
                                   .show(count) .refresh(index) .selection .current .see(index) .resize(cell)
    PictureSheet(master, paint, size, heads, on_select, on_open, on_size, follow)     heads stay: rows and columns
                                   .show([Head(text, note, role, star)], rows, corner) .resize(size) .select .refresh
    ZoomView(master, empty, on_click)                  .show(path) .pixels()   the wheel zooms, dragging moves
                                   .look(look, strength) .outline(points) .tool .brush
    RowList(master, ListActions(move, menu, link, open, switch, remove))      .show([ListHead | ListRow]) .mark(key)
    KeyHints(master, [(keys, words)], line)            .show(hints)
    Notice(master)                 .show(words, [(link, act)])
    TagChips(master, on_press, on_menu, hint)          .show([(tag, count)], lit)
    Tree(master, on_tick, on_fold, on_mark, boxes)     .show([TreeLine(key, title, depth, ticked, opened, words, note)])
                                   .key .go(key)       ticked: True, False, None (some)
    accept_files(widget, on_drop) -> bool
"""

from app.gui.kit.base.card import Card, RoundFrame
from app.gui.kit.base.events import events, keyboard
from app.gui.kit.base.frame import Divider, Frame
from app.gui.kit.base.icons import icon, mark, mark_file
from app.gui.kit.base.label import Label
from app.gui.kit.base.link import LinkButton
from app.gui.kit.base.root import App, NoDisplay
from app.gui.kit.base.screen import liked_mode
from app.gui.kit.base.scroll_bar import SlimBar
from app.gui.kit.base.theme import Mode, Painted, mixed, px, theme
from app.gui.kit.base.tip import the_tip, tip
from app.gui.kit.charts.bar_list import Bar, BarList
from app.gui.kit.charts.chart import Chart
from app.gui.kit.charts.columns import Column
from app.gui.kit.charts.curve import Curve
from app.gui.kit.charts.heat_map import HeatMap
from app.gui.kit.charts.histogram import Histogram
from app.gui.kit.charts.line_plot import LinePlot
from app.gui.kit.charts.marks import ChartMark
from app.gui.kit.charts.meter_rows import MeterRow, MeterRows
from app.gui.kit.charts.meters import Meter, Progress
from app.gui.kit.charts.path_chart import Band, Dot, DotPath, PathChart
from app.gui.kit.charts.slider_bank import SliderBank
from app.gui.kit.charts.stacked_bar import Limit, Part, StackedBar
from app.gui.kit.controls.button import Button
from app.gui.kit.controls.chips import Chip, Chips
from app.gui.kit.controls.choice import Choice
from app.gui.kit.controls.choice_cards import ChoiceCards
from app.gui.kit.controls.dropping import accept_files, can_drop
from app.gui.kit.controls.entry import Entry
from app.gui.kit.controls.form_row import FormRow
from app.gui.kit.controls.nav_list import Entry as NavEntry
from app.gui.kit.controls.nav_list import NavList
from app.gui.kit.controls.option_list import Option, fitting, labelled
from app.gui.kit.controls.path_entry import PathEntry
from app.gui.kit.controls.popup import Popup, popup
from app.gui.kit.controls.segmented import Segmented
from app.gui.kit.controls.slider import Slider
from app.gui.kit.controls.switch import Switch
from app.gui.kit.controls.text_area import TextArea
from app.gui.kit.images.compare import Compare
from app.gui.kit.images.image_view import ImageView
from app.gui.kit.images.loader import Pictures, opened
from app.gui.kit.images.picture_sheet import LARGEST, SMALLEST, PictureSheet
from app.gui.kit.images.sheet_cell import SheetCell
from app.gui.kit.images.sheet_heads import Head
from app.gui.kit.images.virtual_grid import Cell, VirtualGrid
from app.gui.kit.images.zoom_view import ZoomView
from app.gui.kit.layout.badge import Badge
from app.gui.kit.layout.dialog import Answer, Dialog, ask
from app.gui.kit.layout.empty_state import EmptyState
from app.gui.kit.layout.flow import Flow
from app.gui.kit.layout.key_hints import KeyHints
from app.gui.kit.layout.log_view import Level, LogView
from app.gui.kit.layout.masonry import Masonry
from app.gui.kit.layout.notice import Notice
from app.gui.kit.layout.row_list import ListActions, ListHead, ListRow, RowList
from app.gui.kit.layout.scroll_area import ScrollArea
from app.gui.kit.layout.tag_chips import TagChips
from app.gui.kit.layout.toast import Toast, toast
from app.gui.kit.layout.tree import Tree, TreeLine

__all__ = [
    "LARGEST", "SMALLEST", "Answer", "App", "Badge", "Band", "Bar", "BarList", "Button", "Card", "Cell", "Chart",
    "ChartMark", "Chip", "Chips", "Choice", "ChoiceCards", "Column", "Compare", "Curve", "Dialog", "Divider", "Dot",
    "DotPath", "EmptyState", "Entry", "Flow", "FormRow", "Frame", "Head", "HeatMap", "Histogram", "ImageView",
    "KeyHints", "Label", "Level", "Limit", "LinePlot", "LinkButton", "ListActions", "ListHead", "ListRow",
    "LogView", "Masonry", "Meter", "MeterRow",
    "MeterRows",
    "Mode", "NavEntry", "NavList", "NoDisplay", "Notice", "Option", "Painted", "Part", "PathChart",
    "PathEntry",
    "PictureSheet", "Pictures", "Popup", "Progress", "RoundFrame", "RowList", "ScrollArea", "Segmented", "SheetCell",
    "Slider", "SliderBank",
    "SlimBar", "StackedBar", "Switch", "TagChips", "TextArea", "Toast", "Tree", "TreeLine", "VirtualGrid", "ZoomView",
    "accept_files", "ask", "can_drop", "events", "fitting", "icon", "keyboard", "labelled", "liked_mode", "mark",
    "mark_file", "mixed", "opened", "popup", "px", "the_tip", "theme", "tip", "toast",
]  # fmt: skip
