"""The models that make masks: where each is, how large, under which licence. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from modules.text import MB


@dataclass(frozen=True)
class MaskModel:
    """A model that is usual for a kind of mask. The exact size is asked for, and said, before a download."""

    name: str  # on Hugging Face
    title: str
    size: int  # bytes of its weights, about
    licence: str
    file: str = ""  # the .onnx that is fetched; "": the files of a transformers model


BACKGROUND = (
    MaskModel("onnx-community/BiRefNet_lite-ONNX", "BiRefNet lite", 224 * MB, "MIT", "onnx/model.onnx"),
    MaskModel("onnx-community/BiRefNet-ONNX", "BiRefNet", 973 * MB, "MIT", "onnx/model.onnx"),
    MaskModel("skytnt/anime-seg", "ISNet for anime", 176 * MB, "Apache-2.0", "isnetis.onnx"),
)
WORDS = (
    MaskModel("CIDAS/clipseg-rd64-refined", "CLIPSeg", 603 * MB, "Apache-2.0"),
    MaskModel("IDEA-Research/grounding-dino-tiny", "Grounding DINO tiny, with SAM 2", 689 * MB, "Apache-2.0"),
    MaskModel("facebook/sam3", "SAM 3", 3440 * MB, "SAM licence, gated"),
)
OUTLINES = (
    MaskModel("facebook/sam2.1-hiera-tiny", "SAM 2.1 tiny", 156 * MB, "Apache-2.0"),
    MaskModel("facebook/sam2.1-hiera-small", "SAM 2.1 small", 184 * MB, "Apache-2.0"),
    MaskModel("facebook/sam2.1-hiera-base-plus", "SAM 2.1 base+", 323 * MB, "Apache-2.0"),
    MaskModel("facebook/sam2.1-hiera-large", "SAM 2.1 large", 898 * MB, "Apache-2.0"),
)
FACES = (
    MaskModel("opencv/face_detection_yunet", "YuNet", MB // 4, "MIT", "face_detection_yunet_2023mar.onnx"),
    MaskModel("deepghs/anime_face_detection", "Anime faces (YOLO)", 45 * MB, "MIT", "face_detect_v1.4_s/model.onnx"),
)
ONNX_MODELS = {model.name: model for model in (*BACKGROUND, *FACES)}

# Of rembg: its releases on GitHub are read where rembg put them, and named for a download by hand.
RELEASES = "https://github.com/danielgatis/rembg/releases/download/v0.0.0/"
REMBG = {
    "u2net": "u2net.onnx", "u2netp": "u2netp.onnx", "u2net_human_seg": "u2net_human_seg.onnx",
    "silueta": "silueta.onnx", "isnet-general-use": "isnet-general-use.onnx", "isnet-anime": "isnet-anime.onnx",
    "birefnet-general": "BiRefNet-general-epoch_244.onnx",
    "birefnet-general-lite": "BiRefNet-general-bb_swin_v1_tiny-epoch_232.onnx",
    "birefnet-portrait": "BiRefNet-portrait-epoch_150.onnx", "birefnet-dis": "BiRefNet-DIS-epoch_590.onnx",
    "birefnet-hrsod": "BiRefNet-HRSOD_DHU-epoch_115.onnx", "birefnet-cod": "BiRefNet-COD-epoch_125.onnx",
    "birefnet-massive": "BiRefNet-massive-TR_DIS5K_TR_TEs-epoch_420.onnx",
}  # fmt: skip
