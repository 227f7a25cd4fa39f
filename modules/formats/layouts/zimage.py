"""Z-Image's names in single files: those of its authors, which ComfyUI kept; query, key and value lie fused."""

from __future__ import annotations

from modules.formats.layout import Layout, Row, within

ATTENTION: tuple[Row, ...] = (
    ("to_q + to_k + to_v", "qkv", "fuse"),
    ("to_out.0", "out"),
    ("norm_q", "q_norm"),
    ("norm_k", "k_norm"),
)
TRANSFORMER = Layout(
    ("all_x_embedder.2-1", "x_embedder"),
    ("all_final_layer.2-1", "final_layer"),
    *within("layers.{i}.attention", "layers.{i}.attention", *ATTENTION),
    *within("noise_refiner.{i}.attention", "noise_refiner.{i}.attention", *ATTENTION),
    *within("context_refiner.{i}.attention", "context_refiner.{i}.attention", *ATTENTION),
    ("", "norm_final", "drop"),
)
