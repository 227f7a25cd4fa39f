"""Layers with settings of their own: a rate, and for adapters a rank."""

from __future__ import annotations

from modules.preset.setting import Section, Setting


class LayerGroup(Section):
    """Layer group"""

    layers: str = Setting("mid", "Layers", widget="layers", min_length=1)
    """Which layers these settings are for: names of sets and blocks ("mid", "attention", "input 4"), and regular
    expressions, separated by commas. Where several groups hold a layer, the first counts."""
    train: bool = Setting(True, "Train")
    """Off: these layers stay as they are, though the method would train them."""
    learning_rate: float = Setting(0.0, "Learning rate", ge=0, le=10, zero="as above")
    """For these layers alone. 0: that of their part."""
    rank: int = Setting(0, "Rank", ge=0, le=1024, level="expert", zero="as above")
    """For adapters: the width of the update of these layers. 0: the method's rank."""
    alpha: float = Setting(0.0, "Alpha", ge=0, le=4096, level="expert", zero="in proportion")
    """For adapters: its scale. 0: in the same proportion to the rank as the method's."""
