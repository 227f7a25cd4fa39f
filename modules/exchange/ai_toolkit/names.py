"""ai-toolkit's own defaults, its words for families and layers, and what of it has no counterpart."""

from __future__ import annotations

from typing import Any

ARCHITECTURES = {  # "" for what is not trained here
    "sd1": "sd", "sd2": "sd", "sdxl": "sdxl", "ssd": "sdxl", "vega": "sdxl", "sd3": "sd3", "flux": "flux1",
    "chroma": "chroma", "qwen_image": "qwen_image", "flux2": "flux2", "flux2_klein_4b": "flux2_klein",
    "flux2_klein_9b": "flux2_klein", "zimage": "zimage", "anima": "anima", "krea2": "krea2",
}  # fmt: skip
SWITCHES = {"is_flux": "flux", "is_xl": "sdxl", "is_v3": "sd3", "is_v2": "sd2", "is_ssd": "ssd", "is_vega": "vega",
            "is_pixart": "pixart", "is_auraflow": "auraflow", "is_lumina2": "lumina2"}  # fmt: skip
QUANTIZED = {"float8": "int8", "int8": "int8", "int4": "nf4", "nf4": "nf4", "int3": "nf4", "int2": "nf4"}
DTYPES = {
    "bf16": "bf16", "bfloat16": "bf16", "fp16": "fp16", "float16": "fp16", "fp32": "fp32", "float32": "fp32",
    "float": "fp32", "half": "fp16",
}  # fmt: skip
DEFAULTS: dict[str, Any] = {
    "train.steps": 1000, "train.lr": 1e-6, "train.optimizer": "adamw", "train.lr_scheduler": "constant",
    "train.batch_size": 1, "train.gradient_accumulation": 1, "train.gradient_accumulation_steps": 1,
    "train.dtype": "fp32", "train.train_unet": True, "train.train_text_encoder": False, "train.noise_offset": 0.0,
    "train.gradient_checkpointing": True, "train.max_grad_norm": 1.0, "train.reg_weight": 1.0,
    "train.loss_type": "mse", "train.timestep_type": "sigmoid", "train.min_denoising_steps": 0,
    "train.max_denoising_steps": 999, "train.ema_config.use_ema": False, "train.ema_config.ema_decay": 0.999,
    "train.content_or_style": "balanced", "train.noise_scheduler": "ddpm", "train.disable_sampling": False,
    "train.skip_first_sample": False,
    "network.type": "lora", "network.linear": 4, "network.linear_alpha": 1.0, "network.lokr_full_rank": True,
    "network.lokr_factor": -1, "network.transformer_only": True,
    "save.save_every": 1000, "save.dtype": "float16", "save.max_step_saves_to_keep": 5,
    "sample.sample_every": 100, "sample.width": 512, "sample.height": 512, "sample.neg": False, "sample.seed": 0,
    "sample.walk_seed": False, "sample.guidance_scale": 7, "sample.sample_steps": 20, "sample.sampler": "ddpm",
    "model.quantize": False, "model.qtype": "qfloat8", "model.dtype": "float16", "model.low_vram": False,
    "model.layer_offloading": False, "model.layer_offloading_transformer_percent": 1.0, "model.compile": False,
    "embedding.trigger": "custom_embedding", "embedding.tokens": 4, "embedding.init_words": "*",
}  # fmt: skip
DATASET: dict[str, Any] = {
    "caption_ext": ".txt", "resolution": 512, "buckets": True, "is_reg": False, "prior_reg": False,
    "token_dropout_rate": 0.0, "shuffle_tokens": False, "caption_dropout_rate": 0.0, "keep_tokens": 0,
    "flip_x": False, "flip_y": False, "alpha_mask": False, "num_repeats": 1, "loss_multiplier": 1.0,
    "random_crop": False, "mask_min_value": 0.0, "type": "image", "network_weight": 1.0, "num_frames": 1,
    "cache_latents": False, "cache_latents_to_disk": False, "scale": 1.0, "square_crop": False,
}  # fmt: skip
OPTIMIZER_DEFAULTS: dict[str, dict[str, Any]] = {
    **{kind: {"eps": 1e-6} for kind in ("adam", "adamw", "adam8bit", "adamw8bit", "ademamix8bit")},
    "prodigy": {"beta2": 0.999, "weight_decay": 0.0, "use_bias_correction": False, "safeguard_warmup": False},
    "adafactor": {"scale_parameter": False}, "dadapt_lion": {"beta2": 0.99},
}  # fmt: skip
WITHOUT = {
    r"type|training_folder|device|sqlite_db_path|performance_log_every|meta\..*|logging\..*|train\.(start_step"
    r"|force_first_sample|disable_sampling|skip_first_sample)|sample\.(sampler|format|ext|fps|num_frames|sample_start_step"
    r"|extra_values)|save\.(push_to_hub|hf_\w+|save_format|max_step_saves_to_keep)": "import.of-its-window",
    r"train\.(xformers|sdp|attention_backend|unload_text_encoder|cache_text_embeddings)"
    r"|model\.(low_vram|dtype|vae_dtype|te_dtype|vae_device|te_device|quantize_te|qtype_te|quantize_kwargs"
    r"|layer_offloading\w*|auto_memory|split_model\w*|text_encoder_bits|attn_masking|compile_\w+|block_compile"
    r"|cache_size_limit|accuracy_recovery_adapter|model_kwargs\..*)|network\.layer_offloading": "import.memory-plan",
    r"network\.(lokr_\w+|conv\w*|old_lokr_format)": "import.other-method",
    r"train\.(linear_timesteps2?|timestep_type|next_sample_timesteps)|network\.transformer_only": "import.other-family",
    r"train\.validation\w*(\..*)?|validation\w*(\..*)?": "import.other-validation",
    r"train\.ema_config\..*|train\.(text_encoder_lr|embedding_lr|adapter_lr|refiner_lr|noise_scheduler"
    r"|train_refiner|lr_scheduler_params\..*)": "import.not-used-there",
    r"(adapter|slider|decorator|guidance|first_sample|train|model|network|sample)(\..*)?": "import.no-counterpart",
}  # fmt: skip
WITHOUT_DATASET = {
    r"cache_\w+|num_workers|prefetch_factor|load_image_when_caching_latents|fast_image_size": "import.memory-plan",
    r"mask_min_value|invert_mask": "import.not-used-there",
    r"num_frames|shrink_video_to_frames|fps|do_i2v|do_audio|audio_\w+|auto_frame_count|trim_\w+": "import.other-family",
    r".*": "import.no-counterpart",
}  # fmt: skip
