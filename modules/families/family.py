"""The contract of a model family. A family is one file that subclasses this and nothing else.

Shapes: B batch, C latent channels, h w latent size, H W pixel size, T tokens, D embedding width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modules.catalog import FamilyCard, SamplingDefaults
from modules.catalog.card import LoraFormat
from modules.diffusion.noise_schedule import NoiseSchedule, RectifiedFlow
from modules.diffusion.shift import ConstantShift, Shift
from modules.errors import UserError
from modules.families.condition import Condition
from modules.formats.adapter_names import Spellings
from modules.formats.checkpoint import Link
from modules.placement.holding import AS_THEY_ARE, Holding
from modules.sentences.problem import Problem
from modules.system.weights import Weights


def unheard(said: Problem) -> None:
    """Where nobody listens."""


@dataclass(frozen=True)
class LoadOptions:
    """How a model is to be held."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32
    vae_dtype: torch.dtype = torch.float32
    vae_tiling: str = "off"  # "auto", "off", "on": whether the VAE works in tiles
    holding: Holding = AS_THEY_ARE  # of the denoiser's weights, where nobody trains them
    variant: str = "auto"  # the title of the variant that it is, where the files do not tell
    others: Mapping[str, str] = field(default_factory=dict[str, str])  # by component: a file or folder in its place
    text_memory: int | None = None  # bytes that a frozen text encoder may take; None: most of what is free
    clip_skip: int = 0
    max_chunks: int = 8
    weighted_captions: bool = False  # (words:1.2) in captions are weights
    offline: bool = False
    prediction: str = "auto"  # "epsilon", "v_prediction", "flow", or what the model says
    flow_shift: float = 1.0  # of sampling, for a flow whose files say nothing of it
    zero_terminal_snr: str = "auto"  # "on", "off", or what the model says
    report: Callable[[Problem], None] = unheard  # is given what is done while a model is opened

    def holding_of(self, component: str) -> Holding:
        """How the weights of a component are held."""
        return self.holding if component == "denoiser" else AS_THEY_ARE


