"""The reference of all settings as text, Markdown and JSON schema: written by the schema, so it cannot go stale."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from app.search.search import find
from app.tool_commands import flag_of, usage
from modules.preset.preset import Preset
from modules.preset.setting import Section, When
from modules.preset.setting_info import SettingInfo, settings_of
from modules.preset.validate import UNIONS, all_settings
from modules.sentences.render import PLAIN
from modules.tools import TOOLS

HEAD = """# Every setting

Written by `./start-ui.sh settings --markdown > resources/manual/settings.md`; a test says when that is due.

A setting is changed in the window, in a preset file, or for one run with `--set path=value`. In `concepts.0.path` the 0
is the first concept, 1 the second. **expert**: rarely needed. **machine**: belongs to your computer and stays out of
presets you share. **live**: may be changed while a run is under way. *Found as*: what other programs call it, by which
the search of the window and `./start-ui.sh settings --find "max_grad_norm"` find it. What the words mean:
[glossary](glossary.md)."""

# What people want: the settings that do it, the most effective first.
TASKS: dict[str, tuple[str, ...]] = {
    "Make it fit my card": (
        "training.batch_size", "training.accumulation", "training.gradient_checkpointing", "model.dtype",
        "training.weights", "optimizer.kind", "training.resolution", "method.kind", "method.layers",
        "training.text_encoder_1.train", "training.gradients", "training.ema_device",
    ),
    "Make it faster": (
        "training.batch_size", "training.gradient_checkpointing", "model.dtype", "training.resolution",
        "concepts.0.variants", "training.text_encoder_1.train", "method.layers", "sampling.every", "validation.every",
    ),
    "It does not learn enough": (
        "training.steps", "training.learning_rate", "method.rank", "method.layers", "method.conv",
        "training.text_encoder_1.train", "optimizer.kind", "schedule.kind", "objective.weighting",
    ),
    "It forgets too much, or the style leaks into everything": (
        "prior.weight", "prior.made.count", "concepts.0.kind", "training.learning_rate", "method.layers",
        "training.text_encoder_1.train", "training.text_encoder_1.stop_after", "concepts.0.caption_dropout",
    ),
    "It learns my images by heart (overfitting)": (
        "validation.enabled", "validation.keep_best", "training.steps", "method.dropout", "method.rank_dropout",
        "concepts.0.flip", "concepts.0.random_crop", "concepts.0.shuffle_tags", "training.ema",
    ),
    "The loss is NaN, or jumps": (
        "training.guards.enabled", "training.guards.spikes", "training.clip_gradients", "training.learning_rate",
        "schedule.warmup", "model.dtype", "model.vae_dtype",
    ),
    "Teach a person, a thing, a word": (
        "concepts.0.path", "concepts.0.trigger", "concepts.0.captions", "concepts.0.repeats", "prior.made.count",
        "words", "method.kind",
    ),
    "Captions and tags": (
        "concepts.0.captions", "concepts.0.prefix", "concepts.0.shuffle_tags", "concepts.0.keep_tags",
        "concepts.0.tag_dropout", "concepts.0.caption_dropout", "concepts.0.wildcards", "model.max_chunks",
    ),
    "Sizes and crops of images": (
        "training.resolution", "training.resolutions", "training.buckets", "training.bucket_step", "training.enlarge",
        "concepts.0.resolutions", "concepts.0.random_crop", "concepts.0.masks",
    ),
    "Very dark and very bright images": (
        "objective.noise.offset", "objective.noise.pyramid_levels", "objective.zero_terminal_snr",
        "objective.prediction",
    ),
    "See how it goes": (
        "sampling.every", "sampling.prompts", "sampling.grid", "validation.enabled", "general.tensorboard",
    ),
    "Save disk space": (
        "backup.keep", "backup.every", "backup.save_every", "output.dtype", "output.parts", "concepts.0.variants",
        "sampling.every", "general.cache",
    ),
    "Files that other programs read": (
        "output.path", "output.model_format", "output.lora_format", "output.dtype", "output.bundle_words",
    ),
    "The same result again": ("general.seed", "output.include_preset", "backup.every"),
}  # fmt: skip


def markdown() -> str:
    """The page of the manual."""
    sections = _sections()
    lines = [HEAD, "\n## By task\n"]
    lines += [f"- **{task}**: {', '.join(_link(path) for path in paths)}" for task, paths in TASKS.items()]
    lines += ["\n## By section\n", ", ".join(f"[{title}](#{_anchor(title)})" for title in sections)]
    seen = set[str]()
    for title, settings in sections.items():
        lines.append(f"\n## {title}\n")
        for setting in settings:
            lines.append(_markdown_entry(setting, named=setting.path not in seen))
            seen.add(setting.path)
    return "\n".join(lines) + "\n"


TOOLS_HEAD = """# The tools

Written by `./start-ui.sh tools --markdown > resources/manual/tools.md`; a test says when that is due.

What can be done beside training. Each tool is a card of the page Tools and a command; `--help` after the command says
the same as this page. What stands in capitals must be given."""


def tools_markdown() -> str:
    """The manual's page of tools."""
    return "\n".join([TOOLS_HEAD, *_tools("\n## {title}\n\n{help}\n\n    ./start-ui.sh {usage}\n", _tool_entry)]) + "\n"


def tools_plain() -> str:
    """The list of tools for a terminal."""
    return "".join(f"  {usage(tool)}\n      {tool.title}. {tool.help}\n" for tool in TOOLS.values())


