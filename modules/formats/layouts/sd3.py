"""Stable Diffusion 3's and 3.5's names in single files, those of Stability's MM-DiT."""

from __future__ import annotations

from modules.formats.layout import Layout, within

TRANSFORMER = Layout(
    ("pos_embed.pos_embed", "pos_embed"),
    ("pos_embed.proj", "x_embedder.proj"),
    *within("time_text_embed.timestep_embedder", "t_embedder", ("linear_1", "mlp.0"), ("linear_2", "mlp.2")),
    *within("time_text_embed.text_embedder", "y_embedder", ("linear_1", "mlp.0"), ("linear_2", "mlp.2")),
    ("proj_out", "final_layer.linear"),
    ("norm_out.linear", "final_layer.adaLN_modulation.1", "swap"),
    # The last block changes no text any more, so that this is a modulation as at the end.
    (
        "transformer_blocks.{last}.norm1_context.linear", "joint_blocks.{last}.context_block.adaLN_modulation.1",
        "swap",
    ),
    *within(
        "transformer_blocks.{i}", "joint_blocks.{i}",
        ("attn.to_q + attn.to_k + attn.to_v", "x_block.attn.qkv", "fuse"),
        ("attn.add_q_proj + attn.add_k_proj + attn.add_v_proj", "context_block.attn.qkv", "fuse"),
        ("attn2.to_q + attn2.to_k + attn2.to_v", "x_block.attn2.qkv", "fuse"),
        ("attn.norm_q", "x_block.attn.ln_q"),
        ("attn.norm_k", "x_block.attn.ln_k"),
        ("attn.norm_added_q", "context_block.attn.ln_q"),
        ("attn.norm_added_k", "context_block.attn.ln_k"),
        ("attn2.norm_q", "x_block.attn2.ln_q"),
        ("attn2.norm_k", "x_block.attn2.ln_k"),
        ("attn.to_out.0", "x_block.attn.proj"),
        ("attn.to_add_out", "context_block.attn.proj"),
        ("attn2.to_out.0", "x_block.attn2.proj"),
        ("norm1.linear", "x_block.adaLN_modulation.1"),
        ("norm1_context.linear", "context_block.adaLN_modulation.1"),
        ("ff.net.0.proj", "x_block.mlp.fc1"),
        ("ff.net.2", "x_block.mlp.fc2"),
        ("ff_context.net.0.proj", "context_block.mlp.fc1"),
        ("ff_context.net.2", "context_block.mlp.fc2"),
    ),
)  # fmt: skip
