"""The tab "sampling": images made on the way, to see what has been learnt; and what samplers are called elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from modules.preset.setting import Section, Setting, When
from modules.preset.text.interval import IntervalText

# As A1111 writes them into its images. modules/diffusion/solvers.py and spacings.py hold a row for each.
SAMPLERS: dict[str, str] = {
    "euler": "Euler", "euler_a": "Euler a", "heun": "Heun", "dpm2": "DPM2", "dpm2_a": "DPM2 a", "dpmpp_2m": "DPM++ 2M",
    "dpmpp_2m_sde": "DPM++ 2M SDE", "dpmpp_3m_sde": "DPM++ 3M SDE", "dpmpp_sde": "DPM++ SDE", "ddim": "DDIM",
    "pndm": "PLMS", "lms": "LMS", "unipc": "UniPC", "lcm": "LCM", "tcd": "TCD",
}  # fmt: skip
FLOW_SAMPLERS = (  # that can follow a rectified flow
    "euler", "heun", "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_3m_sde", "dpmpp_sde", "unipc", "lcm",
)  # fmt: skip
SPACINGS: dict[str, str] = {
    "default": "", "uniform": "Uniform", "leading": "DDIM", "karras": "Karras", "exponential": "Exponential",
    "beta": "Beta",
}  # fmt: skip

# Other spellings, without what is no letter or figure. Where kohya means a sampler that has another name here.
_OTHERS: dict[str, str] = {
    "plms": "pndm", "dpmsolver": "dpmpp_2m", "dpmsolver++": "dpmpp_2m", "dpm++": "dpmpp_2m", "dpmsingle": "dpmpp_sde",
    "keuler": "euler", "keulera": "euler_a", "eulerancestral": "euler_a", "kdpm2": "dpm2", "kdpm2a": "dpm2_a",
    "klms": "lms", "dpm2ancestral": "dpm2_a",
}  # fmt: skip
_SPREADS = {
    "karras": "karras", "exponential": "exponential", "beta": "beta", "sgmuniform": "default", "simple": "default",
    "trailing": "default", "uniform": "uniform", "ddimuniform": "leading", "leading": "leading",
}  # fmt: skip


def sampler_named(text: str) -> dict[str, Any] | None:
    """The settings that a name stands for: "DPM++ 2M Karras" is a sampler and a spacing. None: nothing is called so."""
    plain = _plain(text)
    spread = next((name for name in _SPREADS if plain.endswith(name) and plain != name), "")
    for rest, spacing in ((plain, ""), (plain.removesuffix(spread), _SPREADS.get(spread, ""))):
        if name := _known().get(rest):
            return {"sampler": name, **({"spacing": spacing} if spacing else {})}
    return None


def _known() -> dict[str, str]:
    own = {_plain(name): name for name in SAMPLERS} | {_plain(title): name for name, title in SAMPLERS.items()}
    return {**_OTHERS, **own}


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9+]", "", text.lower())


if TYPE_CHECKING:
    SamplerName = SpacingName = str
else:
    SamplerName, SpacingName = Literal[*SAMPLERS], Literal[*SPACINGS]

NEW_EACH_TIME = -1  # as a seed


class Prompt(Section):
    """Sample prompt"""

    prompt: str = Setting("", "Prompt", aliases="positive prompt")
    """What to draw. (word) and (word:1.3) weigh more, [word] less, as in A1111; \\( is a bracket that weighs nothing.
    <lora:name:0.8> adds a file of the folder for LoRA files."""
    negative: str = Setting("", "Negative prompt", aliases="negative_validation_prompts")
    """What the image should not show."""
    seed: int = Setting(
        42, "Seed", ge=NEW_EACH_TIME, lt=2**63, aliases="random_seed, walk_seed, validation_seed, image seed"
    )
    """The same seed starts from the same noise, so that images of different steps can be compared. -1: another noise
    at every sampling, the same again when a run is repeated."""
    width: int = Setting(0, "Width", ge=0, le=8192, unit="pixels", zero="as trained", aliases="--w, image width")
    """0: the resolution of the training."""
    height: int = Setting(0, "Height", ge=0, le=8192, unit="pixels", zero="as trained", aliases="--h, image height")
    """0: the resolution of the training."""
    sampler: SamplerName = Setting(
        "euler",
        "Sampler",
        aliases="sample_sampler, sampler_name, noise_scheduler, sampling method, DPM++ 2M Karras, k-diffusion",
    )
    """How the noise is removed, step by step. DPM++ 2M with the schedule Karras is a good one for most models; Euler a
    and the SDE ones add noise on the way and never settle; LCM and TCD are for models made for 4 to 8 steps."""
    spacing: SpacingName = Setting(
        "default", "Schedule type", level="expert", aliases="timestep_spacing, sigmas, scheduler"
    )
    """How the steps are spread between noise and image. Default is what other programs call SGM uniform or simple, and
    begins at pure noise as training did. Karras spends more steps near the end, Beta at both ends."""
    flow_shift: float = Setting(
        0.0, "Flow shift", ge=0, le=100, level="expert", zero="as the model",
        aliases="--fs, scheduler shift, time shift, mu, ModelSamplingSD3, ModelSamplingFlux, discrete_flow_shift",
    )  # fmt: skip
    """For models of rectified flow: above 1 spends more steps near noise, which large images want. 0: as the model was
    made, for most by the size of the image."""
    steps: int = Setting(
        20, "Steps", ge=1, le=1000,
        aliases="num_inference_steps, diffusion_steps, sample_steps, sampling steps, validation_num_inference_steps",
    )  # fmt: skip
    """More are finer and slower. Usual: 20 to 30; 4 to 9 for models that were distilled to few steps (Turbo, Lightning,
    schnell, klein)."""
    guidance: float = Setting(
        7.0, "Guidance scale (CFG)", ge=0, le=100,
        aliases="cfg_scale, guidance_scale, classifier-free guidance, validation_guidance",
    )  # fmt: skip
    """How strictly the prompt is followed. 1: no guidance, and no negative prompt. Usual: 5 to 8; 3 to 5 for flow
    models, 1 for distilled ones."""
    distilled_guidance: float = Setting(
        0.0, "Distilled guidance", ge=0, le=100, zero="as usual",
        aliases="Distilled CFG Scale, guidance_scale, embedded guidance, flux guidance, FluxGuidance, --g",
    )  # fmt: skip
    """The guidance that the model is given as an input (FLUX.1 dev, FLUX.2 dev), which costs no time. The guidance
    scale above is then 1. Usual: 2.5 to 4; 30 for FLUX.1 Fill."""
    guidance_rescale: float = Setting(0.0, "CFG rescale", ge=0, le=1, level="expert", aliases="RescaleCFG")
    """Takes back the glaring contrast that strong guidance gives, above all with v-prediction and zero terminal SNR.
    0: off. Usual: 0.7 for such models."""
    cfg_plus_plus: bool = Setting(False, "CFG++", level="expert")
    """Guidance that stays nearer to what the model knows. The guidance is then 0 to 1, usually 0.6. With Euler and
    DDIM only."""
    guidance_start: float = Setting(0.0, "Guidance start", ge=0, lt=1, level="expert")
    """Share of the steps after which guidance begins. 0: at once. 0.1 gives more variety."""
    guidance_end: float = Setting(1.0, "Guidance end", gt=0, le=1, level="expert")
    """Share of the steps after which guidance ends. 1: never. 0.8 gives calmer surfaces, and saves time."""
    perturbation: Literal["none", "pag", "seg"] = Setting(
        "none", "Attention guidance (PAG, SEG)", level="expert",
        aliases="perturbed attention guidance, pag_scale, pag_applied_layers",
    )  # fmt: skip
    """Guides away from what the model would draw with a weakened self-attention: cleaner shapes, also without any
    prompt. PAG switches that attention off, SEG blurs it. Each step takes half as much time again."""
    perturbation_scale: float = Setting(
        3.0, "PAG/SEG scale", gt=0, le=100, level="expert", when=When("perturbation", ("pag", "seg")),
        aliases="pag_scale",
    )  # fmt: skip
    """How strong that guidance is. Usual: 3, and a guidance scale lowered to 4."""
    perturbation_layers: str = Setting(
        "mid", "PAG/SEG layers", level="expert", when=When("perturbation", ("pag", "seg")), aliases="pag_applied_layers"
    )
    """Which self-attention is weakened: mid, or the beginnings of names such as down_blocks.2 and
    up_blocks.1.attentions.0, separated by commas. Usual: mid."""
    seg_blur: float = Setting(
        0.0, "SEG blur", ge=0, le=1000, level="expert", when=When("perturbation", ("seg",)), zero="all"
    )
    """Width of SEG's blur in places of the attention. 0: all is one, the strongest. Usual: 0, or 10."""
    image: str = Setting(
        "", "Initial image (img2img)", level="expert", scope="machine", widget="file",
        aliases="img2img, init_image, base_image_path",
    )  # fmt: skip
    """Begin with this image in place of noise (img2img). It is cut to the size of the sample. Empty: noise alone."""
    strength: float = Setting(
        0.75, "Denoising strength", gt=0, le=1, level="expert", aliases="img2img strength, denoise"
    )
    """How much of the initial image is replaced. 0.3 keeps its shapes, 0.75 its rough places, 1 next to nothing."""
    mask: str = Setting(
        "", "Inpainting mask", level="expert", scope="machine", widget="file",
        aliases="inpainting, mask_image_path, sample_inpainting",
    )  # fmt: skip
    """Only what is white in this image is repainted (inpainting), the black rest stays as it is in the start image
    (but for what every VAE loses).
    Empty: all of it."""
    enabled: bool = Setting(True, "Enabled")
    """Off: this one stays in the list and is not drawn."""

    @property
    def reads_negative(self) -> bool:
        """Whether the denoiser is also asked with the negative prompt."""
        return self.guidance != 1 or self.cfg_plus_plus


class AddedLora(Section):
    """Extra LoRA for samples"""

    path: str = Setting("", "LoRA file", scope="machine", widget="file")
    """A LoRA file of any program."""
    strength: float = Setting(
        1.0, "Strength", ge=-10, le=10,
        aliases="strength_model, lora weight, multiplier, lora scale, network_multiplier",
    )  # fmt: skip
    """How much of it. 1: as it was made. Usual: 0.6 to 1."""
    enabled: bool = Setting(True, "Enabled")
    """Off: it stays in the list and is not used."""


class Sampling(Section):
    """Samples"""

    every: IntervalText = Setting(
        "100 steps", "Sample every", live=True, widget="interval",
        aliases="sample_every_n_steps, sample_every_n_epochs, sample_after, validation_steps, validation_epochs, "
        "validate_every_n_steps, validate_every_n_epochs, validation_step_interval, preview",
    )  # fmt: skip
    """How often images are made: "100 steps", "1 epoch", "10 minutes", "never"."""
    first: bool = Setting(True, "Sample before training", aliases="sample_at_first, baseline sample")
    """Shows what the model draws before it has learnt anything, to compare with."""
    last: bool = Setting(True, "Sample at the end")
    """Shows what the finished model draws."""
    grid: bool = Setting(False, "Overview grid", aliases="X/Y/Z plot, contact sheet")
    """Also one picture of all prompts side by side at each sampling, with their words: easy to share and to compare."""
    weights: Literal["ema", "live", "both"] = Setting(
        "ema", "Weights to sample", level="expert", when=When("training.ema", (True,)), aliases="non_ema_sampling"
    )
    """Sample with the EMA weights, with the weights as they are, or each prompt with both, one after the other."""
    prompt_weights: bool = Setting(
        True, "Prompt weighting", level="expert", aliases="attention emphasis, prompt emphasis"
    )
    """Read (word:1.3) and [word] in prompts as A1111 does. Off: brackets are only brackets, which suits tags such as
    "lily (flower)" that were learnt so."""
    lora_folder: str = Setting("", "LoRA folder", level="expert", scope="machine", widget="folder", aliases="lora_dir")
    """Where <lora:name:0.8> in a prompt finds its file. Only samples see it; what is trained does not change."""
    loras: tuple[AddedLora, ...] = Setting((), "Extra LoRA files", max_length=20, level="expert", aliases="LoraLoader")
    """LoRA files that every sample is made with, on top of what is being trained: to see how both go together."""
    skip_unread: bool = Setting(False, "Skip unreadable tensors", level="expert")
    """Uses what can be read of the LoRA files above and leaves out the rest (norms, biases, other relatives of LoRA).
    Off: a file with such tensors is refused."""
    prompts: tuple[Prompt, ...] = Setting(
        (), "Prompts", max_length=1000, aliases="sample_prompts, validation_prompts, sample definitions, test prompts"
    )
    """What is drawn each time."""
