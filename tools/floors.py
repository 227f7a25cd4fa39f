"""The drawing of the floors, for the architecture page, made of the contract in `pyproject.toml`.

`python -m tools.floors` prints it; with `--write` it goes between the marks of the page.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "resources/manual/architecture.md"
START, END = "<!-- floors: written by python -m tools.floors --write -->", "<!-- end of the floors -->"
WORDS = {
    "app": "command line and window",
    "engine": "the engine as a process: JSON lines in and out",
    "jobs": "the queue: what waits in line",
    "host": "owns the engine's process, and outlives the window",
    "session": "a job in a thread; every way it can end is an event",
    "run": "what a job does, step by step: begin reading here",
    "tools": "a file a tool",
    "check": "what can be known before a run",
    "trainer": "the loop, backups, samples, the run's folder",
    "preparing": "images made ready: cut, resized, mended",
    "methods": "full fine-tune, adapters, embeddings",
    "merging": "weights of several models, and low rank: maths",
    "scores": "what images are worth by numbers",
    "exchange": "settings of other programs",
    "remote": "a run on another machine, over ssh",
    "masking": "masks made by models",
    "captioning": "captions by models: tags and sentences",
    "image_models": "models that look at images",
    "grids": "pictures side by side: axes, cells, sheets",
    "trials": "runs that differ in one or two settings",
    "families": "Stable Diffusion, SDXL, and what they share",
    "placement": "how frozen weights are held, and where",
    "formats": "files of other programs",
    "data": "images, captions, cache, order",
    "run_folders": "which folders are runs, and which goes on",
    "diffusion": "noise, weights, samplers: maths",
    "preset": "the schema: every setting once",
    "system": "files, devices, seeds, locks",
    "plan_text": "memory plans in words",
    "wire": "messages as lines of JSON",
    "messages": "all that window and engine can say",
    "errors": "what a user can mend",
    "catalog": "cards of the families",
    "sentences": "problems in words",
    "event_stream": "fewer events that say the same",
    "event_text": "events in words",
    "language": "the language of the window",
    "trend": "whether a noisy loss still falls",
    "text": "sizes, times and counts in words",
}


def floors() -> list[list[str]]:
    """The rooms of each floor, from the top; rooms of one floor know nothing of each other."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    whole = [layer for layer in layers if not layer.startswith("(")]  # in brackets: not built yet
    return [[name.strip().removeprefix("modules.") for name in re.split(r"[|:]", layer)] for layer in whole]


def drawing() -> str:
    """As Mermaid, which GitHub shows as a picture."""
    lines = ["```mermaid", "flowchart TB"]
    rows = floors()
    for number, row in enumerate(rows):
        lines.append(f'  subgraph floor{number}[" "]\n    direction LR')
        lines += [f'    {room}["<b>{room}</b><br/>{WORDS[room]}"]' for room in row]
        lines.append("  end")
    lines += [f"  floor{number} --> floor{number + 1}" for number in range(len(rows) - 1)]
    return "\n".join([*lines, "```"])


def page(text: str) -> str:
    """The page with the drawing of today between its marks."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{drawing()}\n{END}{after}"


def main() -> None:
    if "--write" in sys.argv:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(drawing())


if __name__ == "__main__":
    main()
