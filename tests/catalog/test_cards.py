"""Cards of families: what they say is so, and nobody else knows a family by name."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from modules.catalog import FAMILIES, FamilyCard, SamplingDefaults
from modules.check.trained.layer_lists import usual_variant
from modules.families import family_class
from modules.preset.sections.sampling import SAMPLERS

ROOT = Path(__file__).parents[2]
CARDS = pytest.mark.parametrize("name", FAMILIES)


@CARDS
def test_a_card_and_its_family_are_of_one_name_and_its_classes_are_there(name: str) -> None:
    card = FAMILIES[name]
    family = family_class(name)
    assert (family.name, family.card) == (name, card)
    assert family.text_encoders == card.text_encoders
    for spec in card.components:
        module, _, kind = spec.class_path.partition(":")
        assert isinstance(getattr(import_module(module), kind), type)
        assert bool(spec.tokenizer) == spec.reads_text


@CARDS
def test_components_are_a_denoiser_a_vae_and_text_encoders_by_their_numbers(name: str) -> None:
    encoders = [f"text_encoder_{number}" for number in range(1, len(FAMILIES[name].text_encoders) + 1)]
    assert FAMILIES[name].component_names == ("denoiser", "vae", *encoders)


# Who knows a family by its name: the exchange says what other programs call it.
KNOW_NAMES = ("families", "catalog", "exchange")


def test_only_families_and_the_catalog_know_a_family_by_name() -> None:
    names = {*FAMILIES, *(variant.kind for card in FAMILIES.values() for variant in card.variants)}
    literal = re.compile(rf"""["']({"|".join(names)})["']""")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for room in ("app", "modules")
        for path in sorted((ROOT / room).rglob("*.py"))
        if not any(path.is_relative_to(ROOT / "modules" / name) for name in KNOW_NAMES)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if literal.search(line)
    ]
    assert not found


@CARDS
def test_the_configs_of_its_variants_are_there_and_the_first_is_meant_where_no_name_tells(name: str) -> None:
    card = FAMILIES[name]
    folders = [ROOT / "resources" / "models" / each.kind / card.component("denoiser").folder for each in card.variants]
    assert all((folder / "config.json").is_file() for folder in folders)
    assert not card.named_variants("someone/else")
    assert usual_variant(card, "") == card.variants[0]


@CARDS
def test_a_variant_that_is_set_is_told_by_its_name(name: str) -> None:
    card = FAMILIES[name]
    for variant in card.variants if card.variant_titles else ():
        called = card.called("turbo-base-schnell.safetensors", variant.title)
        assert (card.named_variants(called) or [card.variants[0]])[0] == variant
        assert card.likely_variants(called) == [variant]
    assert card.called("mine", "auto") == card.called("mine", "someone's") == "mine"


def test_a_setting_is_used_unless_the_card_says_otherwise_for_it_or_what_it_stands_in() -> None:
    card = FamilyCard("x", "x", (), 64, 64, 8, {}, not_used=("words", "model.clip_skip"))
    assert card.uses("model.vae") and card.uses("words_of_mine")
    assert not card.uses("words") and not card.uses("words.0.token") and not card.uses("model.clip_skip")


@pytest.mark.parametrize(
    ("source", "steps"),
    [
        ("maker/X-Turbo", 8), ("C:\\models\\x_turbo.safetensors", 8), ("/models/x-turbo/", 8), ("maker/X", 20),
        ("/turbo/x.safetensors", 20), ("", 20),
    ],
)  # fmt: skip
def test_what_a_model_is_drawn_with_goes_by_its_own_name(source: str, steps: int) -> None:
    rows = (SamplingDefaults(8, 1, names="turbo"), SamplingDefaults())
    assert FamilyCard("x", "x", (), 64, 64, 8, {}, sampling=rows).usual_sampling(source).steps == steps


@CARDS
def test_every_model_has_a_usual_sampling_and_no_more_names_than_it_needs(name: str) -> None:
    card = FAMILIES[name]
    assert [bool(row.names) for row in card.sampling] == [True] * (len(card.sampling) - 1) + [False]
    assert all(row.sampler in SAMPLERS and bool(row.distilled_guidance) <= card.guidance_embed for row in card.sampling)


def test_the_guidance_as_an_input_is_a_setting_of_models_that_have_one() -> None:
    card = FamilyCard("x", "x", (), 64, 64, 8, {})
    paths = ("objective.embedded_guidance", "sampling.prompts.0.distilled_guidance")
    assert not any(map(card.uses, paths))
    assert all(map(replace(card, guidance_embed=True).uses, paths))
