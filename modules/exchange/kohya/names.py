"""sd-scripts' own defaults, its words for families and kinds of LoRA, and what of it has no counterpart."""

from __future__ import annotations

from typing import Any

DEFAULTS: dict[str, Any] = {
    "learning_rate": 2e-6, "max_train_steps": 1600, "train_batch_size": 1, "gradient_accumulation_steps": 1,
    "max_grad_norm": 1.0, "lr_scheduler": "constant", "lr_warmup_steps": 0, "lr_scheduler_num_cycles": 1,
    "lr_scheduler_power": 1.0, "lr_decay_steps": 0, "lr_scheduler_min_lr_ratio": None, "optimizer_type": "AdamW",
    "network_alpha": 1.0, "loss_type": "l2", "huber_schedule": "snr", "huber_c": 0.1, "prior_loss_weight": 1.0,
    "multires_noise_discount": 0.3, "min_timestep": 0, "max_timestep": 1000, "save_precision": None,
    "enable_bucket": False, "min_bucket_reso": 256, "max_bucket_reso": 1024, "bucket_reso_steps": 64,
    "bucket_no_upscale": False, "keep_tokens": 0, "caption_separator": ",", "caption_extension": ".caption",
    "caption_dropout_rate": 0.0, "caption_tag_dropout_rate": 0.0, "caption_dropout_every_n_epochs": 0,
    "token_warmup_min": 1, "token_warmup_step": 0, "num_repeats": 1, "timestep_sampling": "sigma",
    "sigmoid_scale": 1.0, "discrete_flow_shift": 3.0, "training_shift": 1.0,
    "guidance_scale": 3.5, "num_vectors_per_token": 1,
    "logit_mean": 0.0, "logit_std": 1.0, "mode_scale": 1.29, "sample_sampler": "ddim", "noise_offset": 0.0,
    "gradient_checkpointing": False,
}  # fmt: skip
SCRIPTS = {
    "sdxl_": "sdxl", "flux_": "flux1", "sd3_": "sd3", "anima_": "anima", "lumina_": "", "hunyuan_": "",
    "qwen_image_": "qwen_image", "zimage_": "zimage", "flux_2_": "flux2", "krea2_": "krea2", "wan_": "", "hv_": "",
    "fpack_": "", "hidream": "", "kandinsky": "", "ideogram": "",
}  # fmt: skip
MODULES = {
    "lora_flux": "flux1", "oft_flux": "flux1", "lora_sd3": "sd3", "lora_anima": "anima",
    "lora_qwen_image": "qwen_image", "lora_krea2": "krea2",
    "lora_zimage": "zimage", "lora_lumina": "", "lora_hunyuan_image": "", "lora_wan": "", "lora_flux_2": "flux2",
}  # fmt: skip
KINDS = {  # by network modules and by LyCORIS's algorithms
    "lora": "lora", "locon": "lora", "loha": "loha", "lokr": "lokr", "diag-oft": "oft", "oft": "oft", "full": "full",
    "lora_flux": "lora", "lora_sd3": "lora", "lora_anima": "lora", "lora_qwen_image": "lora", "lora_zimage": "lora",
    "lora_flux_2": "lora", "oft_flux": "oft", "lora_krea2": "lora",
}  # fmt: skip
LORA_TYPES = {  # kohya_ss: the module, and LyCORIS's algorithm
    "Standard": ("networks.lora", ""), "LoCon": ("networks.lora", ""), "Kohya LoCon": ("networks.lora", ""),
    "Kohya DyLoRA": ("networks.dylora", ""), "LoRA-FA": ("networks.lora_fa", ""),
    "Kohya LoHa": ("networks.loha", ""), "Kohya LoKr": ("networks.lokr", ""),
    "Flux1": ("networks.lora_flux", ""), "Flux1 OFT": ("networks.oft_flux", ""), "Anima": ("networks.lora_anima", ""),
    "Lumina": ("networks.lora_lumina", ""), "HunyuanImage-2.1": ("networks.lora_hunyuan_image", ""),
    "LyCORIS/LoCon": ("lycoris.kohya", "locon"), "LyCORIS/LoHa": ("lycoris.kohya", "loha"),
    "LyCORIS/LoKr": ("lycoris.kohya", "lokr"), "LyCORIS/Diag-OFT": ("lycoris.kohya", "diag-oft"),
    "LyCORIS/BOFT": ("lycoris.kohya", "boft"), "LyCORIS/GLoRA": ("lycoris.kohya", "glora"),
    "LyCORIS/iA3": ("lycoris.kohya", "ia3"), "LyCORIS/DyLoRA": ("lycoris.kohya", "dylora"),
    "LyCORIS/Native Fine-Tuning": ("lycoris.kohya", "full"),
}  # fmt: skip
NETWORK_OPTIONS = (  # settings of its window that are arguments of the network
    "algo", "conv_dim", "conv_alpha", "rank_dropout", "module_dropout", "factor", "decompose_both", "use_tucker",
    "use_cp", "full_matrix", "constrain", "constraint", "dora_wd", "wd_on_output", "wd_on_out", "preset",
    "loraplus_lr_ratio", "loraplus_unet_lr_ratio", "loraplus_text_encoder_lr_ratio", "block_dims", "block_alphas",
    "conv_block_dims", "conv_block_alphas", "down_lr_weight", "mid_lr_weight", "up_lr_weight",
    "block_lr_zero_threshold", "bypass_mode", "rescaled", "train_norm", "use_scalar", "unit", "train_blocks",
    "train_double_block_indices", "train_single_block_indices", "split_qkv", "train_t5xxl", "rs_lora", "unbalanced",
    "img_attn_dim", "txt_attn_dim", "img_mlp_dim", "txt_mlp_dim", "img_mod_dim", "txt_mod_dim", "single_dim",
    "single_mod_dim", "in_dims", "verbose", "disable_conv_cp", "dropout", "rank_dropout_scale", "block_size",
    "use_conv_cp", "weight_decompose", "ggpo_beta", "ggpo_sigma", "network_reg_dims", "network_reg_lrs",
)  # fmt: skip
SUBSET = (  # what a subset of images may say for itself
    "num_repeats", "shuffle_caption", "caption_separator", "keep_tokens", "keep_tokens_separator",
    "secondary_separator", "enable_wildcard", "caption_prefix", "caption_suffix", "caption_dropout_rate",
    "caption_dropout_every_n_epochs", "caption_tag_dropout_rate", "token_warmup_min", "token_warmup_step", "color_aug",
    "flip_aug", "random_crop", "alpha_mask", "masked_loss", "caption_extension", "class_tokens", "is_reg", "image_dir",
    "metadata_file", "conditioning_data_dir", "face_crop_aug_range",
)  # fmt: skip
WITHOUT = {
    r"xformers|sdpa|mem_eff_attn|diffusers_xformers|lowram|highvram|low_vram|fp8_base\w*|full_fp16|full_bf16|cache_\w+"
    r"|vae_batch_size|vae_chunk_size|no_half_vae|blocks_to_swap|\w+_blocks_to_swap|fused_\w+|blockwise_fused\w*"
    r"|cpu_offload_checkpointing|gradient_checkpointing|torch_compile|dynamo_\w+|compile\w*|split_mode|mem_eff_save"
    r"|max_data_loader_n_workers|persistent_data_loader_workers|num_cpu_threads_per_process|skip_cache_check"
    r"|text_encoder_batch_size|t5xxl_device|t5xxl_dtype|dtype|disable_mmap\w*|flux1_cache_\w+|sdxl_cache_\w+"
    r"|sdxl_no_half_vae|sd3_cache_\w+|fp8_\w+|attn_mode|split_attn|flux_fused\w*|no_token_padding"
    r"|accelerator_\w+": "import.memory-plan",
    r"num_machines|num_processes|multi_gpu|gpu_ids|main_process_port|ddp_\w+|deepspeed|zero\w*|offload_\w+"
    r"|fp16_master\w*|same_network|rdzv\w*|extra_accelerate_launch_args|accelerate\w*": "import.no-many-cards",
    r"log\w*|wandb\w*|use_wandb|tensorboard\w*|save_\w+_to_huggingface|huggingface\w*|async_upload|resume_from\w*"
    r"|tracker\w*|console\w*|debug_dataset": "import.log",
    r"batch_size|create_\w+|full_path|generate_\w+|latent_metadata_filename|train_dir|train_on_input|keep_n_tokens"
    r"|metadata_\w+|no_metadata|training_comment|model_list|save_as|caption_metadata\w*|created_.*|meta\w*"
    r"|save_model_as|use_safetensors|save_n_epoch_ratio|save_last_n\w*|save_state\w*|resume|initial_\w+|skip_until\w*"
    r"|output_\w+|logging_dir|log_dir|headless|config_file|use_latent_files|sample_at_first|tokenizer_cache_dir"
    r"|dataset_class|gui\w*|LoRA_type|LyCORIS_preset": "import.of-its-window",
    r"stop_text_encoder_training(_pct)?": "import.share-of-epochs",
    r"scale_v_pred_loss\w*|v_pred_like_loss|face_crop_aug_range|adaptive_noise_scale|base_weights\w*"
    r"|extra_\w*|bucket_selection\w*|resize_interpolation|huber_scale|sample_sampler|network_multiplier"
    r"|masked_loss|vae_reflection|cond_\w+|unit|train_norm|rescaled|train_llm\w*": "import.no-counterpart",
    r"optimizer_schedulefree\w*|schedulefree\w*|lr_scheduler_args|lr_scheduler_type": "import.own-code",
    r"validat\w+|max_validation_steps": "import.other-validation",
    r"(flow_shift|flux1|sd3|lumina|hunyuan|anima|hidream|chroma|qwen\w*)_?\w*|clip_\w+|t5xxl\w*|ae|gemma2|apply_\w+|qwen3"
    r"|model_prediction_type|weighting_scheme|logit_\w+|mode_scale|training_shift|pos_emb\w*|enable_scaled_pos_embed"
    r"|guidance_scale|discrete_flow_shift|timestep_sampling|sigmoid_scale|t5_\w+|system_prompt|use_flash_attn"
    r"|use_sage_attn|llm_adapter\w*": "import.other-family",
    r"network_\w+|conv_\w+|block_\w+|down_lr\w*|mid_lr\w*|up_lr\w*|dim_from_weights|lora_network_weights|unet_lr"
    r"|text_encoder_lr|scale_weight_norms|dylora\w*|algo|factor|use_cp|use_tucker|use_scalar|bypass_mode"
    r"|decompose_both|dora_wd|constrain|rank_dropout\w*|module_dropout|weights|init_word|token_string|template"
    r"|use_\w+_template|num_vectors_per_token|train_blocks|\w+_block_indices|\w+_dims?|split_qkv|ggpo_\w+"
    r"|loraplus\w*|learning_rate_te\d?|train_text_encoder|full_matrix|learning_rate_\w+"
    r"|block_lr": "import.other-method",
    r"lr_\w+|min_snr_gamma|huber_\w+|multires_\w+|noise_\w+|ip_noise\w*|token_warmup\w*|\w*bucket\w*|epoch"
    r"|max_train_\w+|dataset_\w+|num_repeats|reg_data_dir|train_data_dir|in_json|image_folder|caption_\w+|keep_tokens\w*"
    r"|sample_\w+|lr_scheduler|class_tokens": "import.not-used-there",
}  # fmt: skip
