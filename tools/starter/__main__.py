"""Trains the starter model from nothing: `python -m tools.starter all`. README.md tells more."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from tools.starter import train_denoiser, train_vae
from tools.starter.drawings import STYLES, Drawing, Entry, Pixels, read_drawings, variants, vocabulary
from tools.starter.latents import read_latents, write_latents
from tools.starter.pack import draw, pack
from tools.starter.tokenizer import read_tokenizer, train_tokenizer
from tools.starter.training_loop import Plan

HERE = Path(__file__).resolve().parent
INK = "fluent-emoji-high-contrast"  # only the VAE sees it: it must be able to draw lines
SUBJECTS = ("smileys-emotion", "animals-nature", "food-drink")
Options = argparse.Namespace


def render(options: Options) -> None:
    """Fetch the icon sets from the npm registry and turn them into pictures."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        sys.exit("Rendering needs Node.js with npm: install it (apt install nodejs npm) and start again.")
    extra = ["--include=dev" if "noto" in options.sets else "--omit=dev"]
    subprocess.run([npm, "install", "--no-package-lock", "--no-audit", "--no-fund", *extra], cwd=HERE, check=True)
    limit = ["--limit", str(options.limit)] if options.limit else []
    command = [node, str(HERE / "render.mjs"), str(options.work), *limit, *options.sets, INK]
    marker = options.work / "rendering.txt"
    while subprocess.run(command, check=False).returncode:
        if not marker.exists():
            sys.exit("Rendering failed; the lines above say why.")
        print(f"  the renderer stopped at {marker.read_text(encoding='utf-8')}; going on without it", flush=True)


def tokenizer(options: Options) -> None:
    """Learn the tokens from all captions."""
    made = [entry for entry, _ in all_variants(options)]
    names = [drawing.label for icon_set in options.sets for drawing in read_drawings(options.work, icon_set)]
    learnt = train_tokenizer([*vocabulary(made), *names], options.work / "tokenizer", options.positions)
    print(f"  {len(learnt)} tokens, {learnt.model_max_length} positions")


def vae(options: Options) -> None:
    """Train the VAE."""
    torch.manual_seed(options.seed)
    net = train_vae.new_vae(tuple(options.vae_channels)).to(options.device)
    own = pictures([d for icon_set in options.sets for d in read_drawings(options.work, icon_set)])
    others = pictures(read_drawings(options.work, INK))
    plan = Plan(options.steps or train_vae.STEPS, warm_up=30, constant=0.3, final=0.005, seconds=options.seconds)
    file = options.work / "vae-course.pt"
    train_vae.train_vae(own, others, file, net, plan, options.batch or 8, options.seed)
    net.save_pretrained(options.work / "vae-trained")


def latents(options: Options) -> None:
    """Encode the pictures and their variants."""
    trained = AutoencoderKL.from_pretrained(options.work / "vae-trained").to(options.device)
    made = all_variants(options)
    write_latents(trained, made, options.work)
    print(f"  {len(made)} pictures")


def denoiser(options: Options) -> None:
    """Train the U-Net with its text encoder."""
    words = read_tokenizer(options.work / "tokenizer")
    torch.manual_seed(options.seed)
    networks = train_denoiser.new_networks(words)
    networks.unet.to(options.device)
    networks.text_encoder.to(options.device)
    entries, kept = read_latents(options.work)
    whole = train_denoiser.STEPS + train_denoiser.POLISH_STEPS
    polish = train_denoiser.POLISH_STEPS / whole
    plan = Plan(options.steps or whole, warm_up=60, constant=0.4, final=0.01, seconds=options.seconds, polish=polish)
    file = options.work / "denoiser-course.pt"
    batches = train_denoiser.Batches(entries, kept, words)
    train_denoiser.train_denoiser(networks, batches, file, plan, options.batch or 48, options.seed)
    networks.unet.save_pretrained(options.work / "unet")
    networks.text_encoder.save_pretrained(options.work / "text_encoder")


def packed(options: Options) -> None:
    """Put the parts together in half precision, and draw with what was written."""
    work = options.work
    pack(work, work / "model")
    draw(work / "model", work / "drawn.png")
    print(f"  {work / 'model'}, and what it draws: {work / 'drawn.png'}")


COMMANDS: dict[str, Callable[[Options], None]] = {
    "render": render,
    "tokenizer": tokenizer,
    "vae": vae,
    "latents": latents,
    "denoiser": denoiser,
    "pack": packed,
}


def all_variants(options: Options) -> list[tuple[Entry, Pixels]]:
    """Every picture to train on with its words; the same each time, by the seed."""
    rng = np.random.default_rng(options.seed)
    groups = () if "all" in options.groups else tuple(options.groups)
    chosen = [drawing for icon_set in options.sets for drawing in read_drawings(options.work, icon_set, groups)]
    if not chosen:
        sys.exit(f"No drawings of {', '.join(options.groups)} were rendered: raise --limit, or name other --groups.")
    return [pair for drawing in chosen for pair in variants(drawing, rng)]


def pictures(drawn: list[Drawing]) -> Pixels:
    """Drawings as one array [N, H, W, 4]."""
    return np.stack([drawing.rgba for drawing in drawn])


def options_from(arguments: list[str]) -> Options:
    """The command line; without options it is the study's recipe."""
    parser = argparse.ArgumentParser(prog="python -m tools.starter", description=__doc__)
    parser.add_argument("command", choices=[*COMMANDS, "all"])
    parser.add_argument("--work", type=Path, default=HERE / "work", help="folder for everything that is made")
    parser.add_argument("--sets", nargs="+", default=["fluent-emoji-flat"], choices=list(STYLES))
    parser.add_argument("--groups", nargs="+", default=list(SUBJECTS), help="subjects of the denoiser, or: all")
    parser.add_argument("--limit", type=int, help="drawings of each set; for a trial")
    parser.add_argument("--steps", type=int, help="length of the trainings (default: the study's)")
    parser.add_argument("--seconds", type=float, help="length of each training by time instead")
    parser.add_argument("--batch", type=int, help="default 8 for the VAE, 48 for the denoiser")
    parser.add_argument("--positions", type=int, default=32, help="tokens a prompt can have, 77 in Stable Diffusion")
    parser.add_argument("--vae-channels", type=int, nargs=4, default=[16, 32, 64, 64])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.work = options.work.resolve()
    return options


def main() -> None:
    """One step of the recipe, or all in order. A step that was stopped goes on where it was."""
    options = options_from(sys.argv[1:])
    for name in COMMANDS if options.command == "all" else [options.command]:
        print(name, flush=True)
        COMMANDS[name](options)


if __name__ == "__main__":
    main()
