"""Scores of folders, runs and grids through the tool itself: right numbers, and nothing is computed twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from modules.errors import UserError
from modules.grids.record import FORMAT, VERSION
from modules.messages import Command, Event, Finished, RunTool, SampleReady, Stage, Stop
from modules.preset.files.store import write_project
from modules.preset.rules.rules import validate
from modules.scores.image_set import Scanning, image_set_of
from modules.scores.record import FILE, Scores, read_scores
from modules.scores.table import sides_of, table_of
from modules.wire import encode
from tests.scores import tiny
from tests.test_run import do, notes

OFF = dict.fromkeys(("text", "image", "dino", "copies"), False)


def settings(source: Path, **more: Any) -> dict[str, Any]:
    clip, dino = map(str, tiny.models().values())
    models = {"text_model": clip, "image_model": clip, "aesthetic_model": clip, "preference_model": clip}
    return {**models, "dino_model": dino, "copies_model": dino, "source": str(source), "device": "cpu", **more}


def score(source: Path, answer: Callable[[Event], Command | None] | None = None, **more: Any) -> list[Event]:
    return do(RunTool("score", settings(source, **more)), answer)


def found(folder: Path) -> Scores:
    scores = read_scores(folder)
    assert scores is not None
    return scores


def values(folder: Path) -> dict[str, dict[str, float]]:
    return {image.file: image.values for image in found(folder).images}


def computed(events: list[Event]) -> int:
    """How many images went through a model, each model counted."""
    return max(
        (event.done for event in events if isinstance(event, Stage) and event.code == "stage.scoring"), default=0
    )


def stages(events: list[Event], code: str) -> list[Stage]:
    return [event for event in events if isinstance(event, Stage) and event.code == code]


def refusal(source: Path, **more: Any) -> str:
    with pytest.raises(UserError) as refused:
        score(source, **more)
    return refused.value.problem.code


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of its own for what is without a run."""
    from modules.scores import image_set

    def preset_with(folder: Path | None = None) -> Any:
        concepts = [{"path": str(folder)}] if folder else []
        return validate(
            {"concepts": concepts, "general": {"cache": str(tmp_path / "cache"), "threads": 1}}, trains=False
        )

    monkeypatch.setattr(image_set, "preset_with", preset_with)
    monkeypatch.setattr("modules.scores.references.preset_with", preset_with)
    return tmp_path


@pytest.fixture
def folder(home: Path) -> Path:
    """Three images with prompts, and three references, of which the first is one of the images."""
    for number, prompt in enumerate(("a cat", "a red (dog:1.2) <lora:x:0.8>", "")):
        tiny.picture(home / "images" / f"{number}.png", number, prompt)
    tiny.pictures(home / "references", (0, 7, 8))
    return home / "images"


def vectors(kind: str, files: list[Path]) -> Tensor:
    """By transformers' own classes."""
    from transformers import AutoModel

    from modules.scores.preprocess import preprocessing_of

    place = tiny.models()[kind]
    prepared = preprocessing_of(place, kind, {})
    pixels = torch.stack([prepared.tensor(Image.open(file).convert("RGB")) for file in files])
    model = AutoModel.from_pretrained(place).eval()
    with torch.no_grad():
        if kind == "dino":
            return torch.nn.functional.normalize(model(pixel_values=pixels).last_hidden_state[:, 0], dim=-1)
        seen = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)
        return torch.nn.functional.normalize(seen, dim=-1)


