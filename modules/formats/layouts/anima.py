"""Anima's names in single files: Cosmos-Predict2's. The net that reads the text beside them has diffusers'."""

from __future__ import annotations

from modules.formats.layout import Layout, Row, within

ATTENTION: tuple[Row, ...] = (
    ("to_q", "q_proj"),
    ("to_k", "k_proj"),
    ("to_v", "v_proj"),
    ("to_out.0", "output_proj"),
    ("norm_q", "q_norm"),
    ("norm_k", "k_norm"),
)
TRANSFORMER = Layout(
    ("patch_embed.proj", "x_embedder.proj.1"),
    ("time_embed.t_embedder", "t_embedder.1"),
    ("time_embed.norm", "t_embedding_norm"),
    ("norm_out.linear_1", "final_layer.adaln_modulation.1"),
    ("norm_out.linear_2", "final_layer.adaln_modulation.2"),
    ("proj_out", "final_layer.linear"),
    *within("transformer_blocks.{i}.attn1", "blocks.{i}.self_attn", *ATTENTION),
    *within("transformer_blocks.{i}.attn2", "blocks.{i}.cross_attn", *ATTENTION),
    *within(
        "transformer_blocks.{i}", "blocks.{i}",
        ("norm1.linear_1", "adaln_modulation_self_attn.1"),
        ("norm1.linear_2", "adaln_modulation_self_attn.2"),
        ("norm2.linear_1", "adaln_modulation_cross_attn.1"),
        ("norm2.linear_2", "adaln_modulation_cross_attn.2"),
        ("norm3.linear_1", "adaln_modulation_mlp.1"),
        ("norm3.linear_2", "adaln_modulation_mlp.2"),
        ("ff.net.0.proj", "mlp.layer1"),
        ("ff.net.2", "mlp.layer2"),
    ),
    ("", "llm_adapter", "drop"),  # another component's
    ("", "accum_video_sample_counter", "drop"),
    ("", "accum_image_sample_counter", "drop"),
    ("", "accum_iteration", "drop"),
    ("", "accum_train_in_hours", "drop"),
    ("", "pos_embedder", "drop"),
    ("", "_extra_state", "drop"),
)  # fmt: skip
