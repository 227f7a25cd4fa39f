"""The models that make masks, through the path that loads them: what goes in and what comes out."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from modules.errors import UserError
from modules.masking.background import BackgroundRemover, recipe_of
from modules.masking.faces import FaceDetector, ovals, without_repeats
from modules.masking.kinds import BACKGROUND, FACES, REMBG
from modules.masking.models import Asked, Kind, Maker, maker_of
from tests.masking import tiny

CPU = torch.device("cpu")


def image(width: int = 48, height: int = 32) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)


def maker(kind: Kind, model: Path | str, **more: Any) -> Maker:
    asked = Asked(kind, str(model), path=f"{kind}_model", **more)
    return maker_of(asked, CPU, offline=True, report=lambda _: None)


def refusal(kind: Kind, model: Path | str, **more: Any) -> str:
    with pytest.raises(UserError) as refused:
        maker(kind, model, **more)(image())
    assert "Traceback" not in str(refused.value)
    return refused.value.problem.code


# Backgrounds ----------------------------------------------------------------------------------------------------------


def red(side: int) -> np.ndarray:
    return np.asarray(image().resize((side, side), Image.Resampling.LANCZOS)).astype(np.float64)[..., 0]


def test_u2net_is_asked_and_read_as_rembg_does(tmp_path: Path) -> None:
    """Its normalize and predict, written out: by the image's brightest value, ImageNet's scale, stretched."""
    found = BackgroundRemover(tiny.reddest(tmp_path / "u2net.onnx"))(image())
    pixels = np.asarray(image().resize((8, 8), Image.Resampling.LANCZOS))
    seen = ((pixels / pixels.max())[..., 0] - 0.485) / 0.229
    np.testing.assert_allclose(found, (seen - seen.min()) / (seen.max() - seen.min()), atol=1e-5)


def test_birefnet_gives_logits_and_an_image_without_a_subject_stays_black(tmp_path: Path) -> None:
    file = tiny.reddest(tmp_path / "model.onnx", scale=2.0, shift=-1.0)
    found = BackgroundRemover(file, "onnx-community/BiRefNet_lite-ONNX")(image())
    seen = (red(8) / 255 - 0.485) / 0.229
    np.testing.assert_allclose(found, 1 / (1 + np.exp(1 - 2 * seen)), atol=1e-5)
    nothing = tiny.reddest(tmp_path / "nothing.onnx", scale=0.1, shift=-9.0)
    assert BackgroundRemover(nothing, "birefnet")(image()).max() < 0.01


def test_the_anime_model_of_skytnt_sees_a_letterbox(tmp_path: Path) -> None:
    found = BackgroundRemover(tiny.reddest(tmp_path / "isnetis.onnx", (1, 3, 12, 12)))(image())
    small = np.asarray(image().resize((12, 8), Image.Resampling.BILINEAR))[..., 0] / 255
    np.testing.assert_allclose(found, small, atol=1e-5)


def test_models_that_take_any_size_are_asked_at_that_of_their_kind(tmp_path: Path) -> None:
    file = tiny.reddest(tmp_path / "silueta.onnx", ("n", 3, "h", "w"))
    assert BackgroundRemover(file)(image()).shape == (320, 320)
    assert recipe_of("rembg/isnet-anime.onnx").std == (1.0,) * 3 and recipe_of("ISNet-general-use.onnx").side == 1024
    assert recipe_of("BiRefNet-portrait-epoch_150.onnx").output == "logits"


def test_a_card_that_onnx_runtime_does_not_know_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    asked = Asked("background", str(tiny.reddest(tmp_path / "u2net.onnx")), path="background_model")
    for device in ("cpu", "cuda"):
        maker_of(asked, torch.device(device), offline=True, report=lambda problem: said.append(problem.code))
    knows = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    assert said == ([] if knows else ["onnx.on-cpu"])
    assert BackgroundRemover(tmp_path / "u2net.onnx", card=False).on_cpu


def test_a_mask_has_the_size_of_its_image(tmp_path: Path) -> None:
    found = maker("background", tiny.reddest(tmp_path / "u2net.onnx"))(image(50, 20))
    assert found.shape == (20, 50) and found.dtype == np.uint8 and found.min() < 5 and found.max() > 250


def test_the_onnx_file_of_a_folder_is_found_or_asked_for(tmp_path: Path) -> None:
    assert refusal("background", tmp_path) == "mask.no-onnx"
    tiny.reddest(tmp_path / "some.onnx")
    assert maker("background", tmp_path)(image()).shape == (32, 48)
    tiny.reddest(tmp_path / "other.onnx")
    assert refusal("background", tmp_path) == "mask.several-onnx"
    tiny.reddest(tmp_path / "onnx" / "model.onnx")  # as the hub has it
    assert maker("background", tmp_path)(image()).shape == (32, 48)


def test_models_of_rembg_are_found_where_it_put_them_or_named_with_their_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("U2NET_HOME", raising=False)
    monkeypatch.delenv("REMBG_HOME", raising=False)
    with pytest.raises(UserError, match=r"releases/download/v0\.0\.0/BiRefNet-general-epoch_244\.onnx"):
        maker("background", "birefnet-general")
    for number, place in enumerate((".u2net/u2net.onnx", ".rembg/models/isnet-anime/isnet-anime.onnx")):
        tiny.reddest(tmp_path / place)
        assert maker("background", list(REMBG)[5 * number])(image()).shape == (32, 48)


def test_what_is_no_background_remover_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "torn.onnx").write_bytes(b"no model")
    assert refusal("background", tmp_path / "torn.onnx") == "onnx.damaged"
    assert refusal("background", tmp_path / "absent.onnx") == "model.not-there"
    assert refusal("background", "nobody/nothing-here") == "hub.offline:tool"
    assert refusal("background", tiny.yunet(tmp_path / "yunet.onnx", {})) == "mask.no-mask"


# Faces ----------------------------------------------------------------------------------------------------------------


def test_yunet_is_read_as_opencv_reads_it(tmp_path: Path) -> None:
    """Its input is 64 pixels square here, and the image, 128 x 64, lies at the top of it."""
    faces = {(8, 1, 2): (16, 24, 0.9), (8, 1, 3): (16, 24, 0.7), (32, 0, 0): (20, 10, 0.2)}
    found = FaceDetector(tiny.yunet(tmp_path / "yunet.onnx", faces)).boxes(image(128, 64), 0.6)
    middle = np.array([2.5 * 8, 1.5 * 8])
    half = np.array([8, 12])
    wanted = [*2 * (middle - half), *2 * (middle + half), 0.9]
    np.testing.assert_allclose(found[0], wanted, rtol=1e-5)
    assert len(found) == 1 or found[1, 4] == pytest.approx(0.7)


def test_a_yolo_of_faces_is_read(tmp_path: Path) -> None:
    file = tiny.yolo(tmp_path / "faces.onnx", [(32, 32, 16, 8, 0.9), (33, 32, 16, 8, 0.8), (8, 20, 4, 4, 0.1)])
    found = FaceDetector(file).boxes(image(128, 64), 0.5)  # 16 pixels of border above and below
    np.testing.assert_allclose(found, [[48, 24, 80, 40, 0.9]], rtol=1e-5)


def test_boxes_of_the_same_face_are_one() -> None:
    boxes = np.array([[0, 0, 10, 10, 0.5], [1, 1, 11, 11, 0.9], [30, 30, 40, 40, 0.6]], np.float32)
    assert without_repeats(boxes)[:, 4].tolist() == pytest.approx([0.9, 0.6])
    assert without_repeats(boxes[:0]).shape == (0, 5)


def test_a_face_becomes_an_oval_with_a_margin(tmp_path: Path) -> None:
    found = ovals(np.array([[10, 10, 20, 30, 1]], np.float32), (40, 50), 0.2)
    down, across = np.nonzero(found)
    assert (across.min(), across.max(), down.min(), down.max()) == (8, 22, 6, 34) and found[6, 8] == 0
    file = tiny.yunet(tmp_path / "yunet.onnx", {(8, 2, 2): (16, 16, 0.9)})
    assert maker("faces", file, confidence=0.6, margin=0.2)(image(64, 64))[20, 20] == 255
    assert maker("faces", file, confidence=0.95)(image(64, 64)).max() == 0


def test_a_detector_of_other_things_is_refused(tmp_path: Path) -> None:
    assert refusal("faces", tiny.yolo(tmp_path / "many.onnx", [], kinds=3)) == "mask.no-detector"
    assert refusal("faces", tiny.reddest(tmp_path / "map.onnx")) == "mask.no-detector"


# Words ----------------------------------------------------------------------------------------------------------------


def test_clipseg_gives_what_transformers_gives() -> None:
    from transformers import AutoTokenizer, CLIPSegForImageSegmentation, ViTImageProcessorPil

    place = tiny.word_models()["clipseg"]
    found = maker("words", place, words=("a cat", "red dog a"))(image(32, 32))
    means = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    processor = ViTImageProcessorPil(size={"height": 32, "width": 32}, resample=2, **means)
    pixels = processor(image(32, 32), return_tensors="pt").pixel_values
    ids = AutoTokenizer.from_pretrained(place)(["a cat", "red dog a"], padding=True, return_tensors="pt")
    with torch.no_grad():
        model = CLIPSegForImageSegmentation.from_pretrained(place).eval()
        logits = model(pixel_values=pixels.repeat(2, 1, 1, 1), input_ids=ids.input_ids,
                       attention_mask=ids.attention_mask).logits  # fmt: skip
    wanted = (logits.sigmoid().amax(0) * 255).round().numpy()
    assert np.abs(found.astype(int) - wanted).max() <= 1 and found.std() > 0


def test_grounding_dino_finds_boxes_that_sam_outlines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.masking.words.SHORTEST", 64)
    monkeypatch.setattr("modules.masking.words.LONGEST", 107)
    from transformers import AutoTokenizer, GroundingDinoForObjectDetection, GroundingDinoImageProcessorPil

    from modules.masking.words import GroundedSam

    models = tiny.word_models()
    finder = GroundedSam(models["dino"], "dino", (models["sam2"], "sam"), CPU)
    with torch.inference_mode():
        found = finder.boxes(image(), ["cat", "red dog"], 0.0)
    inputs = GroundingDinoImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 107})(
        image(), return_tensors="pt"
    )
    ids = AutoTokenizer.from_pretrained(models["dino"])("cat. red dog.", return_tensors="pt").input_ids
    with torch.no_grad():
        out = GroundingDinoForObjectDetection.from_pretrained(models["dino"]).eval()(**inputs, input_ids=ids)
    x, y, w, h = out.pred_boxes[0].unbind(-1)
    wanted = torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], dim=1).clamp(0, 1)
    torch.testing.assert_close(found, wanted, atol=2e-2, rtol=0)  # other roundings of pixels on the way
    mask = maker("words", models["dino"], outlines=str(models["sam2"]), words=("cat",), confidence=0.0)(image())
    assert mask.shape == (32, 48) and mask.std() > 0
    nothing = maker("words", models["dino"], outlines=str(models["sam2"]), words=("cat",), confidence=1.0)(image())
    assert nothing.max() == 0


def test_models_that_cannot_find_by_words_are_refused_in_words(tmp_path: Path) -> None:
    models = tiny.word_models()
    assert refusal("words", models["sam2"], words=("cat",)) == "mask.wrong-model"
    assert refusal("words", models["dino"], outlines=str(models["dino"]), words=("cat",)) == "mask.wrong-model"
    assert refusal("words", tiny.reddest(tmp_path / "a.onnx"), words=("cat",)) == "mask.no-model-folder"
    torn = copytree(models["clipseg"], tmp_path / "torn")
    (torn / "model.safetensors").write_bytes((torn / "model.safetensors").read_bytes()[:-100])
    assert refusal("words", torn, words=("cat",)) == "mask.damaged"


def test_a_model_without_all_of_its_weights_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    part = copytree(tiny.word_models()["clipseg"], tmp_path / "part")
    tensors = load_file(part / "model.safetensors")
    save_file({name: each for name, each in tensors.items() if "reduces" not in name}, part / "model.safetensors")
    assert refusal("words", part, words=("cat",)) == "mask.damaged"


def test_sam3_is_asked_for_torchvision_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "sam3_video"}')
    monkeypatch.setattr("modules.masking.words.find_spec", lambda _: None)
    assert refusal("words", tmp_path, words=("cat",)) == "mask.no-torchvision"


def test_every_model_of_the_tables_is_of_a_kind_that_is_known() -> None:
    assert [recipe_of(f"{model.name} {model.file}").output for model in BACKGROUND] == ["logits", "logits", "plain"]
    assert all(model.file.endswith(".onnx") and model.licence for model in (*BACKGROUND, *FACES))
