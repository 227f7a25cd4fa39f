from pathlib import Path

import pytest

from app.gui.draft.choice_labels import choice_label
from app.gui.draft.draft import Draft
from app.gui.draft.visibility import LISTS
from modules.preset.files import store
from modules.preset.preset import Preset
from modules.preset.rules.rules import validate
from modules.preset.setting_info import kind_of
from modules.preset.validate import UNIONS, all_settings, setting_at, settings_at
from modules.system.bundled import ROOT

ROBOT = ROOT / "presets" / "Starter" / "Robot LoRA.json"
SDXL = ROOT / "presets" / "SDXL" / "LoRA 8 GB.json"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def draft(clock: Clock) -> Draft:
    return Draft(store.read(ROBOT), "Robot LoRA", clock=clock)


def test_a_preset_that_was_just_loaded_is_unchanged_and_right(draft: Draft) -> None:
    assert draft.errors() == {}
    assert draft.changed_paths() == ()
    assert validate(draft.freeze()) == store.read(ROBOT)


def test_bad_text_stays_beside_the_last_good_value(draft: Draft) -> None:
    assert draft.type("training.batch_size", "4x") == "“4x” is not a whole number."
    assert draft.get("training.batch_size") == 4
    assert (draft.bad("training.batch_size") or pytest.fail()).text == "4x"
    assert list(draft.errors()) == ["training.batch_size"]
    draft.type("training.batch_size", "8")
    assert draft.get("training.batch_size") == 8
    assert draft.bad("training.batch_size") is None
    assert draft.errors() == {}


def test_escape_brings_the_last_good_value_back(draft: Draft) -> None:
    draft.type("training.learning_rate", "1e-")
    draft.revert("training.learning_rate")
    assert draft.errors() == {}
    assert draft.get("training.learning_rate") == 0.0005


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("training.batch_size", " 3 ", 3),
        ("training.batch_size", "1e1", 10),
        ("training.learning_rate", "1e-4", 0.0001),
        ("sampling.every", "50 step", "50 steps"),
        ("model.dtype", "bf16", "bf16"),
        ("general.name", " a name ", " a name "),
        ("training.ema", "on", True),
    ],
)
def test_what_is_typed_becomes_a_value_of_the_right_kind(draft: Draft, path: str, text: str, value: object) -> None:
    assert draft.type(path, text) == ""
    assert draft.get(path) == value


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("training.batch_size", "0", "at least 1"),
        ("training.batch_size", "1.5", "not a whole number"),
        ("training.batch_size", "", "Required."),
        ("training.learning_rate", "nan", "finite number"),
        ("sampling.every", "often", "10 minutes"),
        ("model.dtype", "bf17", 'Did you mean "bf16"?'),
    ],
)
def test_what_cannot_be_used_is_said_in_words_without_the_path(draft: Draft, path: str, text: str, words: str) -> None:
    error = draft.type(path, text)
    assert words in error
    assert path not in error


def test_rules_between_settings_are_told_at_the_setting_by_its_name_in_the_window(draft: Draft) -> None:
    draft.put("optimizer.kind", "prodigy")
    (path,) = draft.errors()
    assert path == "optimizer.kind"
    assert "“Training \u203a Learning rate”" in draft.errors()[path]
    assert draft.error_counts() == {"optimizer": 1}


def test_what_is_missing_is_told_where_it_is_missing(draft: Draft) -> None:
    draft.put("model.source", "")
    draft.add("concepts")
    assert set(draft.errors()) == {"model.source", "concepts.1.path"}
    draft.remove("concepts", 0, 1)
    assert draft.errors()["concepts"].endswith("Add a folder of images on the page Concepts.")


@pytest.mark.parametrize("path", ["model.source", "model.vae"])
def test_a_model_that_is_not_there_is_wrong_at_once_until_it_comes(draft: Draft, tmp_path: Path, path: str) -> None:
    file, told = tmp_path / "model.safetensors", list[frozenset[str]]()
    for name in (str(file), "just some words"):
        draft.put(path, name)
        assert f"There is no model at {name}." in draft.errors()[path]
    for name in ("stabilityai/stable-diffusion-2-1", "starter:model", str(tmp_path)):
        draft.put(path, name)
        assert draft.errors() == {}
    draft.put(path, str(file))
    draft.watch(path, told.append)
    draft.look_again()
    assert not told
    file.touch()
    draft.look_again()
    assert draft.errors() == {} and len(told) == 1


def test_typing_without_a_rest_is_undone_at_once_and_a_rest_makes_two(draft: Draft, clock: Clock) -> None:
    for text in ("5", "50", "500"):
        draft.type("training.steps", text)
        clock.now += 0.3
    clock.now += 1
    draft.type("training.steps", "5000")
    undone = draft.undo()
    assert undone and undone.path == "training.steps"
    assert draft.get("training.steps") == 500
    draft.undo()
    assert draft.get("training.steps") == 600
    assert draft.undo() is None
    draft.redo()
    draft.redo()
    assert draft.get("training.steps") == 5000
    assert draft.redo() is None


