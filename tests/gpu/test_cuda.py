"""What only a CUDA card can show. Skipped elsewhere; `pytest -m gpu` runs these alone."""

import pytest
import torch

from modules.data.order import epoch_order
from tests.trainer.runs import assert_equal, end_of, folder_of, run, stop_after_a_backup, trained, values
from tests.trainer.test_learning import made

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA card")]

ON_THE_CARD = ("general.device=cuda", "model.dtype=bf16")
NO_WAITING = ["adamw", "adamw8bit", "lion", "adafactor"]


@pytest.mark.parametrize("optimizer", NO_WAITING)
@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_step_never_waits_for_the_card(method, optimizer, tmp_path) -> None:
    from modules.data.cache.store import Cache

    settings = (f"method.kind={method}", f"optimizer.kind={optimizer}", "training.learning_rate=1e-4", *ON_THE_CARD)
    with Cache(tmp_path / "cache") as cache:
        learner, loader = made(tmp_path, cache, *settings)
        order = epoch_order(loader.index, 2, 1, 0)
        batches = [loader.batch(order[number], 0) for number in range(6)]
    for number, batch in enumerate(batches):
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error" if number > 1 else "default")  # the first steps make tables and state
        try:
            learner.learn([batch])
        finally:
            torch.cuda.set_sync_debug_mode("default")
        learner.clock.tick(8)


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("method", ["lora", "full", "embedding"])
def test_a_run_with_samples_and_a_resume_ends_well_on_the_card(method, dtype, tmp_path) -> None:
    prompt = 'sampling.prompts=[{"prompt": "blip robot", "steps": 2, "width": 64, "height": 64}]'
    settings = (
        f"method.kind={method}",
        "general.device=cuda",
        f"model.dtype={dtype}",
        prompt,
        "sampling.every=2 steps",
    )
    settings += ("words.0.token=<new>", "concepts.0.prefix=<new> ") if method == "embedding" else ()
    preset = values(tmp_path, *settings, "training.learning_rate=1e-4", "training.ema=true", "backup.every=3 steps")
    assert end_of(run(preset, answer=stop_after_a_backup)).stopped
    events = run(preset, resume="newest")
    assert end_of(events).step == 8
    assert all(tensor.isfinite().all() for tensor in trained(folder_of(events)).values())


def test_the_card_and_the_cpu_learn_the_same(tmp_path) -> None:
    """In fp32, TF32 off, they differ by the order of sums alone; a large epsilon keeps AdamW from amplifying that."""
    exact = ("model.dtype=fp32", "general.tf32=false")
    settings = ("training.steps=3", "optimizer.eps=1", "training.learning_rate=0.4", "schedule.warmup=0 steps", *exact)
    torch.backends.cudnn.allow_tf32 = False
    here = trained(folder_of(run(values(tmp_path / "cpu", *settings, "general.device=cpu"))))
    there = trained(folder_of(run(values(tmp_path / "card", *settings, "general.device=cuda"))))
    for name, tensor in here.items():
        torch.testing.assert_close(
            there[name].cpu(), tensor, rtol=1e-3, atol=1e-5, msg=lambda text, n=name: f"{n}: {text}"
        )


@pytest.mark.parametrize("kind", ["off", "int8", "nf4"])
@pytest.mark.parametrize("checkpoints", ["all", "none"])
def test_offloaded_blocks_learn_bit_for_bit_what_others_do(kind, checkpoints, tmp_path) -> None:
    held = (f"model.quantization={kind}", f"training.gradient_checkpointing={checkpoints}", "method.conv=true")
    settings = ("training.steps=6", "training.learning_rate=1e-2", *held, *ON_THE_CARD)
    here = trained(folder_of(run(values(tmp_path / "card", *settings))))
    for share in ("40 %", "all"):
        there = trained(folder_of(run(values(tmp_path / share[:2], *settings, f"model.offload={share}"))))
        assert_equal(here, there)


def test_full_weights_in_bf16_keep_small_updates_on_the_card(tmp_path) -> None:
    from modules.methods import Group
    from modules.preset.optimizers import AdamW
    from modules.trainer.step.optimizers import MixedPrecisionOptimizer

    parameter = torch.nn.Parameter(torch.full((200_000,), 0.02, dtype=torch.bfloat16, device="cuda"))
    start = parameter.detach().float().mean().item()
    optimizer = MixedPrecisionOptimizer(AdamW(weight_decay=0.0), [Group("denoiser", {"w": parameter}, 1.5e-6)], seed=1)
    for step in range(100):
        parameter.grad = torch.ones_like(parameter)
        optimizer.set_rates({"denoiser": 1.5e-6})
        optimizer.step(step)
        optimizer.zero_grad()
    assert start - parameter.detach().float().mean().item() == pytest.approx(100 * 1.5e-6, rel=0.05)


def test_vectors_of_scores_are_those_of_the_cpu(tmp_path) -> None:
    from PIL import Image

    from modules.scores.kinds import SCORES
    from modules.scores.model import ScoringModel
    from tests.scores import tiny

    images = [Image.open(tiny.picture(tmp_path / f"{n}.png", n)).convert("RGB") for n in range(3)]
    for kind, score in (("clip", "text"), ("dino", "dino")):
        models = [ScoringModel(tiny.models()[kind], kind, SCORES[score], torch.device(d)) for d in ("cpu", "cuda")]
        torch.testing.assert_close(models[1].images(images), models[0].images(images), rtol=0, atol=1e-3)
        if kind == "clip":
            torch.testing.assert_close(models[1].texts(["cat"])[0], models[0].texts(["cat"])[0], rtol=0, atol=1e-3)
