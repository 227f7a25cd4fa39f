"""CPU seconds of an adapter's step at the full size of SD 1.5, by the way in which the adapters are computed.

    python -m tests.benchmarks.adapter_layers ours hook autograd peft bare --steps 5 [--contiguous]
    python -m tests.benchmarks.adapter_layers ours peft lycoris --kind loha [--size 16]

Rank 8 (OFT: blocks of 16) on 192 layers of the U-Net and 72 of the text encoder, random weights, batch 1, fp32, one
thread, latents of `--size` on a side at hand. `ours`: modules/methods. `hook`: a forward hook that adds scale *
up(down(x)). `autograd`: the replaced forward, without our autograd functions. `peft`: PEFT's. `lycoris`: those of
lycoris-lora 4.1 (no dependency: put it on the path). `bare`: no adapters, the weights before them frozen: what the
model alone costs forward and backward to its input.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modules.formats.lora import LoraTensors
from modules.methods.adapter import UPDATES
from modules.methods.lora_update import LoraUpdate
from modules.preset.sections.method import ADAPTERS, Lora

UNET = r"(attn\d\.to_(q|k|v|out\.0)|ff\.net\.(0\.proj|2)|proj_in|proj_out)$"
TEXT = r"(q_proj|k_proj|v_proj|out_proj|fc1|fc2)$"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ways", nargs="+", choices=["ours", "hook", "autograd", "peft", "lycoris", "bare"])
    parser.add_argument("--kind", default="lora", choices=[*ADAPTERS])
    parser.add_argument("--size", type=int, default=16)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2, help="all ways in turn, so many times over")
    parser.add_argument("--contiguous", action="store_true", help="without channels last")
    options = parser.parse_args()
    torch.set_num_threads(1)
    unet, text = models(channels_last=not options.contiguous)
    for _ in range(options.rounds):
        for way in options.ways:
            parameters, undo = attach(way, unet, text, options.kind)
            last = not options.contiguous
            seconds = step_seconds(unet, text, parameters, options.steps, channels_last=last, size=options.size)
            print(f"{way:9} {len(parameters):4} tensors  {seconds:.3f} CPU s a step", flush=True)
            undo()


def models(*, channels_last: bool) -> tuple[nn.Module, nn.Module]:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    unet: Any = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    unet = unet.requires_grad_(False).to(memory_format=layout)
    text = CLIPTextModel(
        CLIPTextConfig(vocab_size=49408, hidden_size=768, intermediate_size=3072, num_attention_heads=12)
    )
    return unet, text.requires_grad_(False)


def layers(unet: nn.Module, text: nn.Module) -> Iterable[Any]:
    import re

    for model, pattern in ((unet, UNET), (text, TEXT)):
        for name, module in model.named_modules():
            if re.search(pattern, name) and isinstance(module, nn.Linear | nn.Conv2d):
                yield module


Attached = tuple[list[nn.Parameter], Callable[[], object]]


def attach(way: str, unet: nn.Module, text: nn.Module, kind: str) -> Attached:
    if way == "bare":
        return [], lambda: None
    if way == "peft":
        return attach_peft(unet, text, kind)
    if way == "lycoris":
        return attach_lycoris(unet, text, kind)
    if way == "ours":
        return attach_ours(unet, text, kind)
    updates = [update(layer) for layer in layers(unet, text)]
    parameters = [p for u in updates for p in (u.down, u.up)]
    if way == "hook":
        handles = [u.layer.register_forward_hook(lambda _, args, out, u=u: out + delta(u, args[0])) for u in updates]
        return parameters, lambda: [handle.remove() for handle in handles]
    for u in updates:
        u.layer.forward = lambda x, u=u: type(u.layer).forward(u.layer, x) + delta(u, x)
    return parameters, lambda: [u.detach() for u in updates]


def attach_ours(unet: nn.Module, text: nn.Module, kind: str) -> Attached:
    settings: Any = ADAPTERS[kind](kind=kind) if kind == "oft" else ADAPTERS[kind](kind=kind, rank=8, alpha=4.0)
    made: Any = UPDATES[kind]
    chance = torch.Generator().manual_seed(0)
    updates = [
        made(x, made.initial_tensors(x, settings, None, chance), settings, torch.float32) for x in layers(unet, text)
    ]
    assert len(updates) == 192 + 72
    for u in updates:
        u.attach()
    return [p for u in updates for p in u.parameters().values()], lambda: [u.detach() for u in updates]


def update(layer: Any) -> LoraUpdate:
    down = torch.empty(8, *layer.weight.shape[1:])
    nn.init.kaiming_uniform_(down, a=math.sqrt(5))
    up = torch.zeros(len(layer.weight), 8, *[1] * (down.dim() - 2))
    return LoraUpdate(layer, LoraTensors.of(down, up, 4), Lora(), torch.float32)


def delta(u: LoraUpdate, x: Tensor) -> Tensor:
    if isinstance(u.layer, nn.Linear):
        return u.scale * F.linear(F.linear(x, u.down), u.up)
    return u.scale * F.conv2d(F.conv2d(x, u.down, None, u.layer.stride, u.layer.padding), u.up)


def attach_peft(unet: nn.Module, text: nn.Module, kind: str) -> Attached:
    wrapped = [peft_model(model, kind, rf".*{pattern}") for model, pattern in ((unet, UNET), (text, TEXT))]
    parameters = [p for model in wrapped for p in model.parameters() if p.requires_grad]
    return parameters, lambda: [model.unload() for model in wrapped]


def peft_model(model: nn.Module, kind: str, layers: Any) -> Any:
    from peft import LoHaConfig, LoKrConfig, LoraConfig, OFTConfig
    from peft.tuners.loha import LoHaModel
    from peft.tuners.lokr import LoKrModel
    from peft.tuners.lora import LoraModel
    from peft.tuners.oft import OFTModel

    if kind == "oft":
        settings = OFTConfig(r=0, oft_block_size=16, use_cayley_neumann=False, target_modules=layers)
        return OFTModel(model, settings, "default")
    if kind == "lora":
        return LoraModel(model, LoraConfig(r=8, lora_alpha=4, target_modules=layers), "default")
    if kind == "loha":
        return LoHaModel(model, LoHaConfig(r=8, alpha=4, target_modules=layers), "default")
    return LoKrModel(model, LoKrConfig(r=8, alpha=4, target_modules=layers), "default")


def attach_lycoris(unet: nn.Module, text: nn.Module, kind: str) -> Attached:
    held = [lycoris_module(layer, kind, f"layer{number}") for number, layer in enumerate(layers(unet, text))]
    for module in held:
        module.train()
        module.apply_to()
    return [p for module in held for p in module.parameters()], lambda: [module.restore() for module in held]


def lycoris_module(layer: Any, kind: str, name: str) -> Any:
    from lycoris.modules.diag_oft import DiagOFTModule
    from lycoris.modules.locon import LoConModule
    from lycoris.modules.loha import LohaModule
    from lycoris.modules.lokr import LokrModule

    made: Any = {"lora": LoConModule, "loha": LohaModule, "lokr": LokrModule, "oft": DiagOFTModule}[kind]
    return made(name, layer, 1.0, 16 if kind == "oft" else 8, 0 if kind == "oft" else 4)


def step_seconds(
    unet: Any, text: Any, parameters: list[nn.Parameter], steps: int, *, channels_last: bool, size: int
) -> float:
    torch.manual_seed(1)
    latents = torch.randn(1, 4, size, size)
    if channels_last:
        latents = latents.to(memory_format=torch.channels_last)
    ids = torch.randint(0, 49000, (1, 77))
    noise, when = torch.randn_like(latents), torch.tensor([500])
    optimizer = torch.optim.AdamW(parameters, lr=1e-4) if parameters else None
    seconds: list[float] = []
    for _ in range(steps + 1):
        start = time.process_time()
        tokens = text(ids).last_hidden_state
        x = latents if optimizer else latents.clone().requires_grad_()
        loss = F.mse_loss(unet(x, when, encoder_hidden_states=tokens).sample, noise)
        loss.backward()
        if optimizer:
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            optimizer.zero_grad()
        seconds.append(time.process_time() - start)
    return sorted(seconds[1:])[steps // 2]


if __name__ == "__main__":
    main()
