"""The tab "general": the name of a run, its seed, and what this machine offers."""

from __future__ import annotations

from typing import Literal

from modules.preset.setting import Section, Setting


class General(Section):
    """Run"""

    name: str = Setting("", "Run name", scope="machine", max_length=100)
    """Names the folder of the run and the finished model. Empty: the preset's title."""
    seed: int = Setting(42, "Seed", ge=0, lt=2**63)
    """The same seed, settings and images give the same run, bit for bit on the same machine, also after a resume."""
    workspace: str = Setting("workspace", "Workspace", scope="machine", widget="folder")
    """The folder that holds every run: samples, backups and finished models. A relative path starts at Seachange's own
    folder."""
    cache: str = Setting("", "Cache folder", scope="machine", widget="folder", level="expert")
    """Where encoded images and captions are kept and found again by later runs. Empty: a folder "cache" in the
    workspace."""
    device: Literal["auto", "cpu", "cuda"] = Setting("auto", "Device", scope="machine")
    """Where the model is trained. "auto" takes the graphics card when there is one."""
    threads: int = Setting(0, "CPU threads", ge=0, le=256, scope="machine", level="expert", zero="automatic")
    """Threads for arithmetic on the CPU. 0 takes all cores but one, which stays free for the window and the system."""
    workers: int = Setting(0, "Loading workers", ge=0, le=64, scope="machine", level="expert", zero="automatic")
    """Processes that read image headers. 0 takes one for each core, and none for small folders."""
    offline: bool = Setting(False, "Never use the internet", scope="machine")
    """Hub names are then found only if they were downloaded before."""
    tensorboard: bool = Setting(True, "Write TensorBoard records", level="expert")
    """Loss, learning rates, gradient norm, speed, memory and samples, for TensorBoard."""
