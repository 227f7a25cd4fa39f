"""A sample as a file: its name, what it carries with it in A1111's words, and the overview of a sampling."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from modules.preset.sections.sampling import SAMPLERS, SPACINGS, Prompt
from modules.system.bundled import ROOT
from modules.system.files import staged_file
from modules.trainer.sampling.sampler import Sample

OVERVIEW = "All prompts"  # what the overview is called where a prompt would stand
FONT = ROOT / "resources" / "fonts" / "Inter-Regular.otf"
ACROSS, SIDE, GAP, LINES = 8, 512, 8, 3  # of the overview: columns, longest side of a picture, pixels, lines of words
# What IPTC calls pictures of a generative model: programs and people can tell them from photographs later.
MADE_BY_A_MODEL = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
XMP = f"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 Iptc4xmpExt:DigitalSourceType="{MADE_BY_A_MODEL}"/></rdf:RDF></x:xmpmeta>"""
PAPER, INK = (24, 24, 27), (228, 228, 231)


def save_sample(sample: Sample, path: Path, *, model: str, more: Mapping[str, str] | None = None) -> None:
    """Write a PNG that carries its prompt and settings as A1111 writes them, for every tool that reads those."""
    _save(sample.image, path, parameters_text(sample.prompt, model, sample.loras, more))


def parameters_text(
    prompt: Prompt, model: str, loras: Sequence[tuple[str, float]] = (), more: Mapping[str, str] | None = None
) -> str:
    """Prompt and settings in A1111's form: prompt, negative prompt, one line of settings, with `more` of these.

    `loras`: names, strengths.
    """
    lines = [prompt.prompt]
    if prompt.negative:
        lines.append(f"Negative prompt: {prompt.negative}")
    settings = {
        "Steps": prompt.steps,
        "Sampler": SAMPLERS[prompt.sampler],
        "Schedule type": SPACINGS[prompt.spacing],
        "CFG scale": f"{prompt.guidance:g}",
        "Distilled CFG Scale": f"{prompt.distilled_guidance:g}" if prompt.distilled_guidance else "",
        "Shift": f"{prompt.flow_shift:g}" if prompt.flow_shift else "",
        "Seed": prompt.seed,
        "Size": f"{prompt.width}x{prompt.height}",
        "Model": model,
        **_of_guidance(prompt),
        **_of_picture(prompt),
        **(more or {}),
        "Loras": ", ".join(f"{name}: {strength:g}" for name, strength in loras),
        "Version": "Seachange",
    }
    lines.append(", ".join(f"{name}: {_quoted(value)}" for name, value in settings.items() if value != ""))
    return "\n".join(lines)


def file_name(step: int, number: int, prompt: str) -> str:
    """ "000500 - 1 - a photo of a cat.png": sorts by step, and is a name that every system allows."""
    words = re.sub(r"[^\w\-,. ]+", " ", prompt)
    words = re.sub(r"\s+", " ", words).strip(" .")[:60].encode()[:180].decode("utf-8", "ignore").strip(" .")
    return f"{step:06d} - {number} - {words or 'empty prompt'}.png"


def overview_name(step: int) -> str:
    """ "000500 - grid.png"."""
    return f"{step:06d} - grid.png"


def save_overview(samples: Sequence[Sample], path: Path, *, step: int) -> None:
    """Write one picture of them all, which says of itself what it is."""
    _save(overview_of(samples, f"step {step:,}"), path, f"{OVERVIEW}, step {step}")


def overview_of(samples: Sequence[Sample], title: str) -> Image.Image:
    """All samples side by side, at most eight in a row, each under its words; made smaller where they are large."""
    scale = min(1.0, SIDE / max(max(sample.image.size) for sample in samples))
    pictures = [_smaller(sample.image, scale) for sample in samples]
    wide, tall = (max(picture.size[axis] for picture in pictures) for axis in (0, 1))
    font = ImageFont.truetype(str(FONT), max(10, wide // 20))
    line = round(font.size * 1.3)
    strip, columns = LINES * line + GAP, min(ACROSS, len(samples))
    rows = -(-len(samples) // columns)
    sheet = Image.new("RGB", (columns * (wide + GAP) + GAP, line + 2 * GAP + rows * (strip + tall + GAP)), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP), title, font=font, fill=INK)
    for place, (sample, picture) in enumerate(zip(samples, pictures, strict=True)):
        left = GAP + place % columns * (wide + GAP)
        top = line + 2 * GAP + place // columns * (strip + tall + GAP)
        words = f"{sample.number}. {sample.prompt.prompt or '(empty prompt)'}"
        draw.multiline_text((left, top), _wrapped(words, font, wide), font=font, fill=INK, spacing=line - font.size)
        sheet.paste(picture, (left, top + strip))
    return sheet


def _save(image: Image.Image, path: Path, text: str) -> None:
    about = PngInfo()
    about.add_itxt("parameters", text)
    about.add_itxt("XML:com.adobe.xmp", XMP)
    with staged_file(path) as draft:
        image.save(draft, "png", pnginfo=about)


def _of_guidance(prompt: Prompt) -> dict[str, str]:
    """What differs from plain guidance."""
    settings: dict[str, str] = {}
    if prompt.guidance_rescale:
        settings["CFG Rescale"] = f"{prompt.guidance_rescale:g}"
    if prompt.cfg_plus_plus:
        settings["CFG++"] = "True"
    if prompt.guidance_start:
        settings["Skip Early CFG"] = f"{prompt.guidance_start:g}"
    if prompt.guidance_end < 1:
        settings["CFG until"] = f"{prompt.guidance_end:g}"
    if prompt.perturbation != "none":
        kind = prompt.perturbation.upper()
        settings |= {f"{kind} Active": "True", f"{kind} Scale": f"{prompt.perturbation_scale:g}"}
        settings[f"{kind} Layers"] = prompt.perturbation_layers
    if prompt.perturbation == "seg":
        settings["SEG Blur Sigma"] = f"{prompt.seg_blur:g}" if prompt.seg_blur else "inf"
    return settings


def _of_picture(prompt: Prompt) -> dict[str, str]:
    if not prompt.image:
        return {}
    settings = {"Denoising strength": f"{prompt.strength:g}", "Init image": Path(prompt.image).name}
    return {**settings, "Mask": Path(prompt.mask).name} if prompt.mask else settings


def _quoted(value: object) -> str:
    """As A1111 has it: in quotes where it could be taken for the next setting."""
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ",:\n") else text


def _smaller(image: Image.Image, scale: float) -> Image.Image:
    if scale == 1:
        return image
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    letters = max(4, int(width / max(1.0, font.getlength("n"))))
    return "\n".join(textwrap.wrap(text, letters, max_lines=LINES, placeholder=" ..."))
