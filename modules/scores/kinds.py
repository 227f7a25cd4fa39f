"""The scores that can be computed: what each means, what it needs, and the models that are usual for it. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modules.system.bundled import resolve
from modules.system.hub import is_downloaded, looks_like_hub_name
from modules.text import MB

CLIP_L = "openai/clip-vit-large-patch14"
DINO_B = "facebook/dinov2-base"
LAION_HEAD = "camenduru/improved-aesthetic-predictor"
PICKSCORE = "yuvalkirstain/PickScore_v1"

TEXT, REFERENCES = "text", "references"  # what a score needs beside the image
TWO_TOWERS = ("clip", "siglip")  # `model_type` of what reads images and text
VISION = (*TWO_TOWERS, "dinov2", "dinov2_with_registers", "dinov3_vit", "vit")

SIDES = {
    "": "All prompts", "concept": "Prompts of the concept", "known": "Prompts the base model knows",
    "other": "Other prompts",
}  # fmt: skip


@dataclass(frozen=True)
class ScoreModel:
    """A model that is usual for a score. The exact size is asked for, and said, before a download."""

    name: str  # on Hugging Face
    title: str
    size: int  # bytes of its weights, about
    licence: str
    note: str = ""


@dataclass(frozen=True)
class ScoreKind:
    """One score. `low` and `high` are its usual range, not its limits."""

    name: str
    title: str
    help: str
    models: tuple[ScoreModel, ...]  # the first is the default
    types: tuple[str, ...]  # of models that can compute it
    needs: frozenset[str]
    low: float
    high: float
    digits: int = 3
    within_prompt: bool = False  # its numbers say something only beside those of the same prompt
    better: str = "higher"  # "": more is not better
    head: ScoreModel | None = None  # a small net behind the model

    @property
    def alone(self) -> bool:
        return self.head is None


_CLIP = (
    ScoreModel(CLIP_L, "CLIP ViT-L/14", 1710 * MB, "MIT", "77 tokens"),
    ScoreModel("openai/clip-vit-base-patch32", "CLIP ViT-B/32", 605 * MB, "MIT", "77 tokens"),
    ScoreModel("laion/CLIP-ViT-H-14-laion2B-s32B-b79K", "OpenCLIP ViT-H/14", 3940 * MB, "MIT", "77 tokens"),
    ScoreModel("google/siglip2-base-patch16-224", "SigLIP 2 base", 1500 * MB, "Apache-2.0", "64 tokens"),
    ScoreModel("google/siglip2-so400m-patch14-384", "SigLIP 2 so400m", 4540 * MB, "Apache-2.0", "64 tokens"),
)
_DINO = (
    ScoreModel(DINO_B, "DINOv2 base", 346 * MB, "Apache-2.0"),
    ScoreModel("facebook/dinov2-small", "DINOv2 small", 88 * MB, "Apache-2.0"),
    ScoreModel("facebook/dinov2-large", "DINOv2 large", 1220 * MB, "Apache-2.0"),
)


def _by_name(*kinds: ScoreKind) -> dict[str, ScoreKind]:
    return {kind.name: kind for kind in kinds}


SCORES = _by_name(
    ScoreKind(
        "text", "Text similarity", "How well an image fits its prompt: the cosine between both in CLIP or SigLIP.",
        _CLIP, TWO_TOWERS, frozenset({TEXT}), 0.15, 0.35, within_prompt=True,
    ),
    ScoreKind(
        "image", "CLIP image similarity",
        "How close an image is to the concept's images in what it shows: the mean cosine in CLIP or SigLIP.",
        _CLIP, TWO_TOWERS, frozenset({REFERENCES}), 0.5, 1.0,
    ),
    ScoreKind(
        "dino", "DINO similarity",
        "How close an image is to the concept's images as a subject: the mean cosine in DINO, which sees details that "
        "CLIP does not tell apart.",
        _DINO, VISION, frozenset({REFERENCES}), 0.0, 1.0,
    ),
    ScoreKind(
        "copies", "Nearest training image",
        "The cosine to the most similar training image in DINO. Images above a threshold count as near-copies: "
        "a sign of overfitting.",
        _DINO, VISION, frozenset({REFERENCES}), 0.0, 1.0, better="",
    ),
    ScoreKind(
        "aesthetic", "Aesthetic score", "What people gave such images, from 1 to 10: LAION's predictor behind CLIP.",
        _CLIP[:1], TWO_TOWERS, frozenset(), 1.0, 10.0, digits=2,
        head=ScoreModel(LAION_HEAD, "LAION aesthetic predictor v2", round(3.7 * MB), "Apache-2.0"),
    ),
    ScoreKind(
        "preference", "Preference score",
        "Which of several images of one prompt people prefer: PickScore. It favours plain images over rich ones.",
        (ScoreModel(PICKSCORE, "PickScore v1", 3940 * MB, "MIT", "77 tokens"),),
        ("clip",), frozenset({TEXT}), 18.0, 24.0, digits=2, within_prompt=True,
    ),
)  # fmt: skip


def model_is_here(name: str) -> bool:
    """Whether a model needs no download: a file or folder, or one that was fetched before. Asks no network."""
    if not looks_like_hub_name(name) or Path(name).exists():
        return resolve(name).exists()
    return is_downloaded(name)