def test_clicks_are_never_merged(draft: Draft) -> None:
    draft.put("training.ema", True)
    draft.put("training.ema", False)
    draft.undo()
    assert draft.get("training.ema") is True


def test_a_change_after_an_undo_ends_redo(draft: Draft) -> None:
    draft.put("training.batch_size", 8)
    draft.undo()
    draft.put("training.batch_size", 9)
    assert not draft.can_redo


def test_a_bad_text_is_undone_like_a_value(draft: Draft) -> None:
    draft.type("training.batch_size", "many")
    draft.undo()
    assert draft.errors() == {}


def test_loading_a_preset_keeps_machine_settings_and_the_users_concepts(draft: Draft) -> None:
    draft.put("general.workspace", "/somewhere")
    draft.put("concepts.0.path", "/my/cat")
    draft.load("SDXL", store.read(SDXL))
    assert draft.get("general.workspace") == "/somewhere"
    assert draft.get("concepts.0.path") == "/my/cat"
    assert draft.get("model.family") == "sdxl"
    assert draft.changed_paths() == ()


def test_loading_a_preset_is_undone_as_one_change(draft: Draft) -> None:
    draft.put("training.batch_size", 8)
    before = draft.values
    draft.load("SDXL", store.read(SDXL))
    undone = draft.undo()
    assert undone and undone.title == "SDXL loaded"
    assert draft.values == before
    assert draft.base.name == "Robot LoRA"
    assert draft.changed_paths() == ("training.batch_size",)


def test_the_images_that_ship_go_with_the_preset_that_names_them(draft: Draft) -> None:
    draft.load("Blueprint", store.read(ROOT / "presets" / "Starter" / "Blueprint style.json"))
    assert draft.get("concepts.0.path") == "starter:blueprint"


def test_the_example_images_leave_with_the_starter_presets(draft: Draft) -> None:
    draft.add("concepts", {"path": "/my/cat"})
    draft.load("SDXL", store.read(SDXL))
    assert [concept["path"] for concept in draft.get("concepts")] == ["/my/cat"]
    draft.undo()
    assert [concept["path"] for concept in draft.get("concepts")] == ["starter:robot", "/my/cat"]
    draft.reset_all()
    assert len(draft.get("concepts")) == 2


def test_the_images_that_ship_do_not_push_the_users_own_aside(draft: Draft) -> None:
    draft.add("concepts", {"path": "/my/cat"})
    draft.load("Blueprint", store.read(ROOT / "presets" / "Starter" / "Blueprint style.json"))
    assert [concept["path"] for concept in draft.get("concepts")] == ["starter:robot", "/my/cat"]


def test_a_preset_that_names_no_model_leaves_the_chosen_one(draft: Draft) -> None:
    draft.load("mine", store.read(ROBOT).model_copy(update={"model": Preset().model}))
    assert draft.get("model.source") == "starter:model"


def test_undoing_all_changes_can_be_undone(draft: Draft) -> None:
    draft.put("training.batch_size", 8)
    draft.put("optimizer.kind", "lion")
    draft.reset_all()
    assert draft.changed_paths() == ()
    draft.undo()
    assert set(draft.changed_paths()) == {"training.batch_size", "optimizer.kind"}


def test_another_optimizer_and_back_keeps_its_settings(draft: Draft) -> None:
    draft.put("optimizer.beta1", 0.8)
    draft.put("optimizer.kind", "prodigy")
    draft.put("optimizer.d_coef", 2.0)
    draft.put("optimizer.kind", "adamw")
    assert draft.get("optimizer.beta1") == 0.8
    draft.put("optimizer.kind", "prodigy")
    assert draft.get("optimizer.d_coef") == 2.0


@pytest.mark.parametrize("kind", [kind_of(kind) for kind in UNIONS["optimizer"]])
def test_every_optimizer_is_remembered_with_its_own_values(kind: str, draft: Draft) -> None:
    other = "lion" if kind == "adamw" else "adamw"
    draft.put("optimizer.kind", kind)
    path, changed = "optimizer.weight_decay", 0.5
    if draft.get(path) is None:
        path, changed = ("optimizer.arguments", "eps=1e-3") if kind == "other" else ("optimizer.d0", 1e-4)
    assert draft.put(path, changed) == ""
    draft.put("optimizer.kind", other)
    assert draft.get(path) != changed
    draft.put("optimizer.kind", kind)
    assert draft.get(path) == changed


