"""What people look for that is no setting here: where it is done instead, or that Seachange does not do it."""

from __future__ import annotations

from functools import cache

from app.search.words import squeezed

NOT_DONE = "Seachange does not do this."
# What other programs call it: what the search says, as a template that names settings.
NOTES: dict[str, str] = {
    "xformers, sdpa, mem_eff_attn, flash attention, sage attention, attn_mode, attention_mechanism, "
    "diffusers_xformers, split_attn, use_flash_attn, use_sage_attn, attention backend":
        "There is nothing to choose: attention always uses PyTorch's own fast and memory-efficient kernels.",
    "resume, resume_from_checkpoint, continue_last_backup, initial_epoch, initial_step, skip_until_initial_step":
        "To resume a run: Start offers its newest backup. On the command line: train PRESET --resume.",
    "merge, fuse, bake, merge lora, base_weights, merge_lora":
        "This is a tool, on the page Tools. On the command line: convert MODEL OUT --parts LORA.",
    "convert, convert model, prune":
        "This is a tool, on the page Tools. On the command line: convert MODEL OUT.",
    "only_cache, cache_only, cache latents before training":
        "This is a command: cache PRESET. A run also does it by itself, before the first step.",
    "clear_cache_before_training, clear cache, skip_cache_check, trust_cache":
        "There is nothing to clear: what is cached is found by its contents, so that nothing stale is ever used.",
    "wandb, weights and biases, comet, mlflow, wandb_api_key, log_tracker_name":
        "Seachange reports to nobody. It writes TensorBoard logs ({general.tensorboard}) and shows the loss itself.",
    "huggingface_token, hf token, huggingface token, hugging face token, hf_token":
        "The token is never kept in a preset: log in with hf auth login, or set HF_TOKEN.",
    "huggingface_repo_id, push_to_hub, hub_model_id, upload, async_upload":
        "Seachange uploads nothing.",
    "hires, hires fix, highres fix, upscaler, refiner":
        f"{NOT_DONE} Samples are made in one go at the size of the prompt.",
    "svdquant, quanto, torchao":
        f"{NOT_DONE} Frozen weights are held in int8, fp8 or nf4 ({{model.quantization}}); GGUF files are read.",
    "activation_offloading, cpu_offload_checkpointing, offload_optimizer_device, unsloth_offload_checkpointing":
        f"{NOT_DONE} Memory is saved by {{training.gradient_checkpointing}}, {{model.quantization}}, "
        "{model.offload}, {training.gradients}, 8-bit and paged optimizers ({optimizer.kind}) and a smaller "
        "{training.batch_size}.",
    "multi gpu, multi_gpu, ddp, fsdp, deepspeed, zero_stage, num_processes, device_indexes, distributed, accelerate, "
    "nccl":
        f"{NOT_DONE} A run uses one graphics card.",
    "controlnet, control net, t2i adapter, ip adapter, lllite, control lora":
        f"{NOT_DONE} It trains models, adapters and embeddings.",
    "dpo, preference optimization, rlhf, reward": NOT_DONE,
    "hypernetwork, lora-fa, dylora, glora, ia3, boft, vera, ggpo":
        f"{NOT_DONE} It trains full models, LoRA, LoHa, LoKr, OFT, DoRA and embeddings ({{method.kind}}).",
    "vae training, train vae, fine_tune_vae, vb_loss_strength": f"{NOT_DONE} The VAE stays as it is.",
    "tread, crepa, layersync, self-flow, diff_output_preservation, blank_prompt_preservation, slider, concept slider, "
    "masked_prior_preservation_weight, generalized_offset_noise, v_pred_like_loss, scale_v_pred_loss_like_noise_pred, "
    "face_crop_aug_range, enable_random_circular_mask_shrink, perlin_noise": NOT_DONE,
    "lr finder, lr_find":
        f"{NOT_DONE} The check says which learning rates are common; Prodigy ({{optimizer.kind}}) finds one itself.",
    "video, frames, num_frames, fps": f"{NOT_DONE} It trains on images.",
    "cloud, runpod, remote, webhook": f"{NOT_DONE} It runs on this computer.",
}  # fmt: skip


@cache
def _by_name() -> dict[str, str]:
    return {squeezed(name): note for names, note in NOTES.items() for name in names.split(",")}


def note_on(query: str) -> str:
    """What there is to say on something that is no setting; "" for what may be one."""
    return _by_name().get(squeezed(query), "")
