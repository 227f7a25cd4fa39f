"""Chroma1's names in single files: FLUX.1's, with one small net for all modulations."""

from __future__ import annotations

from modules.formats.layout import Layout, within
from modules.formats.layouts.flux1 import DOUBLE, ENDS, SINGLE

TRANSFORMER = Layout(
    *ENDS,
    *within("transformer_blocks.{i}", "double_blocks.{i}", *DOUBLE),
    *within("single_transformer_blocks.{i}", "single_blocks.{i}", *SINGLE),
    ("distilled_guidance_layer.layers.{i}.linear_1", "distilled_guidance_layer.layers.{i}.in_layer"),
    ("distilled_guidance_layer.layers.{i}.linear_2", "distilled_guidance_layer.layers.{i}.out_layer"),
    ("distilled_guidance_layer.norms.{i}.weight", "distilled_guidance_layer.norms.{i}.scale"),
)
