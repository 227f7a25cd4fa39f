"""LoRA files, embeddings and diffusers folders that do not fit, lie, or name code to run."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from modules.errors import UserError
from modules.formats.embedding import read_embedding
from tests.inputs.test_weights import one, packed
from tests.inputs.zoo import Row, assert_sentence, command, file, refused, rows
from tests.tiny import tiny_sd

__all__ = ["command"]
pytestmark = pytest.mark.timeout(60)

LAYER = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"


@pytest.fixture(scope="module")
def sd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sd(tmp_path_factory.mktemp("sd"))


def lora(change: Callable[[dict[str, Tensor]], Any] = lambda t: None) -> Callable[[Path], Path]:
    """A sound LoRA of one layer (8 inputs, 8 outputs, rank 2), changed."""

    def make(folder: Path) -> Path:
        tensors = {
            f"{LAYER}.lora_down.weight": torch.ones(2, 8),
            f"{LAYER}.lora_up.weight": torch.ones(8, 2),
            f"{LAYER}.alpha": torch.tensor(2.0),
        }
        change(tensors)
        save_file(tensors, folder / "x.safetensors")
        return folder / "x.safetensors"

    return make


def put(**tensors: Tensor):
    """Other tensors for the layer: `down`, `up`, `alpha`, `dora`."""
    names = {"down": "lora_down.weight", "up": "lora_up.weight", "alpha": "alpha", "dora": "dora_scale"}
    return lora(lambda t: t.update({f"{LAYER}.{names[name]}": tensor for name, tensor in tensors.items()}))


def also(name: str):
    return lora(lambda t: t.update({name: torch.ones(2, 8)}))


LORAS = [
    ("no tensors", file("x.safetensors", packed({})), "holds no LoRA for this model"),
    ("empty", file("x.safetensors", b""), "is not a safetensors file"),
    ("HTML", file("x.safetensors", "<html></html>" * 9), "is not a safetensors file"),
    ("a header that lies", one(offsets=[0, 2**40]), "does not have the size it claims"),
    ("a header 100,000 deep", file("x.safetensors", packed(b'{"a":' * 100_000)), "is damaged"),
    ("a pickle", file("x.pt", b"\x80\x02cos\nsystem\n(S'touch canary'\ntR."), "x.pt"),
    ("rank nought", put(down=torch.ones(0, 8), up=torch.ones(8, 0)), "rank"),
    ("ranks that differ", put(down=torch.ones(4, 8)), "do not fit together"),
    ("a layer of another size", put(down=torch.ones(2, 9)), "and that layer is"),
    ("a layer of more sides", put(down=torch.ones(2, 8, 1, 1), up=torch.ones(8, 2, 1, 1)), "and that layer is"),
    ("a tensor without sides", put(down=torch.tensor(1.0)), "do not fit together"),
    ("a tensor of one side", put(up=torch.ones(8)), "do not fit together"),
    ("alpha is no number", put(alpha=torch.tensor(math.nan)), "alpha"),
    ("alpha without end", put(alpha=torch.tensor(math.inf)), "alpha"),
    ("two alphas", put(alpha=torch.ones(2)), "alpha"),
    ("no alpha at all", put(alpha=torch.ones(0)), "alpha"),
    ("weights that are no numbers", put(down=torch.full((2, 8), math.nan)), "not numbers"),
    ("weights without end", put(up=torch.full((8, 2), math.inf)), "not numbers"),
    ("no up", lora(lambda t: t.pop(f"{LAYER}.lora_up.weight")), "lacks its lora_down or lora_up"),
    ("no down", lora(lambda t: t.pop(f"{LAYER}.lora_down.weight")), "lacks its lora_down or lora_up"),
    ("only alpha", lora(lambda t: [t.pop(n) for n in list(t) if "lora_" in n[-18:]]), "lacks its lora_down or lora_up"),
    ("a DoRA of columns", put(dora=torch.ones(1, 9)), "DoRA"),
    ("an unknown layer", also("lora_unet_nowhere.lora_down.weight"), "also holds 1 tensor that"),
    ("a LoHa", also(f"{LAYER}.hada_w1_a"), "another relative of LoRA"),
    ("a name that is a path", also("../../evil.lora_down.weight"), "also holds 1 tensor that"),
    ("a name that reaches for attributes", also("lora_unet___class__.lora_down.weight"), "also holds 1 tensor that"),
    ("a name that forges a line", also("a\n\x1b[2J\u202eb"), r"\x1b[2J"),
    ("a name of 1 MB", also("x" * 2**20), "also holds 1 tensor that"),
    ("another program's tensors", lora(lambda t: [t.clear(), t.update({"emp_params": torch.ones(2, 8)})]),
     "holds no LoRA for this model"),
]  # fmt: skip


@pytest.mark.parametrize("row", rows(LORAS))
def test_a_lora_that_cannot_be_used_is_refused(row: Row, sd: Path, command, tmp_path: Path) -> None:
    path = row.make(tmp_path)
    out = ["--out", tmp_path / "out", "--steps", "1", "--size", "64", "--prompt", "x"]
    refused(command("sample", sd, "--lora", path, *out), row)
    assert not list(tmp_path.rglob("*.png"))
    assert not Path("canary").exists()


def test_a_sound_lora_is_used(sd: Path, command, tmp_path: Path) -> None:
    """Else the tests above would prove nothing."""
    out = ["--out", tmp_path / "out", "--steps", "1", "--size", "64", "--prompt", "../../x: {0.__class__}\n"]
    answer = command("sample", sd, "--lora", lora()(tmp_path), *out)
    assert answer.code == 0, answer
    assert "changes 1 layer." in answer.shown
    assert [path.parent for path in tmp_path.rglob("*.png")] == [tmp_path / "out"]


def tensors(**held: Tensor):
    def make(folder: Path) -> Path:
        save_file(held, folder / "x.safetensors")
        return folder / "x.safetensors"

    return make


EMBEDDINGS = [
    ("two tensors for one encoder", tensors(a=torch.ones(1, 8), b=torch.ones(1, 8)), "not an embedding for this"),
    ("no tensors", file("x.safetensors", packed({})), "not an embedding for this"),
    ("empty", file("x.safetensors", b""), "is not a safetensors file"),
    ("names that forge a line", tensors(**{"a\x1b[2J": torch.ones(1), "b\u202e": torch.ones(1)}), r"a\x1b[2J"),
    ("a pickle", file("x.safetensors", b"\x80\x02cos\nsystem\n(S'touch canary'\ntR."), "is not a safetensors file"),
    ("missing", lambda folder: folder / "x.safetensors", "There is no file"),
    ("a folder", lambda folder: folder, "There is no file"),
]  # fmt: skip


@pytest.mark.parametrize("row", rows(EMBEDDINGS))
def test_an_embedding_that_cannot_be_used_is_refused(row: Row, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refusal:
        read_embedding(row.make(tmp_path), {"text_encoder_1": "clip_l"})
    assert all(words in str(refusal.value) for words in row.says), str(refusal.value)
    assert_sentence(str(refusal.value))


# Folders of diffusers -------------------------------------------------------------------------------------------------


def config(part: str, **changes: Any):
    """A model whose config of a part claims something else; None takes a key out."""

    def make(folder: Path) -> Path:
        path = folder / part
        held = json.loads(path.read_text(encoding="utf-8"))
        held.update(changes)
        path.write_text(
            json.dumps({name: value for name, value in held.items() if value is not None}), encoding="utf-8"
        )
        return folder

    return make


def written(part: str, content: bytes):
    def make(folder: Path) -> Path:
        (folder / part).write_bytes(content)
        return folder

    return make


def without(part: str):
    def make(folder: Path) -> Path:
        path = folder / part
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        return folder

    return make


UNET, TEXT, VAE = "unet/config.json", "text_encoder/config.json", "vae/config.json"
SCHEDULER = "scheduler/scheduler_config.json"
FOLDERS = [
    ("model_index.json missing", without("model_index.json"), "model_index.json is missing"),
    ("model_index.json empty", written("model_index.json", b""), "is damaged"),
    ("model_index.json a list", written("model_index.json", b"[]"), "is damaged"),
    ("model_index.json 100,000 deep", written("model_index.json", b"[" * 100_000), "is damaged"),
    ("model_index.json no text", written("model_index.json", b"\xff\xfe{}"), "is damaged"),
    ("no unet", without("unet"), "has no folder unet"),
    ("no vae", without("vae"), "has no folder vae"),
    ("no text encoder", without("text_encoder"), "has no folder text_encoder"),
    ("no tokenizer", without("tokenizer"), "holds no tokenizer"),
    ("no scheduler", without("scheduler"), "is missing"),
    ("no weights of the unet", without("unet/diffusion_pytorch_model.safetensors"), "holds no weights"),
    ("no config of the unet", without("unet/config.json"), "is missing"),
    ("a tokenizer that is a pickle", written("tokenizer/tokenizer.json", b"\x80\x02cos\nsystem\n."), "is damaged"),
    ("a tokenizer that is empty", written("tokenizer/tokenizer.json", b"{}"), "is damaged"),
    ("a config that is a list", written(UNET, b"[]"), "is damaged"),
    ("a config 100,000 deep", written(UNET, b'{"a":' * 100_000), "is damaged"),
    ("a config of another class", config(UNET, _class_name="UNet3DConditionModel"), "Change the model type"),
    ("another class, which says all otherwise", config(UNET, _class_name="ZImageTransformer2DModel", in_channels=None),
     "Change the model type"),
    ("a config that names code", config(UNET, _class_name="../../evil.Unet"), "Change the model type"),
    ("a config without channels", config(UNET, in_channels=None), "unet"),
    ("channels as text", config(UNET, in_channels="four"), "unet"),
    ("channels as list", config(UNET, in_channels=[4]), "unet"),
    ("too many channels", config(UNET, in_channels=10**9), "in_channels: 1000000000, which cannot be"),
    ("a billion layers", config(UNET, layers_per_block=10**9), "unet"),
    ("layers below 0", config(UNET, layers_per_block=-1), "unet"),
    ("a billion channels wide", config(UNET, block_out_channels=[10**9, 10**9]), "unet"),
    ("widths of text", config(UNET, block_out_channels=["a", "b"]), "unet"),
    ("blocks of another class", config(UNET, down_block_types=["os.system", "eval"]), "unet"),
    ("blocks that are too few", config(UNET, down_block_types=["DownBlock2D"]), "unet"),
    ("heads of nought", config(UNET, attention_head_dim=0), "unet"),
    ("an activation that is code", config(UNET, act_fn="__import__('os').system('touch canary')"), "unet"),
    ("a billion layers of text", config(TEXT, num_hidden_layers=10**9), "text_encoder"),
    ("a text encoder of another size", config(TEXT, hidden_size=8), "text encoder"),
    ("a size of text as text", config(TEXT, hidden_size="wide"), "text_encoder"),
    ("heads that do not divide", config(TEXT, num_attention_heads=7), "text_encoder"),
    ("positions of nought", config(TEXT, max_position_embeddings=0), "text_encoder"),
    ("a billion positions", config(TEXT, max_position_embeddings=10**12), "text_encoder"),
    ("an activation of text that is code", config(TEXT, hidden_act="os.system"), "text_encoder"),
    ("a vae a billion layers deep", config(VAE, layers_per_block=10**9), "vae"),
    ("a vae of other blocks", config(VAE, down_block_types=["x"] * 4), "vae"),
    ("a vae without latents", config(VAE, latent_channels=0), "vae"),
    ("a schedule of another name", config(SCHEDULER, beta_schedule="os.system"), "noise schedule"),
    ("a schedule of a billion steps", config(SCHEDULER, num_train_timesteps=10**10), "scheduler"),
    ("a schedule of steps as text", config(SCHEDULER, num_train_timesteps="many"), "scheduler"),
    ("a schedule that starts below 0", config(SCHEDULER, beta_start=-1.0), "scheduler"),
    ("a schedule of no numbers", config(SCHEDULER, beta_end="NaN"), "scheduler"),
    ("a prediction of another kind", config(SCHEDULER, prediction_type="sample"), "predict"),
]  # fmt: skip


@pytest.mark.parametrize("row", rows(FOLDERS))
def test_a_model_folder_that_cannot_be_used_is_refused(row: Row, sd: Path, command, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(sd, folder)
    refused(command("convert", row.make(folder), tmp_path / "new", "--family", "sd"), row)
    assert not (tmp_path / "new").exists()
    assert not list(Path.cwd().glob("canary"))


EVIL = "import pathlib; pathlib.Path('canary').touch()"
TAKEN = [
    ("a pipeline of its own", config("model_index.json", _class_name=["../../evil", "EvilPipeline"])),
    ("a module of its own", config("model_index.json", unet=["../../evil", "EvilUnet"])),
    ("code that it asks to trust", config(UNET, auto_map={"AutoModel": "evil.Evil"}, trust_remote_code=True)),
    ("a text encoder with code", config(TEXT, auto_map={"AutoModel": "evil--evil.Evil"}, architectures=["evil.Evil"])),
    ("a scheduler of another class", config(SCHEDULER, _class_name="evil.Scheduler")),
    ("a quantizer", config(UNET, quantization_config={"quant_method": "evil", "load_in_4bit": True})),
    ("a tokenizer with code", config("tokenizer/tokenizer_config.json", tokenizer_class="evil.Tokenizer",
                                     auto_map={"AutoTokenizer": ["evil.Tokenizer", None]})),
]  # fmt: skip


@pytest.mark.parametrize(("name", "make"), TAKEN, ids=[name for name, _ in TAKEN])
def test_code_that_a_model_folder_names_is_never_run(
    name: str, make: Callable[[Path], Path], sd: Path, command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(sd, folder)
    for place in (folder, folder / "unet", folder / "text_encoder", folder / "tokenizer", tmp_path):
        for module in ("evil.py", "pipeline.py", "modeling_evil.py"):
            (place / module).write_text(EVIL, encoding="utf-8")
    monkeypatch.chdir(folder)
    answer = command("convert", make(folder), tmp_path / "new")
    assert answer.code in (0, 2)
    assert "fault of the program" not in answer.said
    assert not list(tmp_path.rglob("canary"))
