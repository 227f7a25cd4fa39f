"""Qwen-Image's names in single files: diffusers' own."""

from __future__ import annotations

from modules.formats.layout import Layout

TRANSFORMER = Layout()
