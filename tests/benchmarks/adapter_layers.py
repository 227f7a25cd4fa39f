"""CPU seconds of a LoRA step at the full size of SD 1.5, by the way in which the adapters are computed.

    python -m tests.benchmarks.adapter_layers ours hook autograd peft bare --steps 5 [--contiguous]

Rank 8 on 192 layers of the U-Net and 72 of the text encoder, random weights, 128 pixels, batch 1, fp32, one thread,
latents at hand. `ours`: modules/methods/adapter_layers.py. `hook`: a forward hook that adds scale * up(down(x)).
`autograd`: the replaced forward, without our autograd functions. `peft`: PEFT's layers. `bare`: no adapters, and the
weights before them frozen: what the model alone costs forward and backward to its input.
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

from modules.methods.adapter_layers import Update

UNET = r"(attn\d\.to_(q|k|v|out\.0)|ff\.net\.(0\.proj|2)|proj_in|proj_out)$"
TEXT = r"(q_proj|k_proj|v_proj|out_proj|fc1|fc2)$"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ways", nargs="+", choices=["ours", "hook", "autograd", "peft", "bare"])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2, help="all ways in turn, so many times over")
    parser.add_argument("--contiguous", action="store_true", help="without channels last")
    options = parser.parse_args()
    torch.set_num_threads(1)
    unet, text = models(channels_last=not options.contiguous)
    for _ in range(options.rounds):
        for way in options.ways:
            parameters, undo = attach(way, unet, text)
            seconds = step_seconds(unet, text, parameters, options.steps, channels_last=not options.contiguous)
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


def attach(way: str, unet: nn.Module, text: nn.Module) -> tuple[list[nn.Parameter], Callable[[], object]]:
    if way == "bare":
        return [], lambda: None
    if way == "peft":
        return attach_peft(unet, text)
    updates = [update(layer) for layer in layers(unet, text)]
    assert len(updates) == 192 + 72
    parameters = [p for u in updates for p in (u.down, u.up)]
    if way == "ours":
        for u in updates:
            u.attach()
        return parameters, lambda: [u.detach() for u in updates]
    if way == "hook":
        handles = [u.layer.register_forward_hook(lambda _, args, out, u=u: out + delta(u, args[0])) for u in updates]
        return parameters, lambda: [handle.remove() for handle in handles]
    for u in updates:
        u.layer.forward = lambda x, u=u: type(u.layer).forward(u.layer, x) + delta(u, x)
    return parameters, lambda: [u.detach() for u in updates]


def update(layer: Any) -> Update:
    down = torch.empty(8, *layer.weight.shape[1:])
    nn.init.kaiming_uniform_(down, a=math.sqrt(5))
    return Update(layer, down, torch.zeros(len(layer.weight), 8, *down.shape[2:]), 4, dora=False)


def delta(u: Update, x: Tensor) -> Tensor:
    if isinstance(u.layer, nn.Linear):
        return u.scale * F.linear(F.linear(x, u.down), u.up)
    return u.scale * F.conv2d(F.conv2d(x, u.down, None, u.layer.stride, u.layer.padding), u.up)


def attach_peft(unet: nn.Module, text: nn.Module) -> tuple[list[nn.Parameter], Callable[[], object]]:
    from peft import LoraConfig
    from peft.tuners.lora import LoraModel

    wrapped = [
        LoraModel(model, LoraConfig(r=8, lora_alpha=4, target_modules=rf".*{pattern}"), "default")
        for model, pattern in ((unet, UNET), (text, TEXT))
    ]
    parameters = [p for model in wrapped for p in model.parameters() if p.requires_grad]
    return parameters, lambda: [model.unload() for model in wrapped]


def step_seconds(unet: Any, text: Any, parameters: list[nn.Parameter], steps: int, *, channels_last: bool) -> float:
    torch.manual_seed(1)
    latents = torch.randn(1, 4, 16, 16)
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
