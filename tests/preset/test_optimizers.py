"""The settings of optimizers: their names, what a stranger may write, and the rules around them."""

from typing import Any

import pytest

from modules.preset.files.set_option import apply_overrides
from modules.preset.optimizers.other import LIBRARIES, Other, read_arguments
from modules.preset.preset import Preset
from modules.preset.rules.rules import conflicts
from modules.preset.setting_info import kind_of
from modules.preset.validate import UNIONS, preset_of
from tests.trainer.optimizer_kinds import ALL


def with_(**changes: Any) -> Preset:
    return preset_of({"version": Preset.VERSION, **changes})


def test_every_optimizer_has_a_name_of_its_own_and_a_class_of_an_allowed_library() -> None:
    assert len({kind_of(kind) for kind in UNIONS["optimizer"]}) == len(ALL)
    assert len({kind.__doc__ for kind in ALL}) == len(ALL)
    own = {*LIBRARIES, "transformers.optimization", "dadaptation"}
    assert {kind().source.split(":")[0] for kind in ALL} <= own


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind.eight_bit])
def test_an_8_bit_optimizer_knows_the_one_that_is_not(kind) -> None:
    plain = next(other for other in ALL if kind_of(other) == kind.eight_bit)
    assert plain.state_bytes > kind.state_bytes
    assert not plain.eight_bit


def test_files_say_the_optimizer_as_sd_scripts_does() -> None:
    assert preset_of({"version": Preset.VERSION}).optimizer.signature == (
        "torch.optim.AdamW(eps=1e-08,weight_decay=0.01,betas=(0.9, 0.999))"
    )
    assert all("lambda" not in kind().signature for kind in ALL)


# By name --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "os:system", "builtins:eval", "torch:load", "torch.optim.lr_scheduler:LambdaLR", "torch.optim:__class__",
        "torch.optim:sys.modules", "torch.optim.adam:Adam", "pytorch_optimizer:base.os", "torch.optim:", ":AdamW",
        "torch.optim:Adam\n", "../torch.optim:Adam", "torch.optim:Ädam", "torch_optim:Adam", "pickle.loads",
        "bitsandbytes.optim:_Adam", "",
    ],
)  # fmt: skip
def test_no_other_module_can_be_reached_by_name(name) -> None:
    if name.endswith("\n"):
        assert Other(name=name).name == "torch.optim:Adam"
        return
    with pytest.raises(ValueError, match="must name a class"):
        Other(name=name)


def test_a_dot_is_as_good_as_a_colon() -> None:
    assert Other(name="pytorch_optimizer.Yogi").source == "pytorch_optimizer:Yogi"


def test_arguments_are_read_as_plain_values() -> None:
    assert read_arguments("betas=(0.9, 0.99), eps=1e-8, amsgrad=True, mode='a', sizes=[1, 2]") == {
        "betas": (0.9, 0.99), "eps": 1e-8, "amsgrad": True, "mode": "a", "sizes": [1, 2]
    }  # fmt: skip
    assert read_arguments("") == {}


@pytest.mark.parametrize(
    "text",
    [
        "eps=__import__('os')", "eps=1) or print(1", "a=1)(b=2", "1, 2", "**{'a': 1}", "a=1, a=2", "a=[x for x in 'a']",
        "a=b", "a=(1).real", "a=lambda: 1", "a=f'{1}'", "a=9**9**9", "a=" + "(" * 200, "a=1;b=2", "import os", "a",
    ],
)  # fmt: skip
def test_nothing_in_arguments_can_run(text) -> None:
    with pytest.raises(ValueError, match="values with names"):
        read_arguments(text)


@pytest.mark.parametrize("text", ["lr=1", "params=[]", "eps=" + "1" * 600])
def test_what_is_not_theirs_to_say_is_refused(text) -> None:
    with pytest.raises(ValueError, match=r"sets|too long|at most"):
        Other(arguments=text)


