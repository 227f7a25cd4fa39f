"""What is read of headers by hand is what Pillow reads, of whole files and of damaged ones."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from modules.data.image_size import plain_size
from modules.data.source.file_info import HEAD_BYTES, ImageInfo, read_image_info
from modules.data.source.source import DataFile
from tests.data.source.memory_source import MemorySource

EVERY = 1 << 20


def kept(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def pictures() -> Iterator[tuple[str, bytes]]:
    """Each kind in several modes, upright and turned, with what programs put beside the pixels."""
    told = PngInfo()
    told.add_text("parameters", "a robot")
    for number, (kind, mode) in enumerate(
        [("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "1"),
         ("PNG", "I;16"), ("WEBP", "RGB"), ("WEBP", "RGBA")]
    ):  # fmt: skip
        for orientation in (0, 1, 3, 6, 8):
            image, exif = Image.new(mode, (31 + number, 40 + orientation)), Image.Exif()
            exif[0x010F], exif[0x0112] = "maker", orientation
            options = {"exif": exif} if orientation else {}
            yield f"{kind} {mode} {orientation}", kept(image, kind, **options)
            yield f"{kind} {mode} {orientation}, profile", kept(image, kind, icc_profile=b"x" * 99, **options)
        yield f"{kind} {mode}, lossless or with text", kept(image, kind, lossless=True, pnginfo=told, progressive=True)


PICTURES = dict(pictures())


def by_pillow(data: bytes, monkeypatch: pytest.MonkeyPatch) -> ImageInfo:
    with monkeypatch.context() as patch:
        patch.setattr("modules.data.source.file_info.plain_size", lambda *_: None)
        return read_image_info(DataFile(MemorySource({"a.png": data}), "a.png"))


def by_hand(data: bytes) -> tuple[int, int] | None:
    return plain_size(data, EVERY, lambda: len(data))


def test_a_size_is_pillows_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, data in PICTURES.items():
        assert by_hand(data) in (None, by_pillow(data, monkeypatch)[:2]), name
    plain = [name for name, data in PICTURES.items() if by_hand(data)]
    for usual in ("JPEG RGB 0", "JPEG RGB 6", "JPEG L 8", "PNG RGB 0", "PNG P 0", "WEBP RGB 0"):
        assert usual in plain


def test_damage_never_gives_another_size_than_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    draw, found = random.Random(1), 0
    for _ in range(2_000):
        data = bytearray(draw.choice(list(PICTURES.values())))
        place = draw.randrange(min(len(data), draw.choice([30, 60, 200, EVERY])))
        match draw.randrange(4):
            case 0:
                del data[place:]
            case 1:
                data[place:place] = draw.randbytes(3)
            case _:
                data[place] = draw.choice([0, 255, data[place] ^ 1 << draw.randrange(8)])
        if (size := by_hand(bytes(data))) is not None:
            found += 1
            assert by_pillow(bytes(data), monkeypatch) == ImageInfo(*size), bytes(data)
    assert found > 50


@pytest.mark.parametrize("late", [False, True])
def test_exif_behind_the_pixels_of_a_long_png_is_seen(late: bool) -> None:
    data = kept(Image.effect_noise((200, 120), 90), "PNG")
    assert len(data) > HEAD_BYTES
    if late:
        exif = Image.Exif()
        exif[0x0112] = 6
        turned = kept(Image.new("L", (1, 1)), "PNG", exif=exif)
        start = turned.index(b"eXIf") - 4
        length = int.from_bytes(turned[start : start + 4], "big") + 12
        data = data[:-12] + turned[start : start + length] + data[-12:]
    info = read_image_info(DataFile(MemorySource({"a.png": data}), "a.png"))
    assert info == (ImageInfo(120, 200) if late else ImageInfo(200, 120))


def test_a_long_webp_is_read_by_its_head() -> None:
    data = kept(Image.effect_noise((300, 200), 90).convert("RGB"), "WEBP", quality=95)
    assert len(data) > HEAD_BYTES
    assert plain_size(data[:HEAD_BYTES], HEAD_BYTES, lambda: len(data)) == (300, 200)
    assert plain_size(data[:HEAD_BYTES], HEAD_BYTES, lambda: len(data) - 2) is None
