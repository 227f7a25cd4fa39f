"""Images that are broken, hostile, or none at all: one folder of them all, through one real preparation of a run."""

from __future__ import annotations

import io
import os
import resource
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from modules.errors import UserError
from modules.messages import Channel, Event, Finished, Note, RunTool
from modules.run import run_job
from tests.data.pictures import picture, preset_of, scanned
from tests.inputs.zoo import Row, assert_sentence, file, rows, sparse
from tests.trainer.runs import values

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore::UserWarning:PIL"),  # as modules/data/image_errors.py does outside of tests
    pytest.mark.skipif(os.name == "nt", reason="links and pipes of POSIX"),
]

Make = Callable[[Path], object]
BOMB = 50_000  # pixels on a side: 7.5 GB as RGB


def png(
    width: int, height: int, *chunks: tuple[bytes, bytes], kind: int = 2, bits: int = 8, rest: bytes = b""
) -> bytes:
    """A PNG with a sound header, whatever it claims."""
    head = (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))
    end = (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in (head, *chunks, end)) + rest


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def squeezed(size: int) -> bytes:
    """So many zeros, deflated: a thousandth of it."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(size // 2**20)) + packer.flush()


def saved(kind: str, mode: str = "RGB", size: tuple[int, int] = (64, 64), **options: Any) -> bytes:
    ramp = Image.fromarray(np.arange(size[0] * size[1] * 3, dtype=np.uint32).astype(np.uint8).reshape(*size[::-1], 3))
    out = io.BytesIO()
    ramp.convert(mode).save(out, kind, **options)
    return out.getvalue()


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[0x0112] = orientation
    return found


def frames() -> bytes:
    out = io.BytesIO()
    pictures = [Image.new("RGB", (64, 64), (shade, 0, 0)) for shade in (10, 120, 240)]
    pictures[0].save(out, "GIF", save_all=True, append_images=pictures[1:])
    return out.getvalue()


def text_bomb() -> bytes:
    info = PngImagePlugin.PngInfo()
    body = saved("PNG")
    del info
    bomb = b"note\0\1\0\0\0" + squeezed(64 * 2**20)
    return body[:33] + _chunk(b"iTXt", bomb) + body[33:]


def link(name: str, target: str) -> Make:
    return lambda folder: (folder / name).symlink_to(target)


def fifo(name: str) -> Make:
    return lambda folder: os.mkfifo(folder / name)


def cut(kind: str, share: float) -> Make:
    data = saved(kind, size=(128, 128))
    return file(f"cut {share} {kind}.{kind.lower()}", data[: int(len(data) * share)])


JPEG = saved("JPEG")
NO_COLOURS = png(64, 64, (b"IDAT", zlib.compress(bytes(65 * 64))), kind=3)
# name of the file, how it is made, and why it is left out
BAD = [
    ("empty.png", file("empty.png", b""), "it is empty"),
    ("one byte.jpg", file("one byte.jpg", b"\xff"), "it is not an image"),
    ("zeros.png", file("zeros.png", bytes(1000)), "it is not an image"),
    ("html.jpg", file("html.jpg", "<!DOCTYPE html><title>404</title>"), "it is not an image"),
    ("vector.png", file("vector.png", '<svg xmlns="http://www.w3.org/2000/svg"></svg>'), "it is not an image"),
    ("text.webp", file("text.webp", "a robot"), "it is not an image"),
    ("riff.webp", file("riff.webp", b"RIFF\xff\xff\xff\xffWEBPVP8 "), ""),
    ("pickle.png", file("pickle.png", b"\x80\x04cos\nsystem\n(S'touch canary'\ntR."), "it is not an image"),
    ("script.gif", file("script.gif", b"GIF89a=0;system('touch canary')"), ""),
    ("eps.png", file("eps.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(canary) (w) file\n"), ""),
    ("cut 0.01 PNG.png", cut("PNG", 0.01), "it is not an image"),
    ("cut 0.5 PNG.png", cut("PNG", 0.5), "torn"),
    ("cut 0.1 JPEG.jpeg", cut("JPEG", 0.1), ""),
    ("cut 0.6 JPEG.jpeg", cut("JPEG", 0.6), "torn"),
    ("cut 0.5 WEBP.webp", cut("WEBP", 0.5), ""),
    ("cut 0.5 TIFF.tiff", cut("TIFF", 0.5), ""),
    ("cut 0.5 AVIF.avif", cut("AVIF", 0.5), ""),
    ("cut 0.5 GIF.gif", cut("GIF", 0.5), ""),
    ("cut 0.5 BMP.bmp", cut("BMP", 0.5), ""),
    ("bomb.png", file("bomb.png", png(BOMB, BOMB, (b"IDAT", squeezed(4 * 2**20)))), "50000 x 50000 pixels"),
    ("bomb.gif", file("bomb.gif", b"GIF89a" + struct.pack("<HH", BOMB, BOMB) + b"\x80\0\0\0\0\0\xff\xff\xff,"
                      + struct.pack("<HHHH", 0, 0, BOMB, BOMB) + b"\0\x02\x02D\x01\0;"), "50000 x 50000 pixels"),
    ("bomb.bmp", file("bomb.bmp", b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, BOMB, BOMB, 1, 24, 0, 0, 0,
                                                      0, 0, 0)), "50000 x 50000 pixels"),
    ("line.png", file("line.png", png(2**31 - 1, 1, (b"IDAT", b""))), ""),
    ("long.png", file("long.png", png(1, 90_000_000, (b"IDAT", squeezed(2**20)))), "no side may be longer than 65,535"),
    ("nought.png", file("nought.png", png(0, 0, (b"IDAT", zlib.compress(b"")))), ""),
    ("no height.png", file("no height.png", png(64, 0, (b"IDAT", zlib.compress(b"")))), ""),
    ("no height.bmp", file("no height.bmp", b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 64, 0, 1, 24, 0,
                                                                0, 0, 0, 0, 0)), ""),
    ("no pixels.png", file("no pixels.png", png(64, 64)), ""),
    ("false pixels.png", file("false pixels.png", png(64, 64, (b"IDAT", b"nonsense"))), ""),
    ("few pixels.png", file("few pixels.png", png(64, 64, (b"IDAT", zlib.compress(bytes(100))))), ""),
    ("long chunk.png", file("long chunk.png", png(64, 64)[:33] + b"\xff\xff\xff\xffIDATxx"), ""),
    ("text bomb.png", lambda folder: (folder / "text bomb.png").write_bytes(text_bomb()), "damaged"),
    ("sparse.jpg", lambda folder: sparse(folder / "sparse.jpg", 3 * 10**9), "it is not an image"),
    ("float.tif", file("float.tif", saved("TIFF", "F")), "floating-point numbers"),
    ("pipe.png", fifo("pipe.png"), "a pipe or a device"),
    ("device.png", link("device.png", "/dev/zero"), "a pipe or a device"),
    ("circle.png", link("circle.png", "circle.png"), "leads back to itself"),
    ("nowhere.png", link("nowhere.png", "gone.png"), "not there"),
    ("line\nbreak\x1b[2J.png", file("line\nbreak\x1b[2J.png", b""), "it is empty"),
    ("turned\u202egnp.png", file("turned\u202egnp.png", b""), "it is empty"),
    (f"{'long' * 62}xx.png", file(f"{'long' * 62}xx.png", b""), "it is empty"),
]  # fmt: skip
GOOD = [
    ("good.png", file("good.png", saved("PNG")), ""),
    ("png named jpg.jpg", file("png named jpg.jpg", saved("PNG")), ""),
    ("cmyk.jpg", file("cmyk.jpg", saved("JPEG", "CMYK")), ""),
    ("grey.png", file("grey.png", saved("PNG", "L")), ""),
    ("one bit.png", file("one bit.png", saved("PNG", "1")), ""),
    ("sixteen bits.png", file("sixteen bits.png", saved("PNG", "I;16")), ""),
    ("palette with alpha.png", file("palette with alpha.png", saved("PNG", "P", transparency=3)), ""),
    ("alpha.webp", file("alpha.webp", saved("WEBP", "RGBA")), ""),
    ("animated.gif", file("animated.gif", frames()), ""),
    ("exif 9.jpg", file("exif 9.jpg", saved("JPEG", exif=exif(9))), ""),
    ("exif 0.png", file("exif 0.png", saved("PNG", exif=exif(0))), ""),
    ("exif nonsense.jpg", file("exif nonsense.jpg", saved("JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")), ""),
    ("exif circle.jpg", file("exif circle.jpg", saved("JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\x08\0\0\0")), ""),
    ("profile nonsense.png", file("profile nonsense.png", saved("PNG", icc_profile=b"nonsense" * 1000)), ""),
    ("profile.jpg", file("profile.jpg", saved("JPEG", icc_profile=bytes(60_000))), ""),
    ("narrow.png", file("narrow.png", saved("PNG", size=(1, 3000))), ""),
    ("wide.png", file("wide.png", saved("PNG", size=(3000, 1))), ""),
    ("one pixel.png", file("one pixel.png", saved("PNG", size=(1, 1))), ""),
    ("more behind.png", file("more behind.png", saved("PNG") + b"PK\3\4" * 1000), ""),
    ("palette without colours.png", file("palette without colours.png", NO_COLOURS), ""),
    ("case.PNG", file("case.PNG", saved("PNG")), ""),
    ("Case.png", file("Case.png", saved("PNG")), ""),
    ("$(touch canary).png", file("$(touch canary).png", saved("PNG")), ""),
    ("{0.__class__} %s.png", file("{0.__class__} %s.png", saved("PNG")), ""),
    ("-rf.png", file("-rf.png", saved("PNG")), ""),
    ("CON.png", file("CON.png", saved("PNG")), ""),
    ("new\nline.png", file("new\nline.png", saved("PNG")), ""),
]  # fmt: skip
IGNORED = (".hidden.png", ".DS_Store", "Thumbs.db", "a-masklabel.png", "notes.md")


@dataclass
class Prepared:
    """What a preparation told, and what it grew by."""

    left_out: dict[str, str]  # by file name as it is shown: the whole sentence
    finished: bool
    grown: int  # kB
    folder: Path
    cached: int


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """One real preparation of all of them together."""
    folder = tmp_path_factory.mktemp("zoo")
    for _, make, _ in (*BAD, *GOOD):
        make(folder)
    for name in IGNORED:
        (folder / name).write_bytes(b"nothing")
    Path(os.fsdecode(os.fsencode(folder) + b"/bytes \xff.png")).write_bytes(saved("PNG"))
    work = tmp_path_factory.mktemp("work")
    told: list[Event] = []
    channel = Channel.open()
    channel.events.put = told.append  # type: ignore[method-assign]
    preset = values(work, f"concepts.0.path={folder}", "concepts.0.captions=none", "general.workers=1")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run_job(RunTool("cache", {"preset": preset}), channel)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    out = [e.text for e in told if isinstance(e, Note) and " is left out: " in e.text]
    named = {text.partition(" is left out: ")[0].removeprefix(f"{folder}/"): text for text in out}
    assert len(named) == len(out), "an image was named twice"
    shards = sum(shard.stat().st_size for shard in (work / "cache").glob("*.shard"))
    return Prepared(named, isinstance(told[-1], Finished), grown, folder, shards)


def shown(name: str) -> str:
    return name.replace("\n", r"\n").replace("\x1b", r"\x1b").replace("\u202e", r"\u202e")


@pytest.mark.parametrize("row", rows(BAD))
def test_a_bad_image_is_left_out_and_named_with_its_reason(row: Row, prepared: Prepared) -> None:
    sentence = prepared.left_out[shown(row.name)]
    assert row.says[0] in sentence
    assert_sentence(sentence)
    assert "\n" not in sentence


@pytest.mark.parametrize("row", rows(GOOD))
def test_a_strange_image_is_taken(row: Row, prepared: Prepared) -> None:
    assert shown(row.name) not in prepared.left_out


def test_the_others_are_encoded_all_the_same_and_memory_stays_small(prepared: Prepared) -> None:
    assert prepared.finished
    assert prepared.cached > 1000 * len(GOOD)
    names = {shown(name) for name, _, _ in BAD}
    assert set(prepared.left_out) == names | {"bytes ?.png"}
    assert prepared.grown < 1_000_000, "a bomb went off"
    assert not list(Path.cwd().glob("canary"))
    assert not list(prepared.folder.glob("canary"))


# Folders --------------------------------------------------------------------------------------------------------------


def loop(folder: Path) -> Path:
    picture(folder / "deep" / "a.png")
    (folder / "deep" / "back").symlink_to(folder)
    (folder / "deep" / "again").symlink_to(folder / "deep")
    return folder


def test_links_that_lead_in_circles_are_followed_once(tmp_path: Path) -> None:
    index = scanned(preset_of({"path": str(loop(tmp_path)), "subfolders": True}))
    assert [item.file.name for item in index] == ["a.png"]


def test_a_thousand_folders_in_one_another_are_walked(tmp_path: Path) -> None:
    deep = tmp_path
    picture(tmp_path / "a.png")
    for _ in range(200):
        deep = deep / "d"
    deep.mkdir(parents=True)
    picture(deep / "b.png")
    assert len(scanned(preset_of({"path": str(tmp_path), "subfolders": True}))) == 2


FOLDERS = [
    ("nothing in it", lambda folder: folder, "there are no images"),
    ("a folder named as an image", lambda folder: (folder / "a.png").mkdir() or folder, "there are no images"),
    ("only a pipe", lambda folder: os.mkfifo(folder / "a.png") or folder, ("there are no images", "a pipe")),
    ("only bad images", lambda folder: file("a.png", b"x")(folder).parent, ("No image in", "not an image")),
    ("a file", file("a", b"x"), "is a file, not a folder"),
    ("a device", lambda folder: Path("/dev/null"), "is a file, not a folder"),
    ("nowhere", lambda folder: folder / "x", "there is no folder"),
    ("a link to itself", lambda folder: (folder / "x").symlink_to("x") or folder / "x", "x"),
    ("a link into nothing", lambda folder: (folder / "x").symlink_to("y") or folder / "x", "there is no folder"),
    ("a name that is too long", lambda folder: folder / ("x" * 300), "x"),
]  # fmt: skip


@pytest.mark.parametrize("row", rows(FOLDERS))
def test_a_folder_without_usable_images_is_refused(row: Row, tmp_path: Path) -> None:
    place = row.make(tmp_path)
    with pytest.raises(UserError) as refusal:
        scanned(preset_of({"path": str(place)}).model_copy())
    assert all(words in str(refusal.value) for words in row.says), str(refusal.value)
    assert_sentence(str(refusal.value))