def test_the_command_line_sets_it_in_any_order() -> None:
    settings = ["optimizer.arguments=eps=1e-3", "optimizer.name=torch.optim.Adamax", "optimizer.kind=other"]
    found = preset_of(apply_overrides({"version": Preset.VERSION}, settings)).optimizer
    assert (found.source, found.keywords()) == ("torch.optim:Adamax", {"eps": 1e-3})


# Rules ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind_of(kind) for kind in ALL if kind.is_schedule_free])
def test_averaging_optimizers_take_no_falling_rate_no_bf16_and_no_second_average(kind) -> None:
    rate = {"learning_rate": 1.0} if kind.startswith("prodigy") else {}
    base: dict[str, Any] = {"optimizer": {"kind": kind}, "training": rate}
    assert conflicts(with_(**base, schedule={"warmup": "5 %"})) == []
    for kind_of_schedule in ("cosine", "custom", "inverse_sqrt"):
        assert conflicts(with_(**base, schedule={"kind": kind_of_schedule}))[0].code == "rules.schedule-free-schedule"
    assert conflicts(with_(**{**base, "training": {**rate, "weights": "bf16"}}))[0].code == "rules.schedule-free-bf16"
    assert conflicts(with_(**{**base, "training": {**rate, "ema": True}}))[0].code == "rules.schedule-free-ema"


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind.is_learning_rate_free])
def test_optimizers_that_find_the_rate_want_it_near_1_and_one_for_all(kind) -> None:
    base: dict[str, Any] = {"optimizer": {"kind": kind_of(kind)}}
    encoder = {"train": True, "learning_rate": 0.5}
    assert conflicts(with_(**base))[0].code == "rules.rate-free-low"
    assert conflicts(with_(**base, training={"learning_rate": 1.0})) == []
    parts = with_(**base, training={"learning_rate": 1.0, "text_encoder_1": encoder})
    assert bool(conflicts(parts)) == parts.optimizer.has_single_rate
    scaled = with_(**base, training={"learning_rate": 1.0, "scale_rate": "both"})
    assert conflicts(scaled)[0].code == "rules.rate-free-scaled"


def test_a_rate_for_each_part_is_what_prodigy_schedule_free_finds_unless_told_otherwise() -> None:
    training = {"learning_rate": 1.0, "text_encoder_1": {"train": True, "learning_rate": 0.5}}
    optimizer = {"kind": "prodigy_schedule_free"}
    assert conflicts(with_(optimizer=optimizer, training=training)) == []
    assert (
        conflicts(with_(optimizer={**optimizer, "split_groups": False}, training=training))[0].code
        == "rules.rate-free-several"
    )


def test_high_rates_are_for_those_that_take_them() -> None:
    assert conflicts(with_(training={"learning_rate": 0.6}))[0].code == "rules.rate-too-high"
    assert conflicts(with_(training={"learning_rate": 0.6}, optimizer={"kind": "sgd"})) == []


def test_muon_and_new_words_do_not_go_together() -> None:
    words = {"words": [{"token": "<new>"}]}
    assert "rules.matrices-and-tokens" in [each.code for each in conflicts(with_(optimizer={"kind": "muon"}, **words))]
    assert conflicts(with_(optimizer={"kind": "muon"})) == []


def test_paged_optimizers_are_refused_on_the_cpu() -> None:
    preset = with_(optimizer={"kind": "paged_adamw8bit"}, general={"device": "cpu"})
    assert conflicts(preset)[0].code == "rules.paged-on-cpu"


# Scaling --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "by", "expected"),
    [
        ("none", "root", 1), ("batch", "root", 2), ("accumulation", "root", 3), ("both", "root", 6),
        ("batch", "linear", 4), ("both", "linear", 36),
    ],
)  # fmt: skip
def test_the_rate_is_scaled_by_batch_and_accumulation(scale, by, expected) -> None:
    training = {"batch_size": 4, "accumulation": 9, "scale_rate": scale, "scale_by": by}
    assert with_(training=training).training.rate_scale == pytest.approx(expected)
