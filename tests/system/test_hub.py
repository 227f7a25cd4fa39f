"""Models by their Hugging Face names, as far as that goes without the internet: a hub of the tests answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub.errors import GatedRepoError, HTTPError, RepositoryNotFoundError  # pyright: ignore[reportPrivateImportUsage]
from huggingface_hub.utils import filter_repo_objects

from modules.errors import UserError
from modules.sentences.problem import Problem
from modules.sentences.render import PLAIN
from modules.system import hub
from modules.system.hub import Wanted, check_download, download_model, is_downloaded, looks_like_hub_name
from modules.text import GB


@pytest.mark.parametrize("name", ["owner/model", "stabilityai/stable-diffusion-xl-base-1.0"])
def test_hub_names_are_told_from_paths(name: str):
    assert looks_like_hub_name(name)
    for path in (
        f"./{name}",
        f"/{name}",
        f"{name}.safetensors",
        f"~/{name}",
        f"C:\\{name}",
        f"{name}/unet",
        "model",
        "",
    ):
        assert not looks_like_hub_name(path)


def test_what_was_downloaded_before_is_found_offline(tmp_path: Path):
    kept = tmp_path / "models--owner--model"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("abc123")
    (kept / "snapshots" / "abc123" / "unet").mkdir(parents=True)
    (kept / "snapshots" / "abc123" / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"")
    assert (
        download_model("owner/model", Wanted(("unet", "vae")), offline=True, cache=tmp_path)
        == kept / "snapshots" / "abc123"
    )


def test_what_was_not_downloaded_is_said_in_words(tmp_path: Path):
    with pytest.raises(UserError, match="has not been downloaded"):
        download_model("owner/other", Wanted(("unet",)), offline=True, cache=tmp_path)
    with pytest.raises(UserError, match="not a Hugging Face name"):
        download_model("owner/-bad--name-", Wanted(("unet",)), offline=True, cache=tmp_path)


# Before a download ----------------------------------------------------------------------------------------------------

RESPONSE: Any = SimpleNamespace(headers={}, request=None)  # whose errors are the same in every release
SIZES = {
    "model_index.json": 500, "README.md": 9000, "unet/config.json": 900, "vae/config.json": 800,
    "unet/diffusion_pytorch_model.safetensors": 6 * GB, "unet/diffusion_pytorch_model.bin": 6 * GB,
    "unet/diffusion_pytorch_model.fp16.safetensors": 3 * GB, "vae/diffusion_pytorch_model.safetensors": GB,
    "text_encoder/model.safetensors": 2 * GB, "all-in-one.safetensors": 9 * GB, "scheduler/scheduler_config.json": 100,
    "tokenizer/vocab.json": 1000, "safety_checker/model.safetensors": GB,
}  # fmt: skip
WHOLE = Wanted(("unet", "vae", "text_encoder"))


@dataclass
class Hub:
    """Answers as `HfApi` does."""

    sizes: dict[str, int] = field(default_factory=lambda: dict(SIZES))
    gated: Any = False
    refusal: Exception | None = None  # of whoever asks for the files
    silence: Exception | None = None  # instead of any answer
    asked: list[str] = field(default_factory=list[str])

    def model_info(self, repo_id: str, *, files_metadata: bool) -> Any:
        self.asked.append(repo_id)
        if self.silence is not None:
            raise self.silence
        assert files_metadata
        files = [SimpleNamespace(rfilename=name, size=size, blob_id=f"id-{name.replace('/', '-')}", lfs=None)
                 for name, size in self.sizes.items()]  # fmt: skip
        return SimpleNamespace(siblings=files, gated=self.gated)

    def auth_check(self, repo_id: str) -> None:
        if self.refusal is not None:
            raise self.refusal


def asked(
    answers: Hub, folder: Path, wanted: Wanted = WHOLE, said: list[Problem] | None = None
) -> Sequence[str] | None:
    report = (lambda _: None) if said is None else said.append
    return check_download("owner/model", wanted, cache=folder, report=report, api=answers)


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    """100 GB are free."""
    monkeypatch.setattr(hub, "free_bytes", lambda _: 100 * GB)


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize(
    ("wanted", "size"),
    [(WHOLE, "9.0 GB"), (Wanted(("unet", "text_encoder")), "8.0 GB"), (Wanted(("vae",), alone=True), "1.0 GB")],
)
def test_what_will_be_fetched_is_said_and_nothing_else_is_fetched(tmp_path: Path, wanted: Wanted, size: str):
    said: list[Problem] = []
    asked(Hub(), tmp_path, wanted, said)
    assert [PLAIN.sentence(each) for each in said] == [f"Downloading {size} of owner/model from Hugging Face."]


@pytest.mark.usefixtures("room")
def test_pickles_are_fetched_where_there_is_nothing_better(tmp_path: Path):
    said: list[Problem] = []
    pickles = {name.replace("safetensors", "bin"): size for name, size in SIZES.items() if name.startswith("unet")}
    asked(Hub(pickles), tmp_path, WHOLE, said)
    assert said[0].values["size"] == 6 * GB + 900


@pytest.mark.usefixtures("room")
def test_a_vae_that_is_a_repository_of_its_own_is_fetched_from_outside_of_folders(tmp_path: Path):
    said: list[Problem] = []
    sizes = {"config.json": 700, "diffusion_pytorch_model.safetensors": GB, "sdxl.vae.safetensors": GB}
    asked(Hub(sizes), tmp_path, Wanted(("vae",), alone=True), said)
    assert said[0].values["size"] == GB + 700


def test_what_was_downloaded_before_needs_neither_room_nor_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hub, "free_bytes", lambda _: 0)
    blobs = tmp_path / "models--owner--model" / "blobs"
    blobs.mkdir(parents=True)
    for name in SIZES:
        (blobs / f"id-{name.replace('/', '-')}").touch()
    said: list[Problem] = []
    assert asked(Hub(gated="auto", refusal=GatedRepoError("no", response=RESPONSE)), tmp_path, said=said) is not None
    assert not said
    (blobs / "id-vae-diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(UserError, match=r"1\.0 GB to download.*0 kB free"):
        asked(Hub(), tmp_path)


def test_too_little_room_is_said_before_a_byte_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hub, "_snapshot", lambda *_: pytest.fail("fetched"))
    monkeypatch.setattr(hub, "free_bytes", lambda _: 10 * GB)
    with pytest.raises(UserError, match=r"owner/model takes 9\.0 GB .* 10\.0 GB free"):
        download_model("owner/model", WHOLE, cache=tmp_path, api=Hub())
    monkeypatch.setattr(hub, "free_bytes", lambda _: 12 * GB)
    monkeypatch.setattr(hub, "_snapshot", lambda *_: tmp_path)
    assert download_model("owner/model", WHOLE, cache=tmp_path, api=Hub()) == tmp_path


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize(("status", "words"), [(401, "use `hf auth login`"), (403, "the account of your token")])
def test_a_gated_model_is_refused_with_the_address_of_its_terms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, words: str
):
    monkeypatch.setattr(hub, "_snapshot", lambda *_: pytest.fail("fetched"))
    response: Any = SimpleNamespace(headers={}, request=None, status_code=status)
    refusal = GatedRepoError(str(status), response=response)
    with pytest.raises(UserError, match="gated") as caught:
        download_model("owner/model", WHOLE, cache=tmp_path, api=Hub(gated="manual", refusal=refusal))
    assert words in str(caught.value) and "https://huggingface.co/owner/model" in str(caught.value)
    assert asked(Hub(gated="manual"), tmp_path) is not None, "whoever may have it is not refused"


@pytest.mark.parametrize("silence", [OSError("no net"), HTTPError("no"),
                                     RepositoryNotFoundError("401", response=RESPONSE)])  # fmt: skip
def test_where_nobody_answers_what_is_on_this_machine_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silence: Exception
):
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "x.safetensors").touch()
    monkeypatch.setattr(hub, "_snapshot", lambda *_: tmp_path)
    assert download_model("owner/model", WHOLE, cache=tmp_path, api=Hub(silence=silence)) == tmp_path


def test_offline_nobody_is_asked(tmp_path: Path):
    answers = Hub()
    with pytest.raises(UserError, match="has not been downloaded"):
        download_model("owner/model", WHOLE, offline=True, cache=tmp_path, api=answers)
    assert not answers.asked


def test_tokenizers_alone_are_asked_for_without_any_weights(tmp_path: Path):
    wanted = ["modular_model_index.json", "t5_tokenizer/tokenizer.json", "tokenizer_2/vocab.json"]
    others = ["transformer/model.safetensors", "text_encoder/model.bin", "README.md"]
    patterns = Wanted(()).patterns_for([*wanted, *others])
    assert list(filter_repo_objects([*wanted, *others], allow_patterns=[*patterns])) == wanted
    with pytest.raises(UserError):
        download_model("nobody/nothing", Wanted(()), offline=True, cache=tmp_path)


REST = ["config.json", "preprocessor_config.json", "tokenizer.json"]


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_a_model_alone_is_fetched_with_all_it_needs_and_pickles_only_where_there_is_nothing_better(weights: str):
    others = ["README.md", "open_clip_model.safetensors", "tf_model.h5", "flax_model.msgpack"]
    names = [*REST, weights, *others, *(["pytorch_model.bin"] if weights == "model.safetensors" else [])]
    patterns = Wanted((), alone=True).patterns_for(names)
    assert list(filter_repo_objects(names, allow_patterns=[*patterns])) == [*REST, weights]


def test_single_files_are_fetched_alone():
    patterns = Wanted((), alone=True, files=("*.pth",)).patterns_for(["a+b.pth", *REST])
    assert list(filter_repo_objects(["a+b.pth", *REST], allow_patterns=[*patterns])) == ["a+b.pth"]


@pytest.mark.usefixtures("room")
def test_a_file_that_is_named_is_fetched_though_models_bring_such_files_that_nobody_needs(tmp_path: Path):
    answers, said = Hub({"onnx/model.onnx": GB, "onnx/model_fp16.onnx": GB // 2}), list[Problem]()
    assert asked(answers, tmp_path, Wanted((), alone=True, files=("onnx/model.onnx",)), said) == ("onnx/model.onnx",)
    assert [each.values["size"] for each in said] == [GB]
    said.clear()
    asked(answers, tmp_path, Wanted((), alone=True), said)
    assert not said


def test_whether_a_model_was_downloaded_is_seen_by_its_weights(tmp_path: Path):
    folder = tmp_path / "models--owner--model" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert not is_downloaded("owner/model", tmp_path)
    (folder / "model.safetensors").write_bytes(b"")
    assert is_downloaded("owner/model", tmp_path) and not is_downloaded("owner/other", tmp_path)
