"""SimpleTuner's own defaults, its words for families, and what of it has no counterpart."""

from __future__ import annotations

from typing import Any

FAMILY_NAMES = {
    "sd1x": "sd", "sd2x": "sd", "sdxl": "sdxl", "sd3": "sd3", "flux": "flux1", "flux2": "flux2", "chroma": "chroma",
    "qwen_image": "qwen_image", "z_image": "zimage", "anima": "anima", "krea2": "krea2",
}  # fmt: skip
FLAVOURS = {  # on the hub, where no model is named; the first of a family is its default
    "sdxl": {"base-1.0": "stabilityai/stable-diffusion-xl-base-1.0"},
    "sd3": {"medium": "stabilityai/stable-diffusion-3.5-medium", "large": "stabilityai/stable-diffusion-3.5-large"},
    "flux": {"krea": "black-forest-labs/FLUX.1-Krea-dev", "dev": "black-forest-labs/FLUX.1-dev",
             "schnell": "black-forest-labs/FLUX.1-schnell"},
    "flux2": {"klein-9b": "black-forest-labs/FLUX.2-klein-base-9B", "dev": "black-forest-labs/FLUX.2-dev",
              "klein-4b": "black-forest-labs/FLUX.2-klein-base-4B"},
    "chroma": {"base": "lodestones/Chroma1-Base", "hd": "lodestones/Chroma1-HD", "flash": "lodestones/Chroma1-Flash"},
    "qwen_image": {"v2.0": "Qwen/Qwen-Image-2512", "v1.0": "Qwen/Qwen-Image"},
    "z_image": {"turbo-ostris-v2": "Tongyi-MAI/Z-Image-Turbo", "turbo": "Tongyi-MAI/Z-Image-Turbo",
                "base": "Tongyi-MAI/Z-Image", "ostris-de-turbo": "Tongyi-MAI/Z-Image-Turbo"},
}  # fmt: skip
QUANTIZED = {
    "int8": "int8",
    "fp8": "int8",
    "fp8uz": "int8",
    "int4": "nf4",
    "int2": "nf4",
    "nf4": "nf4",
    "uint8": "int8",
}
ALGORITHMS = {"lora": "lora", "locon": "lora", "lokr": "lokr", "loha": "loha", "full": "full", "diag-oft": "oft"}
DEFAULTS: dict[str, Any] = {
    "num_train_epochs": 1, "max_train_steps": 0, "train_batch_size": 4, "learning_rate": 4e-7,
    "optimizer": "adamw_bf16", "lr_scheduler": "constant_with_warmup", "lr_warmup_steps": 0, "lr_power": 0.8,
    "lr_end": 4e-7, "lr_num_cycles": 1, "gradient_accumulation_steps": 1, "gradient_checkpointing": True,
    "checkpoints_total_limit": 5, "train_text_encoder": False, "use_ema": False, "ema_device": "cpu",
    "ema_decay": 0.995, "ema_update_interval": 1, "max_grad_norm": 2.0, "grad_clip_method": "value",
    "lora_rank": 16, "lora_type": "standard", "lora_dropout": 0.1, "use_dora": False, "loss_type": "l2",
    "huber_schedule": "snr", "huber_c": 0.1, "snr_gamma": 0, "use_soft_min_snr": False, "resolution": 1024,
    "resolution_type": "pixel_area", "caption_strategy": "filename", "model_type": "full", "mixed_precision": "bf16",
    "base_model_precision": "no_change", "offset_noise": False, "noise_offset": 0.1, "noise_offset_probability": 0.25,
    "input_perturbation": 0.0, "flow_sigmoid_scale": 1.0, "flow_use_uniform_schedule": False,
    "flow_use_beta_schedule": False, "flow_beta_schedule_alpha": 2.0, "flow_beta_schedule_beta": 2.0,
    "flow_schedule_shift": 3.0, "flow_schedule_auto_shift": False, "aspect_bucket_alignment": 64,
    "validation_step_interval": 100, "validation_guidance": 7.5, "validation_num_inference_steps": 30,
    "rescale_betas_zero_snr": False, "num_validation_images": 1, "set_grads_to_none": False,
}  # fmt: skip
DATASET: dict[str, Any] = {
    "dataset_type": "image", "type": "local", "repeats": 0, "probability": 1.0, "disabled": False, "crop": False,
    "crop_style": "random", "crop_aspect": "square", "is_regularisation_data": False, "minimum_image_size": 0,
    "prepend_instance_prompt": False, "only_instance_prompt": False, "metadata_backend": "discovery",
}  # fmt: skip
RENAMED = {"validation_steps": "validation_step_interval", "checkpointing_steps": "checkpoint_step_interval",
           "rank": "lora_rank", "dataloader_config": "data_backend_config", "flux_schedule_shift":
           "flow_schedule_shift", "flux_schedule_auto_shift": "flow_schedule_auto_shift"}  # fmt: skip