def _tools(heading: str, entry: Callable[[SettingInfo], str]) -> Iterator[str]:
    for tool in TOOLS.values():
        yield heading.format(title=tool.title, help=tool.help, usage=usage(tool))
        yield from map(entry, settings_of(tool.settings))


def _tool_entry(setting: SettingInfo) -> str:
    facts = [*_constraints(setting), f"as a rule {_default_text(setting)}" if _says_more(setting) else ""]
    known = f" ({'; '.join(filter(None, facts))})" if any(facts) else ""
    return f"- **{setting.label}** `{flag_of(setting)}`  \n  {setting.help}{known}"


def _says_more(setting: SettingInfo) -> bool:
    return not setting.required and not isinstance(setting.default, tuple | bool) and setting.default != ""


def plain_text() -> str:
    """The list for a terminal."""
    blocks = ("\n".join([title, *map(_plain_entry, settings)]) for title, settings in _sections().items())
    return "\n\n".join(blocks) + "\n"


def found(query: str) -> str:
    """What the search of the window finds, as text: our names and those of other programs."""
    results = find(query, at_most=10)
    lines = [PLAIN.text(results.note)] if results.note else []
    if not results.hits and not results.note:
        lines = [f"No setting is called \u201c{query.strip()}\u201d."]
    return "\n".join([*lines, *(_plain_entry(hit.setting) for hit in results.hits)]) + "\n"


def schema() -> dict[str, Any]:
    """The JSON schema of preset files, with our own keys: unit, level, scope, widget, when, live, aliases."""
    found = Preset.model_json_schema()
    found["properties"]["kind"] = {
        "enum": ["preset", "project"],
        "default": "preset",
        "description": "A project also holds the settings of this machine and the concepts.",
    }
    found["required"] = ["version"]
    return found


# Sections and entries -------------------------------------------------------------------------------------------------


def _sections() -> dict[str, list[SettingInfo]]:
    """Every setting under its heading; what several optimizers or methods have alike stands once."""
    merged = dict[tuple[Any, ...], SettingInfo]()
    for setting in all_settings():
        key = (setting.path, setting.label, setting.help, setting.default, setting.limits, _is_of_kind(setting))
        known = merged.get(key)
        if known is None:
            merged[key] = setting
        elif known.when and setting.when and _is_of_kind(setting):
            values = dict.fromkeys((*known.when.values, *setting.when.values))
            merged[key] = replace(known, when=When(known.when.path, tuple(values)))
    by_section = dict[str, list[SettingInfo]]()
    for setting in merged.values():
        by_section.setdefault(_section(setting), []).append(setting)
    return by_section


def _is_of_kind(setting: SettingInfo) -> bool:
    """Whether it is a setting of some methods or optimizers only."""
    return setting.when is not None and setting.when.path.removesuffix(".kind") in UNIONS


def _section(setting: SettingInfo) -> str:
    first = setting.path.partition(".")[0]
    if "." not in setting.path:
        return setting.label  # a list of the preset itself: concepts, embeddings
    return first.capitalize() if first in UNIONS and ".0." not in setting.path else setting.section


def _link(path: str) -> str:
    setting = next(each for each in all_settings() if each.path == path)
    shared = len({each.path for each in all_settings() if each.label == setting.label}) > 1
    text = f"{setting.section}: {setting.label.lower()}" if shared and path.count(".") > 1 else setting.label
    return f"[{text}](#{path})"


def _anchor(title: str) -> str:
    """As GitHub makes it from a heading."""
    return "".join(letter for letter in title.lower().replace(" ", "-") if letter.isalnum() or letter in "-_")


def _markdown_entry(setting: SettingInfo, *, named: bool) -> str:
    anchor = f'<a id="{setting.path}"></a>' if named else ""
    marks = "".join(f" *{mark}*" for mark in _marks(setting))
    facts = f" ({'; '.join(_constraints(setting))})" if _constraints(setting) else ""
    names = f"  \n  *Found as*: {', '.join(f'`{name}`' for name in setting.aliases)}" if setting.aliases else ""
    head = f"- {anchor}**{setting.label}** `{setting.path}` = `{_default_text(setting)}`{marks}"
    return f"{head}  \n  {setting.help}{facts}{names}"


def _plain_entry(setting: SettingInfo) -> str:
    marks = "".join(f" [{mark}]" for mark in _marks(setting))
    facts = f"\n      {'; '.join(_constraints(setting))}" if _constraints(setting) else ""
    return f"  {setting.path} = {_default_text(setting)}{marks}\n      {setting.label}. {setting.help}{facts}"


def _marks(setting: SettingInfo) -> Iterator[str]:
    if setting.level == "expert":
        yield "expert"
    if setting.scope == "machine":
        yield "machine"
    if setting.live:
        yield "live"


def _constraints(setting: SettingInfo) -> list[str]:
    facts: list[str] = []
    if setting.choices:
        facts.append(f"one of {', '.join(str(choice) for choice in setting.choices)}")
    if setting.limits:
        facts.append(setting.limits)
    if setting.when:
        values = " or ".join(str(value).lower() for value in setting.when.values)
        facts.append(f"only with {setting.when.path} = {values}")
    return facts


def _default_text(setting: SettingInfo) -> str:
    value = setting.default
    if isinstance(value, tuple):
        entries: tuple[Any, ...] = value
        return f"{len(entries)} of its kind" if entries else "none"
    assert not isinstance(value, Section)
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    return f"{text} {setting.unit}".strip() if text else '""'