def test_a_setting_of_several_optimizers_has_the_limits_of_the_chosen_one(draft: Draft) -> None:
    assert draft.type("optimizer.beta1", "0") == ""
    draft.put("optimizer.kind", "schedule_free_adamw")
    assert "above 0" in draft.type("optimizer.beta1", "0")


def test_hidden_settings_are_kept_and_do_not_reach_the_run(draft: Draft) -> None:
    draft.put("training.ema", True)
    draft.put("training.ema_decay", 0.5)
    draft.put("training.ema", False)
    assert draft.get("training.ema_decay") == 0.5
    assert "ema_decay" not in draft.freeze()["training"]
    draft.put("method.conv_rank", 4)
    draft.put("method.conv", False)
    assert "conv_rank" not in draft.freeze()["method"]
    draft.put("concepts.0.prompt", "a robot")
    assert "prompt" not in draft.freeze()["concepts"][0]
    draft.put("concepts.0.captions", "prompt")
    assert draft.freeze()["concepts"][0]["prompt"] == "a robot"


def test_a_part_that_the_model_lacks_is_hidden_and_no_reason_to_refuse(draft: Draft) -> None:
    draft.load("SDXL", store.read(SDXL))
    draft.put("training.text_encoder_2.train", True)
    draft.load("Robot", store.read(ROBOT))
    draft.put("training.text_encoder_2.train", True)
    setting = setting_at("training.text_encoder_2.train", draft.values)
    assert setting and not draft.is_visible(setting)
    assert draft.errors() == {}


def test_what_depends_on_a_hidden_setting_is_hidden_with_it(draft: Draft) -> None:
    (conv_rank,) = settings_at("method.conv_rank")
    assert draft.is_visible(conv_rank)
    draft.put("method.kind", "full")
    assert not draft.is_visible(conv_rank)


def test_an_error_in_a_hidden_setting_does_not_block(draft: Draft) -> None:
    draft.put("training.ema", True)
    draft.type("training.ema_decay", "much")
    draft.put("training.ema", False)
    assert draft.errors() == {}


def test_list_entries_are_added_duplicated_moved_and_removed_and_each_is_undone(draft: Draft) -> None:
    number = draft.add("concepts", {"path": "/b"})
    assert (number, draft.get("concepts.1.repeats")) == (1, 1.0)
    draft.duplicate("concepts", 1)
    draft.put("concepts.2.path", "/c")
    draft.move("concepts", 2, 0)
    paths = [concept["path"] for concept in draft.get("concepts")]
    assert paths == ["/c", "starter:robot", "/b"]
    draft.remove("concepts", 0, 2)
    assert [concept["path"] for concept in draft.get("concepts")] == ["starter:robot"]
    for _ in range(5):
        assert draft.undo()
    assert [concept["path"] for concept in draft.get("concepts")] == ["starter:robot"]
    assert draft.undo() is None


def test_a_bad_text_moves_with_its_entry_and_goes_with_it(draft: Draft) -> None:
    draft.type("sampling.prompts.1.steps", "x")
    draft.move("sampling.prompts", 1, 3)
    assert draft.bad("sampling.prompts.3.steps")
    draft.remove("sampling.prompts", 0)
    assert draft.bad("sampling.prompts.2.steps")
    draft.remove("sampling.prompts", 2)
    assert draft.errors() == {}


def test_counts_of_changes_leave_out_what_belongs_to_no_preset(draft: Draft) -> None:
    draft.put("general.workspace", "/x")
    draft.put("concepts.0.flip", False)
    draft.put("training.batch_size", 8)
    draft.add("sampling.prompts")
    assert draft.changed_counts() == {"training": 1, "sampling": 1}
    assert draft.changed("general.workspace")
    draft.reset("general.workspace")
    assert draft.get("general.workspace") == "workspace"


def test_a_watcher_hears_of_its_path_and_what_is_below_until_it_ends(draft: Draft) -> None:
    heard: list[frozenset[str]] = []
    end = draft.watch("training", heard.append)
    draft.put("sampling.first", False)
    assert heard == []
    draft.put("training.batch_size", 8)
    assert heard == [frozenset({"training.batch_size"})]
    end()
    draft.put("training.batch_size", 9)
    assert len(heard) == 1


def test_a_watcher_that_ends_another_while_told_is_no_fault(draft: Draft) -> None:
    heard: list[str] = []
    ends = [draft.watch("", lambda _: ends[1]()), draft.watch("", lambda _: heard.append("second"))]
    draft.put("training.batch_size", 8)
    assert heard == []


def test_values_are_never_changed_in_place(draft: Draft) -> None:
    before = draft.values
    draft.put("concepts.0.flip", False)
    draft.put("training.denoiser.train", False)
    assert before["concepts"][0]["flip"] is True
    assert before["training"]["denoiser"]["train"] is True