def test_the_numbers_are_those_of_the_formulas(folder: Path) -> None:
    from transformers import CLIPModel, CLIPTokenizer

    head = tiny.head(folder.parent / "head.pth")
    score(
        folder, reference=str(folder.parent / "references"), aesthetic=True, aesthetic_head=str(head), preference=True
    )
    images = [folder / f"{number}.png" for number in range(3)]
    references = [folder.parent / "references" / f"{number}.png" for number in (0, 7, 8)]
    clip, dino = vectors("clip", images), vectors("dino", images)
    model, place = CLIPModel.from_pretrained(tiny.models()["clip"]).eval(), tiny.models()["clip"]
    ids = CLIPTokenizer.from_pretrained(place)(["a cat", "a red dog"], padding=True, return_tensors="pt")
    with torch.no_grad():
        read = model.text_projection(model.text_model(**ids).pooler_output)
    texts = (torch.nn.functional.normalize(read, dim=-1) * clip[:2]).sum(-1)
    layers, each = torch.load(head, weights_only=True), clip
    for number in (0, 2, 4, 6, 7):
        each = each @ layers[f"layers.{number}.weight"].T + layers[f"layers.{number}.bias"]
    cosines = dino @ vectors("dino", references).T
    wanted = {
        "text": texts, "preference": texts * model.logit_scale.exp().item(), "aesthetic": each[:, 0],
        "image": (clip @ vectors("clip", references).T).mean(1), "dino": cosines.mean(1), "copies": cosines.amax(1),
    }  # fmt: skip
    for name, numbers in wanted.items():
        held = [values(folder)[file.name].get(name) for file in images]
        assert held[: len(numbers)] == pytest.approx(numbers.tolist(), abs=2e-4), name
    assert "text" not in values(folder)["2.png"]  # of the empty prompt


def test_a_training_image_itself_is_a_near_copy_and_is_named(folder: Path) -> None:
    references = folder.parent / "references"
    events = score(folder, reference=str(references), copies_from=0.999)
    first = found(folder).images[0]
    assert first.values["copies"] == pytest.approx(1, abs=1e-5) and first.nearest == str(references / "0.png")
    assert table_of(found(folder))[0].numbers["copies"].copies == 1
    assert "(1 near-copy)" in notes(events) and events[-1] == Finished(path=str(folder))


def test_what_is_known_is_not_computed_again(folder: Path) -> None:
    references = folder.parent / "references"
    assert computed(score(folder, reference=str(references))) == 6  # three images, two models
    again = score(folder, reference=str(references))
    assert not stages(again, "stage.opening-model") and "3 images" in notes(again)
    before = values(folder)
    tiny.picture(folder / "3.png", 3, "a cat")
    more = score(folder, reference=str(references))
    assert computed(more) == 2 and not stages(more, "stage.reading-references")
    assert all(values(folder)[name] == held for name, held in before.items())
    copyfile(folder / "3.png", folder / "0.png")  # another image of the same name
    assert computed(score(folder, reference=str(references))) == 0  # which was looked at under another one
    assert values(folder)["0.png"] == values(folder)["3.png"]
    threshold = score(folder, reference=str(references), copies_from=-1)
    assert not stages(threshold, "stage.opening-model") and "(4 near-copies)" in notes(threshold)


def test_another_reference_image_or_model_makes_only_its_scores_anew(folder: Path, tmp_path: Path) -> None:
    references = folder.parent / "references"
    score(folder, reference=str(references))
    before = values(folder)
    tiny.picture(references / "9.png", 9)
    score(folder, reference=str(references))
    after = values(folder)
    assert after["1.png"]["text"] == before["1.png"]["text"] and after["1.png"]["dino"] != before["1.png"]["dino"]
    other = tiny.clip(tmp_path / "other", seed=5)
    events = score(folder, **{**OFF, "text": True}, text_model=str(other))
    assert computed(events) == 2
    assert values(folder)["1.png"]["text"] != before["1.png"]["text"]
    assert values(folder)["1.png"]["dino"] == after["1.png"]["dino"]  # was not asked for, and is kept
    assert found(folder).made["text"].model == str(other)


def test_scores_that_were_stopped_go_on_with_the_rest(folder: Path) -> None:
    references, chosen = str(folder.parent / "references"), {**OFF, "dino": True}

    def stop_at_the_second(event: Event) -> Command | None:
        return (
            Stop(now=True) if isinstance(event, Stage) and event.code == "stage.scoring" and event.done == 1 else None
        )

    stopped = score(folder, stop_at_the_second, reference=references, batch_size=1, **chosen)
    assert stopped[-1] == Finished(stopped=True)
    kept = values(folder)
    assert sum("dino" in numbers for numbers in kept.values()) == 2
    going_on = score(folder, reference=references, batch_size=1, **chosen)
    assert computed(going_on) == 1 and not stages(going_on, "stage.reading-references")
    (folder / FILE).unlink()
    score(folder, reference=references, batch_size=1, **chosen)
    whole = values(folder)
    assert all(whole[name] == numbers for name, numbers in kept.items() if numbers) and len(whole) == 3