class Family(ABC):
    """The weights of one architecture, and what training and sampling ask of them.

    A family knows nothing of adapters, optimizers, caches or windows. Its parts are read from disk when they are first
    asked for and can be let go again: a part that nobody trains need not stay.
    """

    name: ClassVar[str]  # its key in the catalog
    card: ClassVar[FamilyCard]  # its row there
    downscale: ClassVar[int] = 8  # pixels per latent, on a side

    # What it knows of itself without reading weights
    noise_schedule: NoiseSchedule
    channels: int  # of a latent
    model_name: str = ""  # what it was opened as: a file, a folder or a name on the hub
    options: LoadOptions
    text_encoders: ClassVar[tuple[str, ...]]  # names of the components that read captions, from the card
    layer_groups: ClassVar[dict[str, tuple[str, ...]]]  # its sets of layers, as regular expressions over module names
    cache_dir: Path | None = None  # where hashes of large files are remembered

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "card" in vars(cls):
            cls.text_encoders = cls.card.text_encoders
            cls.layer_groups = {name: layers.patterns for name, layers in cls.card.layer_sets.items()}

    @classmethod
    @abstractmethod
    def load(cls, source: str, options: LoadOptions) -> Self:
        """Open a single file, a diffusers folder or a hub name; reads configs and tokenizers, no weights yet.

        Raises:
            UserError: not found, damaged, of another architecture, or with code in it.
        """

    @property
    def notes(self) -> tuple[Problem, ...]:
        """What had to be guessed when the model was opened."""
        return ()

    # Components: "denoiser", "vae", "text_encoder_1", ...
    @property
    def component_names(self) -> tuple[str, ...]:
        return self.card.component_names

    @abstractmethod
    def component(self, name: str) -> nn.Module:
        """The module, read from disk at the first call: frozen, in eval mode, on the device, in its dtype."""

    @abstractmethod
    def parameter_names(self, name: str) -> list[str]:
        """The names of a part's weights, without reading them."""

    @abstractmethod
    def weight_count(self, name: str) -> int:
        """How many numbers a part's weights are, however they are held; without reading them."""

    @abstractmethod
    def unload(self, *names: str) -> None:
        """Forget parts, to free their memory; the next `part` reads them again. Never one that a method has touched."""

    @abstractmethod
    def fingerprint(self, name: str) -> str:
        """Names the weights of a part and all settings that change what it says: caches are keyed by it."""

    @abstractmethod
    def weights(self, name: str) -> Weights:
        """The tensors of a part on disk, none of them read, under the names of diffusers folders."""

    @abstractmethod
    def meta_copy(self, options: LoadOptions, parts: Iterable[str]) -> Self:
        """A twin of its own with these parts in place, with shapes and no numbers: for counting what they would cost.

        To be made and used under torch's `FakeTensorMode`, where no tensor takes memory.
        """

    def is_streamed(self, name: str) -> bool:
        """Whether a frozen text encoder is read block by block each time it is asked, because it would not fit."""
        del name
        return False

    @property
    def denoiser(self) -> nn.Module:
        return self.component("denoiser")

    @property
    def usual_sampling(self) -> SamplingDefaults:
        """What this model is usually drawn with."""
        return self.card.usual_sampling(self.card.called(self.model_name, self.options.variant))

    @property
    @abstractmethod
    def resolution(self) -> int:
        """Pixels on a side of the images that the model was made for."""

    # Text
    @abstractmethod
    def token_counts(self, caption: str) -> dict[str, int]:
        """How many tokens a caption takes in each text encoder, without the marks at both ends."""

    @abstractmethod
    def chunk_lengths(self, encoder: str, caption: str) -> list[int]:
        """How many tokens each chunk of a caption takes, were their number not limited; their sum is all tokens."""

    @abstractmethod
    def tokenizer_key(self, encoder: str) -> str:
        """Names what reads captions for an encoder: with equal keys, every caption takes the same chunks."""

    @abstractmethod
    def chunk_size(self, encoder: str) -> int:
        """How many tokens fit into one chunk, without the marks at both ends; 75 for CLIP."""

    @property
    def max_chunks(self) -> int:
        """How many chunks of a caption are read: as the options say, or one where the family reads no more."""
        return self.options.max_chunks if self.card.uses("model.max_chunks") else 1

    @abstractmethod
    def encode_text(self, captions: Sequence[str], *, weighted: bool | None = None) -> Condition:
        """Read captions, in chunks where they are long. Gradients flow where a text encoder is trained.

        `weighted`: whether they hold weights in A1111's notation; None: as `options.weighted_captions` says.
        """

    @abstractmethod
    def add_token(self, token: str, vectors: int) -> dict[str, list[int]]:
        """Teach every tokenizer a word of `vectors` new tokens; returns their ids by text encoder.

        The word may stand anywhere in a caption from now on. Ids start where the encoder's embedding table ends.

        Raises:
            UserError: the tokenizers know the word already.
        """

    @abstractmethod
    def token_ids(self, encoder: str, text: str) -> list[int]:
        """The ids of a text, without the marks at both ends."""

    @property
    def embedding_names(self) -> dict[str, str]:
        """What embedding files call the vectors of each text encoder."""
        return {spec.name: spec.embedding or spec.name for spec in self.card.components if spec.reads_text}

    # Images
    @abstractmethod
    def encode_image(self, pixels_B3HW: Tensor) -> Tensor:
        """Pixels in [-1, 1] to scaled latents (B, C, h, w): the mean of the VAE's answer, so that it can be cached."""

    @abstractmethod
    def decode_image(self, latents_BChw: Tensor) -> Tensor:
        """Scaled latents to pixels in [-1, 1], (B, 3, H, W)."""

    def encodes_in_tiles(self, height: int, width: int) -> bool:
        """Whether an image of this size in pixels is encoded in tiles, which gives slightly other latents."""
        del height, width
        return False

    # Inpainting
    @property
    def mask_channels(self) -> int:
        """In how many channels of latent size the denoiser takes a mask; 0: it takes none."""
        return 0

    @property
    def inpaints(self) -> bool:
        """Whether the denoiser also wants a mask and the masked image (`Condition.inpaint_BChw`)."""
        return self.mask_channels > 0

    def latent_mask(self, mask_B1HW: Tensor) -> Tensor:
        """A mask (1 where hidden) as an inpainting model takes it, (B, `mask_channels`, h, w)."""
        return F.interpolate(mask_B1HW, size=[side // self.downscale for side in mask_B1HW.shape[2:]])

    def inpaint_input(self, mask_B1HW: Tensor, seen_B3HW: Tensor) -> Tensor:
        """`Condition.inpaint_BChw`: the mask, then latents of what is seen, the image with grey under the mask."""
        return torch.cat([self.latent_mask(mask_B1HW), self.encode_image(seen_B3HW).float()], dim=1)

    def mask_and_seen(self, condition: Condition) -> tuple[Tensor, Tensor]:
        """The two parts of what an inpainting model is shown; a UserError where the condition has none."""
        if condition.inpaint_BChw is None:
            raise UserError("model.needs-mask")
        return condition.inpaint_BChw[:, : self.mask_channels], condition.inpaint_BChw[:, self.mask_channels :]

    # Denoising
    @property
    def shift(self) -> Shift:
        """How far a flow's sampling times are moved towards noise."""
        return ConstantShift(getattr(self.noise_schedule, "shift", 1.0))

    def shift_for(self, height: int, width: int, steps: int | None = None) -> float:
        """The number of that shift for an image's size in pixels. `steps` of sampling; None in training."""
        return self.shift.at(height, width, steps)

    def sampling_schedule(self, height: int, width: int, steps: int, shift: float = 0.0) -> NoiseSchedule:
        """The diffusion process as an image of this size is sampled. `shift`: of the user; 0: the family's own."""
        own = self.noise_schedule
        if not isinstance(own, RectifiedFlow):
            return own
        return RectifiedFlow(shift or self.shift_for(height, width, steps), own.terminal)

    def dynamic_shift(self, height: int, width: int) -> float:
        """What dynamic timestep shift multiplies training's shift by at a size in pixels.

        The family's own curve, where size matters to it; else by the side, as SD 3 was made (arXiv:2403.03206, eq. 23).
        """
        if isinstance(self.shift, ConstantShift):
            return sqrt(height * width) / self.resolution
        return self.shift_for(height, width)

    def with_guidance(self, condition: Condition, scale: float) -> Condition:
        """The condition with the guidance that distilled denoisers take as an input: extras["guidance"], (B,) fp32."""
        if not self.card.guidance_embed:
            return condition
        tokens = condition.tokens_BTD
        guidance_B = torch.full((len(tokens),), scale, dtype=torch.float32, device=tokens.device)
        return replace(condition, extras={**condition.extras, "guidance": guidance_B})

    @abstractmethod
    def predict(self, noisy_BChw: Tensor, time_B: Tensor, condition: Condition) -> Tensor:
        """What the denoiser says of latents that are noisy to degree `time`; `noising` says what that means."""

    # Files
    @abstractmethod
    def lora_names(self) -> Mapping[str, str]:
        """For every layer that an adapter can be put on: "component|module path" -> its own name in kohya's files."""

    @abstractmethod
    def layer_spellings(self) -> Spellings:
        """Every name that adapters' files of any program give a linear layer or convolution -> "component|module path".

        More layers than are trained: other programs adapt the ends of a denoiser and its embeddings, too.
        """

    @abstractmethod
    def adapter_links(self, form: LoraFormat, *, fused: bool = True) -> Mapping[str, Link]:
        """For the same layers their names in files of a format, and how they lie there.

        `fused`: where several are one in native names, they share a name. Else each has one of its own, as for
        updates that cannot be joined.
        """

    @abstractmethod
    def save(
        self,
        target: Path,
        *,
        single_file: bool,
        dtype: torch.dtype | None,
        parts: Iterable[str],
        metadata: Mapping[str, str],
        tensors: Mapping[str, Mapping[str, Tensor]],
        only_these: bool = False,
    ) -> None:
        """Write a model. `parts` names what goes in; `tensors` replaces weights by part and name (EMA, merged LoRA).

        `dtype` None: every tensor keeps its own. `only_these`: no weight but those in `tensors` goes in.
        `components_in` reads such a file, to put it into a model.

        What is written is what `load` reads, under the names that other programs expect.
        """

    @abstractmethod
    def components_in(self, path: Path) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """What a file or folder of this architecture holds, part by part, under the names of our modules.

        Also of one that holds trained parts only, which `load` refuses: to compare it, or to put it into a full model.

        Raises:
            UserError: damaged, or of another model.
        """

    @abstractmethod
    def modelspec(self) -> dict[str, str]:
        """The metadata that tells other programs what this is: modelspec.architecture, ss_base_model_version, ..."""
