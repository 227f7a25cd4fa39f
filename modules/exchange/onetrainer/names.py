"""OneTrainer's own defaults, its words for families and methods, and what of it has no counterpart."""

from __future__ import annotations

from typing import Any

FAMILY_NAMES = {
    "STABLE_DIFFUSION_15": "sd", "STABLE_DIFFUSION_15_INPAINTING": "sd", "STABLE_DIFFUSION_20": "sd",
    "STABLE_DIFFUSION_20_BASE": "sd", "STABLE_DIFFUSION_20_INPAINTING": "sd", "STABLE_DIFFUSION_20_DEPTH": "sd",
    "STABLE_DIFFUSION_21": "sd", "STABLE_DIFFUSION_21_BASE": "sd", "STABLE_DIFFUSION_XL_10_BASE": "sdxl",
    "STABLE_DIFFUSION_XL_10_BASE_INPAINTING": "sdxl", "STABLE_DIFFUSION_3": "sd3", "STABLE_DIFFUSION_35": "sd3",
    "FLUX_DEV_1": "flux1", "FLUX_FILL_DEV_1": "flux1", "FLUX_2": "flux2", "CHROMA_1": "chroma", "QWEN": "qwen_image",
    "ANIMA": "anima", "KREA_2": "krea2", "Z_IMAGE": "zimage",
}  # fmt: skip
METHODS = {"LORA": "lora", "LOHA": "loha", "LOKR": "lokr", "OFT_2": "oft", "OFT": "oft"}
PART: dict[str, Any] = {
    "train": True, "stop_training_after_unit": "NEVER", "stop_training_after": 0, "weight_dtype": "FLOAT_32",
    "include": True,
}  # fmt: skip
ENCODER: dict[str, Any] = {**PART, "stop_training_after_unit": "EPOCH", "stop_training_after": 30}
DEFAULTS: dict[str, Any] = {
    "model_type": "STABLE_DIFFUSION_15", "training_method": "FINE_TUNE", "peft_type": "LORA",
    "learning_rate_scheduler": "CONSTANT", "learning_rate": 3e-6, "learning_rate_warmup_steps": 200,
    "learning_rate_cycles": 1.0, "learning_rate_min_factor": 0.0, "epochs": 100, "batch_size": 1,
    "gradient_accumulation_steps": 1, "learning_rate_scaler": "NONE", "clip_grad_norm": 1.0, "ema": "OFF",
    "ema_decay": 0.999, "ema_update_step_interval": 5, "train_dtype": "FLOAT_16", "resolution": "512",
    "aspect_ratio_bucketing": True, "text_encoder_layer_skip": 0, "text_encoder_2_layer_skip": 0,
    "rescale_noise_scheduler_to_zero_terminal_snr": False, "force_v_prediction": False,
    "force_epsilon_prediction": False, "offset_noise_weight": 0.0, "perturbation_noise_weight": 0.0,
    "timestep_distribution": "UNIFORM", "min_noising_strength": 0.0, "max_noising_strength": 1.0,
    "noising_weight": 0.0, "noising_bias": 0.0, "timestep_shift": 1.0, "dynamic_timestep_shifting": False,
    "masked_training": False, "unmasked_probability": 0.1, "unmasked_weight": 0.1, "normalize_masked_area_loss": False,
    "mse_strength": 1.0, "mae_strength": 0.0, "log_cosh_strength": 0.0, "huber_strength": 0.0, "huber_delta": 1.0,
    "loss_weight_fn": "CONSTANT", "loss_weight_strength": 5.0, "layer_filter_preset": "full", "layer_filter": "",
    "layer_filter_regex": False, "lora_rank": 16, "lora_alpha": 1.0, "dropout_probability": 0.0,
    "lora_decompose": False, "lora_decompose_output_axis": False, "oft_block_size": 32, "lokr_dim": 16,
    "lokr_decompose_factor": -1, "lokr_decompose_both": False, "lokr_use_tucker": False, "lokr_full_matrix": False,
    "lokr_weight_decompose": False, "lokr_dora_on_output": True, "bundle_additional_embeddings": True,
    "sample_after": 10, "sample_after_unit": "MINUTE", "backup_after": 30, "backup_after_unit": "MINUTE",
    "save_every": 0, "save_every_unit": "NEVER", "validation": False, "validate_after": 1,
    "validate_after_unit": "EPOCH", "rolling_backup": False, "rolling_backup_count": 3, "embedding_learning_rate": None,
    "preserve_embedding_norm": False, "include_train_config": "NONE", "gradient_checkpointing": True,
    "vae.weight_dtype": "FLOAT_32", "embedding_weight_dtype": "FLOAT_32", "lora_weight_dtype": "FLOAT_32",
    **{f"{part}.{name}": value for part in ("unet", "transformer", "prior") for name, value in PART.items()},
    **{f"text_encoder{n}.{name}": value for n in ("", "_2", "_3", "_4") for name, value in ENCODER.items()},
}  # fmt: skip
OPTIMIZER_DEFAULTS: dict[str, dict[str, Any]] = {
    "prodigy": {
        "beta2": 0.999, "weight_decay": 0.0, "use_bias_correction": False, "safeguard_warmup": False, "slice_p": 11,
    },
    "adafactor": {"scale_parameter": False}, "schedule_free_adamw": {"weight_decay": 0.01},
    "dadapt_lion": {"beta2": 0.99}, "sgd": {"momentum": 0.0},
}  # fmt: skip
WITHOUT = {
    r".*__version|__version": "import.not-a-setting",
    r"(cloud|secrets)\..*": "import.no-cloud",
    r"(multi_gpu|device_indexes|gradient_reduce_precision|.*gradient_reduce.*)": "import.no-many-cards",
    r"tensorboard.*|samples_to_tensorboard": "import.log",
    r"debug_mode|debug_dir|only_cache|continue_last_backup|prevent_overwrites|sample_skip_first|save_skip_first"
    r"|save_filename_prefix|backup_before_save|non_ema_sampling|sample_image_format|sample_(video|audio)_format"
    r"|clear_cache_before_training|dataloader_threads|concept_file_name|sample_definition_file_name"
    r"|rolling_backup.*": "import.of-its-window",
    r"train_device|temp_device|offline_mode|huggingface_cache_dir|workspace_dir|cache_dir|debug_dir|lora_weight_dtype"
    r"|embedding_weight_dtype|weight_dtype|fallback_train_dtype|enable_autocast_cache|attention_mechanism|compile"
    r"|async_offloading|enable_async_offloading|enable_activation_offloading|layer_offload_fraction"
    r"|gradient_checkpointing|latent_caching|quantization\..*|svd_.*": "import.memory-plan",
    r".*\.(offload_fraction|activation_offloading|gradient_checkpointing|weight_dtype|quantization.*)":
        "import.memory-plan",
    r".*\.(model_name|include|attention_mask|train_embedding|guidance_scale)": "import.of-the-part",
    r"(unet|transformer|prior|text_encoder(_\d)?|vae|effnet_encoder|decoder\w*|unconditional_transformer)\..*":
        "import.other-part",
    r"(oft|lokr|lora)_.*|peft_type|dropout_probability|bundle_additional_embeddings|layer_filter.*":
        "import.other-method",
    r"embedding\w*(\..*)?|preserve_embedding_norm": "import.not-used-there",
    r"learning_rate_(cycles|min_factor|warmup_steps)": "import.not-used-there",
    r"custom_learning_rate_scheduler|scheduler_params": "import.own-code",
    r"generalized_offset_noise|vb_loss_strength|loss_scaler|masked_prior_preservation_weight"
    r"|custom_conditioning_image|force_circular_padding|text_encoder(_\d)?_sequence_length|frames|huber_delta":
        "import.no-counterpart",
    r"optimizer_defaults\..*": "import.not-used-there",  # the last values of optimizers that are not chosen
    r"optimizer\..*": "import.no-optimizer-option",
}  # fmt: skip