def test_an_unknown_setting_or_entry_is_refused(draft: Draft) -> None:
    for path in ("training.lr", "concepts.7.flip"):
        with pytest.raises(KeyError):
            draft.put(path, 1)


SECOND = {
    "optimizer.name": "torch.optim:Adamax", "optimizer.arguments": "eps=1e-3", "schedule.points": "0:0.5, 1:0",
    "schedule.decay": "7 steps", "concepts.0.caption_ending": ".caption", "concepts.0.more_captions": ".tags",
    "concepts.0.shares": "3, 1", "concepts.0.replacements": "a => b", "concepts.0.resolutions": "64",
    "training.resolutions": "64", "concepts.0.min_score": "2.5",
}  # fmt: skip


def second_value(setting: object, value: object) -> object:
    if (path := getattr(setting, "path", "")) in SECOND:
        return SECOND[path]
    choices = getattr(setting, "choices", ())
    if choices:
        return next(choice for choice in choices if choice != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 8
    if isinstance(value, float):
        return value / 2 if value else 0.5
    return {"never": "10 steps", "auto": "10 %"}.get(
        str(value), "7 steps" if any(unit in str(value) for unit in ("step", "min", "epoch")) else "other"
    )


def test_every_setting_can_be_changed_reset_and_undone(clock: Clock) -> None:
    """Walks the schema, so that no setting is forgotten."""
    walked = 0
    for setting in all_settings():
        draft = Draft(store.read(ROBOT), clock=clock)
        draft.add("concepts", {"path": "/x"})
        if setting.when and setting.when.path.endswith(".kind"):
            draft.put(setting.when.path, setting.when.values[0])
        section, name = setting.path.split(".")[0], setting.path.split(".")[-1]
        if section in UNIONS and setting.path.count(".") == 1 and draft.get(setting.path) is None:
            owners = [member for member in UNIONS[section] if name in member.model_fields]
            draft.put(f"{section}.kind", kind_of(owners[0]))
        for above in LISTS:
            if setting.path.startswith(f"{above}.") and not draft.get(above):
                draft.add(above)
        if setting.entry:
            continue
        usual = draft.get(setting.path)
        assert usual is not None, setting.path
        other = second_value(setting, usual)
        assert draft.put(setting.path, other) == "", setting.path
        assert draft.get(setting.path) == other
        draft.undo()
        assert draft.get(setting.path) == usual
        draft.redo()
        draft.reset(setting.path)
        assert draft.get(setting.path) == draft.original(setting.path), setting.path
        walked += 1
    assert walked == sum(not setting.entry for setting in all_settings())


@pytest.mark.parametrize(("typed", "value"), [("0,0005", 0.0005), ("1,5e-4", 0.00015), ("0,125", 0.125)])
def test_a_decimal_comma_is_read(draft: Draft, typed: str, value: float) -> None:
    assert draft.type("training.learning_rate", typed) == ""
    assert draft.get("training.learning_rate") == value


def test_a_comma_that_may_mean_a_thousand_is_refused(draft: Draft) -> None:
    assert "“1,000” is not a number" in draft.type("training.learning_rate", "1,000")


def test_both_neighbours_of_a_size_that_does_not_fit_are_named(draft: Draft) -> None:
    draft.put("training.bucket_step", 13)
    assert "Set it to 8 or 16." in draft.errors()["training.bucket_step"]


def test_no_choice_is_shown_by_the_name_that_the_code_has_for_it() -> None:
    named = {
        (each.path, choice): str(choice_label(each.path, choice)) for each in all_settings() for choice in each.choices
    }
    assert [key for key, label in named.items() if "_" in label] == []


def test_saving_under_a_name_counts_changes_from_there(draft: Draft) -> None:
    draft.put("training.batch_size", 8)
    draft.compare_with("mine")
    assert (draft.base.name, draft.changed_paths()) == ("mine", ())


def test_what_a_run_gets_is_what_the_engine_accepts(draft: Draft, tmp_path: Path) -> None:
    draft.put("concepts.0.path", str(tmp_path))
    for name in sorted((ROOT / "presets").rglob("*.json")):
        draft.load(name.stem, store.read(name))
        assert validate(draft.freeze()).method == store.read(name).method


def test_f8_goes_from_problem_to_problem_in_the_order_of_the_pages_and_round(draft: Draft) -> None:
    assert draft.next_problem() == ""
    draft.add("concepts")
    draft.type("concepts.0.repeats", "x")
    draft.type("training.steps", "x")
    draft.type("general.seed", "x")
    order = ["general.seed", "concepts.0.repeats", "concepts.1.path", "training.steps"]
    found = [""]
    for _ in range(5):
        found.append(draft.next_problem(found[-1]))
    assert found[1:] == [*order, "general.seed"]
