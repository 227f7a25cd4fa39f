"""FLUX.1's names in single files, those of Black Forest Labs."""

from __future__ import annotations

from modules.formats.layout import Layout, Row, within

# Of blocks that FLUX.1 and Chroma have alike: where image and text are two streams, and where they are one
DOUBLE: tuple[Row, ...] = (
    ("attn.to_q + attn.to_k + attn.to_v", "img_attn.qkv", "fuse"),
    ("attn.add_q_proj + attn.add_k_proj + attn.add_v_proj", "txt_attn.qkv", "fuse"),
    ("attn.norm_q.weight", "img_attn.norm.query_norm.scale"),
    ("attn.norm_k.weight", "img_attn.norm.key_norm.scale"),
    ("attn.norm_added_q.weight", "txt_attn.norm.query_norm.scale"),
    ("attn.norm_added_k.weight", "txt_attn.norm.key_norm.scale"),
    ("attn.to_out.0", "img_attn.proj"),
    ("attn.to_add_out", "txt_attn.proj"),
    ("ff.net.0.proj", "img_mlp.0"),
    ("ff.net.2", "img_mlp.2"),
    ("ff_context.net.0.proj", "txt_mlp.0"),
    ("ff_context.net.2", "txt_mlp.2"),
)
SINGLE: tuple[Row, ...] = (
    ("attn.to_q + attn.to_k + attn.to_v + proj_mlp", "linear1", "fuse"),
    ("proj_out", "linear2"),
    ("attn.norm_q.weight", "norm.query_norm.scale"),
    ("attn.norm_k.weight", "norm.key_norm.scale"),
)
ENDS: tuple[Row, ...] = (
    ("x_embedder", "img_in"),
    ("context_embedder", "txt_in"),
    ("proj_out", "final_layer.linear"),
)
TRANSFORMER = Layout(
    *ENDS,
    ("norm_out.linear", "final_layer.adaLN_modulation.1", "swap"),
    *within("time_text_embed.timestep_embedder", "time_in", ("linear_1", "in_layer"), ("linear_2", "out_layer")),
    *within("time_text_embed.text_embedder", "vector_in", ("linear_1", "in_layer"), ("linear_2", "out_layer")),
    *within("time_text_embed.guidance_embedder", "guidance_in", ("linear_1", "in_layer"), ("linear_2", "out_layer")),
    *within("transformer_blocks.{i}", "double_blocks.{i}", *DOUBLE),
    ("transformer_blocks.{i}.norm1.linear", "double_blocks.{i}.img_mod.lin"),
    ("transformer_blocks.{i}.norm1_context.linear", "double_blocks.{i}.txt_mod.lin"),
    *within("single_transformer_blocks.{i}", "single_blocks.{i}", *SINGLE),
    ("single_transformer_blocks.{i}.norm.linear", "single_blocks.{i}.modulation.lin"),
)

# What XLabs' files of LoRAs call the attention's layers. In blocks of one stream the MLP's are not theirs.
XLABS = Layout(
    *within(
        "transformer_blocks.{i}", "double_blocks.{i}.processor",
        ("attn.to_q + attn.to_k + attn.to_v", "qkv_lora1", "fuse"),
        ("attn.add_q_proj + attn.add_k_proj + attn.add_v_proj", "qkv_lora2", "fuse"),
        ("attn.to_out.0", "proj_lora1"),
        ("attn.to_add_out", "proj_lora2"),
    ),
    *within(
        "single_transformer_blocks.{i}", "single_blocks.{i}.processor",
        ("attn.to_q + attn.to_k + attn.to_v", "qkv_lora", "fuse"),
        ("proj_out", "proj_lora"),
    ),
)  # fmt: skip
