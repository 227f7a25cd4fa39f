"""The tab "general": the name of a run, its seed, and what this machine offers."""

from __future__ import annotations

from typing import Literal

from modules.preset.setting import Section, Setting


class General(Section):
    """Run"""

    name: str = Setting("", "Run name", scope="machine", max_length=100, aliases="output_name, project name, run_name")
    """Names the folder of the run and the finished model. Empty: the preset's title."""
    seed: int = Setting(42, "Seed", ge=0, lt=2**63, aliases="random seed, reproducibility, deterministic, reproducible")
    """The same seed, settings and images give the same run, bit for bit on the same machine, also after a resume."""
    workspace: str = Setting(
        "workspace", "Workspace", scope="machine", widget="folder",
        aliases="workspace_dir, output_dir, base_output_dir, logging folder, output folder",
    )  # fmt: skip
    """The folder that holds every run: samples, backups and finished models. A relative path starts at Seachange's own
    folder."""
    cache: str = Setting(
        "", "Cache folder", scope="machine", widget="folder", level="expert",
        aliases="cache_dir, cache_vae_outputs, latent cache, cache folder",
    )  # fmt: skip
    """Where encoded images (latents) and captions are kept, to be used again by later runs. Empty: a folder "cache" in
    the workspace."""
    cache_latents: bool = Setting(
        True, "Cache images", level="expert",
        aliases="cache_latents, cache_latents_to_disk, latent_caching, no cache, stream, streaming, on the fly",
    )  # fmt: skip
    """Encode every image before the first step and keep the latents. Off: each is encoded when its turn comes, and
    nothing is kept. That keeps the VAE in memory and takes time at each step, but none before the first, and no disk:
    for image sets that are shown once. Validation images are cached all the same: they are shown again and again."""
    cache_texts: bool = Setting(
        True, "Cache captions", level="expert",
        aliases="cache_text_encoder_outputs, text_encoder_caching, no cache, stream, streaming, on the fly",
    )  # fmt: skip
    """Encode every caption before the first step and keep the result. Off: captions are encoded when their turn comes,
    which keeps the text encoders in memory. Where captions vary too much to be listed, they are not cached anyway."""
    cache_limit: float = Setting(
        0.0, "Cache limit", ge=0, le=1_000_000, unit="GB", scope="machine", level="expert", zero="none",
        aliases="cache size, disk space, max cache size",
    )  # fmt: skip
    """How much of the disk the cache may take. What was not used for longest goes when a run has encoded its images;
    what that run needs stays."""
    device: Literal["auto", "cpu", "cuda"] = Setting(
        "auto", "Device", scope="machine", aliases="train_device, gpu, cuda, graphics card, cpu"
    )
    """Where the model is trained. "auto" takes the graphics card when there is one."""
    card_memory: float = Setting(
        0.0, "Memory of the card", ge=0, le=1024, unit="GB", scope="machine", zero="all it has",
        aliases="max_vram, vram limit, gpu memory limit, reserve vram, low_vram",
    )  # fmt: skip
    """How much of the graphics card's memory a run may take. The memory plan keeps within it. 0: all that the card has,
    less what the desktop takes."""
    prefer: Literal["exact", "balanced", "fast"] = Setting(
        "balanced", "Prefer", scope="machine", aliases="memory plan, low_vram, quality or speed"
    )
    """What the memory plan does with a model that is larger than the card. "exact": frozen weights keep all their
    digits, and blocks come from main memory, which is slow. "balanced": int8, then blocks from main memory, then nf4.
    "fast": int8, then nf4; blocks from main memory last; and blocks are compiled."""
    threads: int = Setting(
        0, "CPU threads", ge=0, le=256, scope="machine", level="expert", zero="automatic",
        aliases="num_cpu_threads_per_process, omp_num_threads",
    )  # fmt: skip
    """Threads for arithmetic on the CPU. 0 takes all cores but one, which stays free for the window and the system."""
    tf32: bool = Setting(True, "TF32", level="expert", aliases="allow_tf32, enable_tf32, tensor cores")
    """In fp32, a graphics card since the RTX 30 series multiplies matrices several times as fast, with 10 of 23 bits of
    each number. Off: exact and slow. bf16 and fp16 are not concerned."""
    workers: int = Setting(
        0, "Data loader workers", ge=0, le=64, scope="machine", level="expert", zero="automatic",
        aliases="dataloader_num_workers, max_data_loader_n_workers, dataloader_threads",
    )  # fmt: skip
    """Processes that read image headers. 0 takes one for each core, and none for small folders."""
    compile: Literal["auto", "on", "off"] = Setting(
        "auto", "Compile", scope="machine", level="expert",
        aliases="torch_compile, torch.compile, compile transformer blocks, dynamo_backend, inductor, triton, "
        "max-autotune",
    )  # fmt: skip
    """Compiles the denoiser's repeated blocks with torch.compile. The first step, and the first of a second size, take
    a minute or more; the steps after them are faster on a card, most of all with small batches. Where the compiler does
    not work (it needs triton, and a C++ compiler), the run says so once and goes on without. "auto": on a card, where
    "Prefer" is fast. Blocks that come from main memory are never compiled."""
    offline: bool = Setting(False, "Offline mode", scope="machine", aliases="HF_HUB_OFFLINE, internet")
    """Never use the internet: hub names are then found only if they were downloaded before."""
    tensorboard: bool = Setting(
        True, "TensorBoard log", level="expert",
        aliases="log_with, logging_dir, report_to, logging, loss graph, loss curve",
    )  # fmt: skip
    """Writes loss, learning rates, gradient norm, speed, memory and samples for TensorBoard."""

    @property
    def compiles(self) -> bool:
        """Whether blocks are compiled, once nothing is left to the plan."""
        return self.compile == "on"
