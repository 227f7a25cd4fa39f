"""What nobody would write, thought of by hypothesis: whatever goes in, only a value or a sentence comes out."""

from __future__ import annotations

import io
import json
import string
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from modules.data.image.pixels import open_image
from modules.data.source.file_info import read_caption, read_image_info
from modules.data.source.folders import on_disk
from modules.data.text.captions import caption_for, caption_texts_of, possible_captions
from modules.errors import UserError
from modules.preset.files import store
from modules.preset.files.jsonfile import parse_object
from modules.preset.files.naming import RESERVED, run_name
from modules.preset.preset import Preset
from modules.preset.sections.concept import Concept
from modules.preset.text.layer_names import LayerPattern, invalid_reason
from modules.preset.validate import all_settings, examine
from modules.sentences.printable import printable
from modules.sentences.render import PLAIN
from modules.system.weights import GgufFile, SafetensorsFile
from modules.trainer.sampling.image_files import file_name
from modules.wire import KINDS, decode, encode
from tests.inputs.test_weights import packed
from tests.inputs.zoo import assert_sentence

pytestmark = [pytest.mark.timeout(120), pytest.mark.filterwarnings("ignore::UserWarning:PIL")]

quick = settings(
    max_examples=100, derandomize=True, deadline=None, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
PATHS = sorted({setting.path for setting in all_settings() if ".0." not in setting.path})


def sentence_or(value: Callable[[], Any]) -> Any:
    """What comes out, if it is no sentence."""
    try:
        return value()
    except UserError as error:
        assert_sentence(f"{error}.")
        return None


# Presets --------------------------------------------------------------------------------------------------------------


@quick
@given(JSON)
def test_any_json_is_a_preset_or_problems(values: Any) -> None:
    text = json.dumps(values)
    loaded = sentence_or(lambda: store.load_text(text, "it", Path("/nowhere")))
    if loaded is not None:
        preset, found = examine(loaded.values)
        assert isinstance(preset, Preset)
        assert all(isinstance(sentence, str) for sentence in found.values())


@quick
@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_any_text_is_settings_or_a_sentence(text: str) -> None:
    sentence_or(lambda: parse_object(text, "it"))


@quick
@given(st.dictionaries(st.sampled_from(PATHS), JSON, min_size=1, max_size=6))
def test_any_value_of_any_setting_is_taken_or_named_by_its_path(laid: dict[str, Any]) -> None:
    values: dict[str, Any] = {"version": 6}
    for path, value in laid.items():
        section, _, name = path.rpartition(".")
        inside = values
        for part in section.split(".") if section else ():
            inside = inside.setdefault(part, {})
        inside[name] = value
    preset, found = examine(values)
    assert isinstance(preset, Preset)
    for path, problem in found.items():
        sentence = PLAIN.line(problem)
        assert sentence.startswith(printable(path)), (path, sentence)
        assert len(sentence) < 1000


@quick
@given(st.data())
def test_a_preset_that_is_written_is_read_as_it_was(data: st.DataObject) -> None:
    texts = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf")), max_size=40)
    preset = Preset.model_validate(
        {
            "title": data.draw(texts), "note": data.draw(texts),
            "training": {"steps": data.draw(st.integers(0, 2**40)), "learning_rate": data.draw(st.floats(1e-12, 10.0)),
                         "batch_size": data.draw(st.integers(1, 4096)), "ema": data.draw(st.booleans())},
            "concepts": [{"path": "starter:robot", "prefix": text, "repeats": 2.5}
                         for text in data.draw(st.lists(texts, max_size=3))],
            "sampling": {"prompts": [{"prompt": text} for text in data.draw(st.lists(texts, max_size=3))]},
        }
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "it.json"
        store.write_project(preset, path)
        assert store.read(path) == preset


@quick
@given(st.text(max_size=150), st.text(max_size=150))
def test_the_name_of_a_run_is_one_folder_on_every_system(name: str, title: str) -> None:
    preset = Preset()
    general = preset.general.model_copy(update={"name": name})
    made = run_name(preset.model_copy(update={"general": general, "title": title}))
    assert_name(made)


@quick
@given(st.integers(0, 10**7), st.integers(0, 2**63 - 1), st.text(max_size=300))
def test_the_name_of_a_sample_is_one_file_on_every_system(number: int, seed: int, prompt: str) -> None:
    assert_name(file_name(number, seed, prompt))


def assert_name(name: str) -> None:
    assert name
    assert Path(name).name == name
    assert name.partition(".")[0].lower() not in RESERVED
    assert not set(name) & set('<>:"/\\|?*\0\n\r\t')
    assert not name.startswith(".")
    assert name == name.rstrip(" .")
    assert len(name.encode("utf-8", "surrogatepass")) <= 255
    assert printable(name) == name


# Captions -------------------------------------------------------------------------------------------------------------


@quick
@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_captions_or_a_problem(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.txt"
        path.write_bytes(data)
        found = read_caption(on_disk(path))
    assert not (found.lines and found.problem)
    assert all(line and line == line.strip() and "\n" not in line for line in found.lines)
    if found.problem:
        assert_sentence(f"Its caption {found.problem}.")


@quick
@given(st.lists(st.text(max_size=40), max_size=3), st.booleans(), st.integers(0, 5), st.sampled_from([0.0, 0.5, 1.0]),
       st.text(st.sampled_from(",;|. \n"), min_size=1, max_size=3), st.integers())  # fmt: skip
def test_a_drawn_caption_is_one_of_those_that_are_possible(
    lines: list[str], shuffle: bool, keep: int, dropout: float, separator: str, seed: int
) -> None:
    concept = Concept(
        shuffle_tags=shuffle, keep_tags=keep, caption_dropout=dropout, tag_separator=separator, prefix="p "
    )
    caption_texts = caption_texts_of(concept, "a.png", [lines])
    drawn = caption_for(caption_texts, concept, seed)
    possible = possible_captions(caption_texts, concept, 500)
    assert possible is None or drawn in possible


# Images ---------------------------------------------------------------------------------------------------------------


def encoded(kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.arange(24 * 24 * 3, dtype=np.uint32).astype(np.uint8).reshape(24, 24, 3)).save(out, kind)
    return out.getvalue()


WHOLE = {kind: encoded(kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")}


def mutated(data: bytes) -> st.SearchStrategy[bytes]:
    """The same with some bytes changed, and perhaps cut short."""

    def change(edits: list[tuple[int, int]], length: int) -> bytes:
        changed = bytearray(data)
        for place, value in edits:
            changed[place] = value
        return bytes(changed[:length])

    early = st.integers(0, min(120, len(data) - 1)) | st.integers(0, len(data) - 1)
    return st.builds(
        change,
        st.lists(st.tuples(early, st.integers(0, 255)), max_size=4),
        st.just(len(data)) | st.integers(0, len(data)),
    )  # fmt: skip


@quick
@given(st.sampled_from(sorted(WHOLE)).flatmap(lambda kind: mutated(WHOLE[kind])) | st.binary(max_size=200))
def test_any_bytes_are_an_image_or_a_reason(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        path.write_bytes(data)
        facts = read_image_info(on_disk(path))
        assert bool(facts.reason) != bool(facts.width and facts.height)
        if facts.reason or facts.width * facts.height > 10**6:
            return
        image = sentence_or(lambda: open_image(on_disk(path)))
        assert image is None or image.mode == "RGB"


# Weights --------------------------------------------------------------------------------------------------------------

SOUND = packed({"__metadata__": {"a": "b"}, "x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
                "y": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [8, 16]}}, bytes(16))  # fmt: skip
ENTRY = st.fixed_dictionaries(
    {"dtype": st.sampled_from(["F32", "BF16", "U8", "F4", ""]) | SCALARS,
     "shape": st.lists(st.integers(-2, 5), max_size=3) | JSON,
     "data_offsets": st.lists(st.integers(-9, 60), min_size=2, max_size=2) | JSON}
)  # fmt: skip
HEADERS = st.dictionaries(st.text(max_size=5) | st.just("__metadata__"), ENTRY | JSON, max_size=4)


@quick
@given(mutated(SOUND) | st.binary(max_size=100) | HEADERS.map(lambda h: packed(h, bytes(64)))
       | st.integers(0, 2**64 - 1).map(lambda n: struct.pack("<Q", n) + SOUND[8:]))  # fmt: skip
def test_any_bytes_are_weights_or_a_sentence(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.safetensors"
        path.write_bytes(data)
        weights = sentence_or(lambda: SafetensorsFile(path))
        for name, shape in weights.shapes.items() if weights else ():
            assert tuple(weights.read(name).shape) == shape


HEADER = b"GGUF" + struct.pack("<IQQ", 3, 2, 2) + b"".join((
    struct.pack("<Q", 17), b"general.alignment", struct.pack("<II", 4, 32),
    struct.pack("<Q", 1), b"l", struct.pack("<IIQ3i", 9, 5, 3, 1, 2, 3),
    struct.pack("<Q", 1), b"a", struct.pack("<IQIQ", 1, 4, 0, 0),
    struct.pack("<Q", 1), b"b", struct.pack("<I2QIQ", 2, 32, 2, 8, 32),
))  # fmt: skip
GGUF = HEADER + bytes(-len(HEADER) % 32) + bytes(32 + 68)


@quick
@given(mutated(GGUF) | st.binary(max_size=100).map(lambda data: b"GGUF" + data))
def test_any_bytes_are_a_gguf_file_or_a_sentence(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.gguf"
        path.write_bytes(data)
        weights = sentence_or(lambda: GgufFile(path))
        for name, shape in weights.shapes.items() if weights else ():
            assert tuple(weights.read(name).shape) == shape


def test_the_gguf_file_that_is_mutated_is_sound(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(GGUF)
    assert GgufFile(tmp_path / "a.gguf").shapes == {"a": (4,), "b": (2, 32)}


# Messages, names and patterns -----------------------------------------------------------------------------------------


@quick
@given(JSON | st.sampled_from(sorted(KINDS)).flatmap(
    lambda kind: st.dictionaries(st.sampled_from(sorted(KINDS[kind].__dataclass_fields__) or ["x"]), JSON, max_size=5)
    .map(lambda values: {"kind": kind, **values})))  # fmt: skip
def test_any_line_is_a_message_or_a_value_error(values: Any) -> None:
    try:
        message = decode(json.dumps(values))
    except ValueError:
        return
    again = decode(encode(message))
    assert encode(again) == encode(message)


@quick
@given(st.text(max_size=100))
def test_what_is_shown_holds_nothing_that_forges(text: str) -> None:
    shown = printable(text, line=True)
    shown.encode("utf-8")
    assert printable(shown, line=True) == shown
    assert len(shown.splitlines()) <= 1


@quick
@given(st.text(st.sampled_from(string.ascii_lowercase[:3] + "().*+?|[]\\d{1,}"), max_size=24))
def test_a_pattern_is_judged_quickly_whatever_it_is(text: str) -> None:
    if not invalid_reason(text):
        assert LayerPattern(text).matches("a" * 2000 + "!") in (True, False)