ENVIRONMENT = {  # of config.env, where the name is not that of the argument in capitals
    "RESUME_CHECKPOINT": "resume_from_checkpoint", "DATALOADER_CONFIG": "data_backend_config", "TRAINING_SEED": "seed",
    "MINIMUM_RESOLUTION": "minimum_image_size", "MAX_NUM_STEPS": "max_train_steps", "NUM_EPOCHS": "num_train_epochs",
    "CHECKPOINTING_STEPS": "checkpoint_step_interval", "CHECKPOINTING_LIMIT": "checkpoints_total_limit",
    "HUB_MODEL_NAME": "hub_model_id", "MODEL_NAME": "pretrained_model_name_or_path",
    "USE_GRADIENT_CHECKPOINTING": "gradient_checkpointing", "VALIDATION_STEPS": "validation_step_interval",
    "LR_SCHEDULE": "lr_scheduler", "TRAINING_NUM_PROCESSES": "num_processes", "TRAINING_NUM_MACHINES": "num_machines",
    "PUSH_CHECKPOINTS": "push_checkpoints_to_hub",
}  # fmt: skip
WITHOUT = {
    r"output_dir|cache_dir\w*|instance_data_dir": "import.own-folders",
    r"hub_\w+|push_\w+|report_to|tracker_\w+|logging_dir|model_card\w*|publishing\w*|webhook\w*": "import.log",
    r"resume_from_checkpoint|disable_benchmark|i_know_what\w*|skip_file_discovery|data_backend\w*|disable_bucket\w*"
    r"|num_eval_images|eval_\w+|validation_(torch_compile|prompt_library|preview\w*|disable|method|lycoris\w*"
    r"|on_startup|randomize|image_\w+|seed_source|multigpu|disable_unconditional)|num_validation_images|print_\w+|debug\w*"
    r"|compress_disk_cache|override\w*|preserve\w*|allow_dataset\w*|metadata_update\w*|ignore_missing\w*":
        "import.of-its-window",
    r"vae_\w+|quantize_via|fuse_\w+|sdnq\w*|attention_\w+|gradient_\w+|ramtorch\w*|group_offload\w*|enable_\w+"
    r"|offload\w*|musubi\w*|base_model_default_dtype|text_\w*cache\w*|keep_vae\w*|dynamo\w*|dataloader\w*|max_workers"
    r"|\w+_batch_size|\w+_count|allow_tf32|disable_tf32|mixed_precision|torch_\w+|low_\w+": "import.memory-plan",
    r"num_processes|num_machines|accelerate\w*|machine_\w+|main_process\w*|fsdp\w*|deepspeed\w*|same_network":
        "import.no-many-cards",
    r"evaluation_\w+|eval_\w+": "import.other-validation",
    r"flow_\w+|flux_\w+|t5_\w+|fused_qkv\w*|text_encoder_\d_\w+": "import.other-family",
    r"lora_\w+|lycoris_\w+|init_\w+|peft_\w+|use_dora": "import.other-method",
    r"noise_offset\w*|ema_\w+|huber_\w+|lr_\w+|minimum_image_size|text_encoder_lr|grad_clip_method|max_grad_norm"
    r"|resolution_type|caption_strategy|snr_\w+|instance_prompt": "import.not-used-there",
    r".*": "import.no-counterpart",
}  # fmt: skip
WITHOUT_DATASET = {
    r"id|metadata_backend|cache_\w+|preserve\w*|skip_file\w*|text_embeds|image_embeds|vae_cache\w*|type|dataset_type"
    r"|default|metadata|delete_\w+|hash_filenames": "import.of-its-window",
    r"resolution_type|crop_\w+|minimum_image_size|probability": "import.not-used-there",
    r".*": "import.no-counterpart",
}  # fmt: skip
