"""FLUX.2's names in single files, those of Black Forest Labs; those of its VAE are `kl_vae`'s."""

from __future__ import annotations

from modules.formats.layout import Layout, within

TRANSFORMER = Layout(
    ("x_embedder", "img_in"),
    ("context_embedder", "txt_in"),
    ("proj_out", "final_layer.linear"),
    ("norm_out.linear", "final_layer.adaLN_modulation.1", "swap"),
    ("time_guidance_embed.timestep_embedder.linear_1", "time_in.in_layer"),
    ("time_guidance_embed.timestep_embedder.linear_2", "time_in.out_layer"),
    ("time_guidance_embed.guidance_embedder.linear_1", "guidance_in.in_layer"),
    ("time_guidance_embed.guidance_embedder.linear_2", "guidance_in.out_layer"),
    ("double_stream_modulation_img.linear", "double_stream_modulation_img.lin"),
    ("double_stream_modulation_txt.linear", "double_stream_modulation_txt.lin"),
    ("single_stream_modulation.linear", "single_stream_modulation.lin"),
    *within(
        "transformer_blocks.{i}", "double_blocks.{i}",
        ("attn.to_q + attn.to_k + attn.to_v", "img_attn.qkv", "fuse"),
        ("attn.add_q_proj + attn.add_k_proj + attn.add_v_proj", "txt_attn.qkv", "fuse"),
        ("attn.norm_q.weight", "img_attn.norm.query_norm.scale"),
        ("attn.norm_k.weight", "img_attn.norm.key_norm.scale"),
        ("attn.norm_added_q.weight", "txt_attn.norm.query_norm.scale"),
        ("attn.norm_added_k.weight", "txt_attn.norm.key_norm.scale"),
        ("attn.to_out.0", "img_attn.proj"),
        ("attn.to_add_out", "txt_attn.proj"),
        ("ff.linear_in", "img_mlp.0"),
        ("ff.linear_out", "img_mlp.2"),
        ("ff_context.linear_in", "txt_mlp.0"),
        ("ff_context.linear_out", "txt_mlp.2"),
    ),
    *within(
        "single_transformer_blocks.{i}", "single_blocks.{i}",
        ("attn.to_qkv_mlp_proj", "linear1"),
        ("attn.to_out", "linear2"),
        ("attn.norm_q.weight", "norm.query_norm.scale"),
        ("attn.norm_k.weight", "norm.key_norm.scale"),
    ),
)  # fmt: skip
