"""Tiny models of each kind that masks are made with: ONNX files of a few nodes, random models of transformers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

WORDS = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", ".", "a", "cat", "red", "dog"]


def reddest(file: Path, shape: Sequence[int | str] = (1, 3, 8, 8), scale: float = 1.0, shift: float = 0.0) -> Path:
    """A background remover: its map is the first channel of what it is given."""
    weights = np.array([scale, 0, 0], np.float32).reshape(1, 3, 1, 1)
    nodes = [helper.make_node("Conv", ["images", "weights", "shift"], ["map"])]
    tensors = {"weights": weights, "shift": np.array([shift], np.float32)}
    return _saved(file, nodes, tensors, shape, {"map": [shape[0], 1, *shape[2:]]})


def detector(file: Path, outputs: Mapping[str, NDArray[np.float32]], side: int = 64) -> Path:
    """A detector that sees the same in every image."""
    nodes: list[Any] = [helper.make_node("ReduceSum", ["images"], ["sum"], keepdims=0)]
    nodes.append(helper.make_node("Mul", ["sum", "nothing"], ["zero"]))
    tensors = {"nothing": np.zeros((), np.float32)}
    for name, values in outputs.items():
        tensors[f"held_{name}"] = values
        nodes.append(helper.make_node("Add", [f"held_{name}", "zero"], [name]))
    shapes = {name: list(values.shape) for name, values in outputs.items()}
    return _saved(file, nodes, tensors, [1, 3, side, side], shapes)


def _saved(
    file: Path, nodes: list[Any], tensors: Mapping[str, NDArray[np.float32]], shape: Sequence[int | str],
    outputs: Mapping[str, Sequence[int | str]],
) -> Path:  # fmt: skip
    graph = helper.make_graph(
        nodes, "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(each)) for name, each in outputs.items()],
        [numpy_helper.from_array(values, name) for name, values in tensors.items()],
    )  # fmt: skip
    file.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(file))
    return file


def yunet(file: Path, faces: Mapping[tuple[int, int, int], tuple[float, float, float]]) -> Path:
    """YuNet's twelve outputs for 64 pixels. `faces`: (stride, row, column) to (width, height, score), in pixels."""
    outputs: dict[str, NDArray[np.float32]] = {}
    for stride in (8, 16, 32):
        count = (64 // stride) ** 2
        for name, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            outputs[f"{name}_{stride}"] = np.zeros((1, count, width), np.float32)
    for (stride, row, column), (width, height, score) in faces.items():
        place = row * (64 // stride) + column
        outputs[f"cls_{stride}"][0, place] = outputs[f"obj_{stride}"][0, place] = score
        outputs[f"bbox_{stride}"][0, place] = [0.5, 0.5, np.log(width / stride), np.log(height / stride)]
    return detector(file, outputs)


def yolo(file: Path, boxes: Sequence[tuple[float, float, float, float, float]], kinds: int = 1) -> Path:
    """A YOLOv8's output: middle, size and confidence."""
    found = np.zeros((1, 4 + kinds, max(len(boxes), 2)), np.float32)
    for number, box in enumerate(boxes):
        found[0, :5, number] = box
    return detector(file, {"output0": found})


@cache
def word_models() -> dict[str, Path]:
    """One of each kind, made once."""
    folder = Path(mkdtemp(prefix="masks-"))
    return {
        "clipseg": _clipseg(folder / "clipseg"), "dino": _dino(folder / "dino"), "sam2": _sam2(folder / "sam2"),
    }  # fmt: skip


def _clipseg(folder: Path) -> Path:
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

    tower = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2}
    config = CLIPSegConfig(
        text_config={
            **tower, "vocab_size": len(WORDS), "max_position_embeddings": 16, "bos_token_id": 2, "eos_token_id": 3,
            "pad_token_id": 1,
        },
        vision_config={**tower, "image_size": 32, "patch_size": 8},
        projection_dim=8, extract_layers=[0, 1], reduce_dim=8, decoder_num_attention_heads=2,
        decoder_intermediate_size=16,
    )  # fmt: skip
    _written(folder, CLIPSegForImageSegmentation, config)
    (folder / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 32, "width": 32}}))
    return folder


def _dino(folder: Path) -> Path:
    from transformers import BertConfig, GroundingDinoConfig, GroundingDinoForObjectDetection, SwinConfig

    small = {"num_attention_heads": 2, "num_hidden_layers": 1, "hidden_size": 16, "intermediate_size": 16}
    config = GroundingDinoConfig(
        backbone_config=SwinConfig(
            embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1], window_size=2, image_size=32,
            out_features=["stage2", "stage3", "stage4"],
        ),
        text_config=BertConfig(**small, vocab_size=len(WORDS), max_position_embeddings=16).to_dict(),
        d_model=32, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, num_queries=5, max_text_len=16,
    )  # fmt: skip
    return _written(folder, GroundingDinoForObjectDetection, config)


def _sam2(folder: Path) -> Path:
    from transformers import Sam2Config, Sam2HieraDetConfig, Sam2Model, Sam2VisionConfig

    backbone = Sam2HieraDetConfig(
        hidden_size=8, num_attention_heads=1, blocks_per_stage=[1, 1, 1, 1], embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 1, 1], window_size_per_stage=[2, 2, 2, 2], global_attention_blocks=[],
        window_positional_embedding_background_size=[2, 2], image_size=[64, 64],
    )  # fmt: skip
    vision = Sam2VisionConfig(
        backbone_config=backbone, backbone_channel_list=[64, 32, 16, 8], fpn_hidden_size=16,
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
    )  # fmt: skip
    prompts = {"hidden_size": 16, "image_size": 64, "mask_input_channels": 4}
    decoder = {"hidden_size": 16, "mlp_dim": 16, "num_attention_heads": 2, "iou_head_hidden_dim": 16}
    config = Sam2Config(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder)
    return _written(folder, Sam2Model, config, words=False)


def _written(folder: Path, kind: Any, config: Any, *, words: bool = True) -> Path:
    torch.manual_seed(0)
    kind(config).save_pretrained(folder)
    if words:
        _tokenizer(folder)
    return folder


def _tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]"
    ).save_pretrained(folder)