def test_a_scan_that_is_stopped_is_no_folder_without_images(folder: Path) -> None:
    score(folder, **{**OFF, "text": True})
    before = values(folder)
    for path in folder.glob("*.png"):
        path.touch()  # to be read again
    events = score(folder, lambda event: Stop(now=True) if isinstance(event, Stage) else None, **{**OFF, "text": True})
    assert events[-1] == Finished(stopped=True) and values(folder) == before


def test_a_killed_scoring_keeps_what_was_written_on_the_way(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill runs no `finally`: what stands in the files at the last batch is what is left."""
    left: list[int] = []
    tables: list[int] = []

    def look(event: Event) -> None:
        if isinstance(event, Stage) and event.code == "stage.scoring" and (folder / FILE).exists():
            left.append(sum("text" in numbers for numbers in values(folder).values()))
            tables.append((folder / "scores.csv").read_text(encoding="utf-8").count(",text,"))

    monkeypatch.setattr("modules.scores.scoring.SAVE_EVERY_S", -1)
    score(folder, look, batch_size=1, **{**OFF, "text": True})
    assert left == [1, 2] and all(tables)


def test_a_prompt_that_is_too_long_is_said_to_be_cut(folder: Path) -> None:
    tiny.picture(folder / "0.png", 0, "a red dog " * 40)
    events = score(folder, **{**OFF, "text": True})
    assert "1 prompt is longer" in notes(events, "warning")
    assert [image.cut for image in found(folder).images] == [True, False, False]


def test_captions_stand_in_for_prompts_that_images_do_not_carry(home: Path) -> None:
    tiny.picture(home / "plain" / "a.png", 1)
    (home / "plain" / "a.txt").write_text("a cat")
    score(home / "plain", **{**OFF, "text": True})
    assert found(home / "plain").images[0].prompt == "a cat"


def test_what_cannot_be_computed_is_left_out_in_words_or_refused(folder: Path) -> None:
    events = score(folder)
    assert "CLIP image similarity, DINO similarity" in notes(events, "warning")
    assert set(found(folder).made) == {"text"}
    tiny.picture(folder.parent / "plain" / "a.png", 1)
    assert refusal(folder, **{**OFF, "dino": True}) == "score.no-references"
    assert refusal(folder, **OFF) == "score.none"
    assert refusal(folder.parent / "plain", **{**OFF, "text": True}) == "score.no-prompts"
    assert refusal(folder / "absent") == "score.no-folder"
    assert refusal(folder, text_model=str(tiny.models()["dino"])) == "score.wrong-model"
    assert refusal(folder, text_model="nobody/nothing-here", offline=True) == "hub.offline:tool"
    assert refusal(folder, reference=str(folder / "absent")) == "concept.folder-missing"


def test_a_damaged_file_of_scores_is_refused_and_stays(folder: Path) -> None:
    (folder / FILE).write_text("{")
    assert refusal(folder) == "score.not-ours" and (folder / FILE).read_text() == "{"


def test_images_that_cannot_be_read_are_named_and_the_others_are_used(folder: Path) -> None:
    references = folder.parent / "references"
    for path in (folder / "1.png", references / "7.png"):
        path.write_bytes(path.read_bytes()[:-1000])
    (references / "none.png").write_bytes(b"no image")
    events = score(folder, reference=str(references), **{**OFF, "dino": True})
    warned = notes(events, "warning")
    assert all(f"{name}.png" in warned for name in ("1", "7", "none"))
    assert {name: [*numbers] for name, numbers in values(folder).items()} == {
        "0.png": ["dino"],
        "1.png": [],
        "2.png": ["dino"],
    }
    for path in references.iterdir():
        path.write_bytes(b"no image")
    assert refusal(folder, reference=str(references), **{**OFF, "dino": True}) == "concept.none-usable"


def run_in(home: Path, **more: Any) -> Path:
    """A run of two concepts with samples at two steps: of each concept, of what the base knows, of something else."""
    run = home / "run"
    for number, name in enumerate(("cats", "dogs")):
        tiny.pictures(home / name, (20 + number, 30 + number))
    preset = validate({
        "model": {"source": str(home)},
        "concepts": [{"path": str(home / "cats"), "trigger": "zcat"}, {"path": str(home / "dogs"), "trigger": "zdog"}],
        "examine": {"prompts": "a car"}, **more,
        "general": {"cache": str(home / "cache"), "workspace": str(home), "threads": 1},
    }, trains=False)  # fmt: skip
    run.mkdir()
    write_project(preset, run / "preset.json")
    lines: list[str] = []
    for step in (0, 500):
        for number, prompt in enumerate(("a ZCAT", "zdog", "a car", "a house"), 1):
            path = tiny.picture(run / "samples" / f"{step} {number}.png", step + number)
            lines.append(encode(SampleReady(str(path), prompt, step, number)))
    (run / "events.jsonl").write_text("\n".join(lines))
    return run


def test_a_run_is_scored_by_step_and_its_sides_are_told_apart(home: Path) -> None:
    run = run_in(home)
    events = score(run, preference=True)
    scores = found(run)
    assert [(row.label, row.step, row.images) for row in table_of(scores)] == [("0", 0, 4), ("500", 500, 4)]
    assert [image.side for image in scores.images[:4]] == ["concept", "concept", "known", "other"]
    assert sides_of(scores) == ["concept", "known", "other"] and scores.run == str(run)
    assert "500, prompts the base model knows: Text similarity" in notes(events)


def test_what_was_held_out_is_no_training_image(home: Path) -> None:
    run = run_in(home, validation={"enabled": True, "share": 0.5})
    score(run, **{**OFF, "copies": True})
    assert found(run).made["copies"].references == 2  # of four


def test_an_image_is_compared_with_the_concept_that_its_prompt_names(home: Path) -> None:
    run = run_in(home)
    score(run)
    cats, dogs = (vectors("dino", sorted((home / name).iterdir())) for name in ("cats", "dogs"))
    for number, references in ((1, cats), (2, dogs), (3, torch.cat([cats, dogs]))):
        sample = vectors("dino", [run / "samples" / f"0 {number}.png"])
        wanted = float((sample @ references.T).mean())
        assert values(run)[f"samples/0 {number}.png"]["dino"] == pytest.approx(wanted, abs=1e-4)


def grid_in(home: Path, run: str = "") -> Path:
    """Two steps by two prompts in two tabs, one cell not drawn."""
    grid = home / "grid"
    axes = {
        "columns": ("step", ["base", "500"]), "rows": ("prompt", ["a cat", "a car"]), "tabs": ("seed", ["1", "2"]),
    }  # fmt: skip
    cells: list[dict[str, Any]] = []
    for number in range(8):
        column, row, tab = number % 2, number // 2 % 2, number // 4
        file = f"cells/{number}.png"
        if number != 7:
            tiny.picture(grid / file, number, axes["rows"][1][row])
        cells.append({"column": column, "row": row, "tab": tab, "file": file, "done": number != 7, "reused": False})
    heads = {name: [{"value": v, "label": v, "step": -1} for v in held] for name, (_, held) in axes.items()}
    heads["columns"][1]["step"] = 500
    record = {
        "format": FORMAT, "version": VERSION, "name": "grid", "run": run, "cells": cells,
        "axes": {name: {"kind": kind, "title": kind, "heads": heads[name]} for name, (kind, _) in axes.items()},
    }  # fmt: skip
    (grid / "grid.json").write_text(json.dumps(record))
    return grid


def test_a_grid_is_scored_by_its_steps_in_each_tab(home: Path) -> None:
    grid = grid_in(home, str(run_in(home)))
    score(grid)
    scores = found(grid)
    assert [(row.label, row.step, row.images) for row in table_of(scores)] == [
        ("1 / base", -1, 2), ("1 / 500", 500, 2), ("2 / base", -1, 2), ("2 / 500", 500, 1),
    ]  # fmt: skip
    places = {(image.column, image.row, image.tab): image for image in scores.images}
    assert len(places) == 7 and places[0, 1, 0].prompt == "a car" and places[0, 1, 0].side == "known"
    assert scores.by == "step" and scores.made["dino"].references == 4


def test_a_grid_without_a_run_has_no_sides(home: Path) -> None:
    score(grid_in(home), **{**OFF, "text": True})
    assert sides_of(found(home / "grid")) == []


def test_a_folder_of_another_kind_without_images_is_refused(home: Path) -> None:
    (run := run_in(home) / "events.jsonl").unlink()
    with pytest.raises(UserError) as refused:
        image_set_of(str(run.parent), Scanning(lambda _done, _total: None, lambda: False, lambda _: None))
    assert refused.value.problem.code == "score.no-samples"
