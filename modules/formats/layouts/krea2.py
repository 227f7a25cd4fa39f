"""Krea 2's names in single files, those of its authors, which ComfyUI kept."""

from __future__ import annotations

from modules.formats.layout import Layout, Row, within

BLOCK: tuple[Row, ...] = (
    ("attn.to_q", "attn.wq"),
    ("attn.to_k", "attn.wk"),
    ("attn.to_v", "attn.wv"),
    ("attn.to_out.0", "attn.wo"),
    ("attn.to_gate", "attn.gate"),
    ("attn.norm_q.weight", "attn.qknorm.qnorm.scale"),
    ("attn.norm_k.weight", "attn.qknorm.knorm.scale"),
    ("ff", "mlp"),
    ("norm1.weight", "prenorm.scale"),
    ("norm2.weight", "postnorm.scale"),
)
TRANSFORMER = Layout(
    ("img_in", "first"),
    ("time_embed.linear_1", "tmlp.0"),
    ("time_embed.linear_2", "tmlp.2"),
    ("time_mod_proj", "tproj.1"),
    ("txt_in.norm.weight", "txtmlp.0.scale"),
    ("txt_in.linear_1", "txtmlp.1"),
    ("txt_in.linear_2", "txtmlp.3"),
    ("final_layer.linear", "last.linear"),
    ("final_layer.norm.weight", "last.norm.scale"),
    ("final_layer.scale_shift_table", "last.modulation.lin"),
    ("transformer_blocks.{i}.scale_shift_table", "blocks.{i}.mod.lin", "flat"),
    *within("transformer_blocks.{i}", "blocks.{i}", *BLOCK),
    *within("text_fusion.layerwise_blocks.{i}", "txtfusion.layerwise_blocks.{i}", *BLOCK),
    *within("text_fusion.refiner_blocks.{i}", "txtfusion.refiner_blocks.{i}", *BLOCK),
    ("text_fusion", "txtfusion"),
)
