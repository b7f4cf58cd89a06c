"""Casting: which models a garment is shown on, and why it may be none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from damo_tryon.contract import FitType
from tryon_catalogue.exports import Garment, Rejection, Rule
from tryon_catalogue.looks import Look
from tryon_catalogue.planning.casting import Casting
from tryon_catalogue.settings import (
    CastingRule,
    CatalogueColumns,
    CatalogueSettings,
    ExportColumns,
    ExportSettings,
    Pants,
    Roster,
    RosterModel,
    Settings,
    load_settings,
)
from tryon_demo.scene import SETTINGS as SAMPLE_SETTINGS

MODELS = "https://images.example.com/models"
TOP = "https://images.example.com/top.jpg"
PANTS = "https://images.example.com/pants.jpg"
MASK = "https://images.example.com/mask.png"
OWN = "https://images.example.com/own-model.jpg"
GARMENT = Garment(7, "A1", "Shirt", "SS26", "shirt", "women", TOP)
RULES = (
    CastingRule(category=("shirt",), fit_type=FitType.HALF_BODY),
    CastingRule(category=("dress",), fit_type=FitType.FULL_BODY, pants=Pants.NEVER, inference_num=2),
    CastingRule(category=("suit", "Set"), fit_type=FitType.FULL_BODY, pants=Pants.REQUIRED),
    CastingRule(category=("scarf",), fit_type=FitType.HALF_BODY, tag="men"),
)


def settings_with(tag: str | None = "gender", rules: tuple[CastingRule, ...] = RULES) -> Settings:
    return Settings(
        export=ExportSettings(path="-", columns=ExportColumns(tag=tag, pants_image="pants_url")),
        roster=Roster(
            base_url=MODELS,
            models=(
                RosterModel(
                    name="zoe", image="zoe.jpg", tags=frozenset({"Women", "new"}), mask_image="zoe.png"
                ),
                RosterModel(name="anna", image="anna.jpg", tags=frozenset({"women"})),
                RosterModel(name="ben", image="https://cdn.example.com/ben.jpg", tags=frozenset({"men"})),
            ),
        ),
        rules=rules,
        catalogue=CatalogueSettings(table="t", key="sku", columns=CatalogueColumns(status="s")),
    )


SETTINGS = settings_with()


def looks_of(garment: Garment, settings: Settings = SETTINGS) -> tuple[Look, ...]:
    answer = Casting(settings).looks_of(garment)
    assert not isinstance(answer, Rejection), answer.reason
    return answer


def refusal_of(garment: Garment, settings: Settings = SETTINGS) -> Rejection:
    answer = Casting(settings).looks_of(garment)
    assert isinstance(answer, Rejection)
    assert (answer.line, answer.sku) == (garment.line, garment.sku)
    return answer


def test_a_garment_is_cast_on_each_model_of_its_tag_in_the_rosters_order() -> None:
    assert looks_of(GARMENT) == (
        Look(FitType.HALF_BODY, 1, "zoe", f"{MODELS}/zoe.jpg", TOP, None, f"{MODELS}/zoe.png"),
        Look(FitType.HALF_BODY, 1, "anna", f"{MODELS}/anna.jpg", TOP),
    )


def test_a_rules_tag_counts_before_the_rows() -> None:
    assert [look.model for look in looks_of(replace(GARMENT, category="scarf"))] == ["ben"]


def test_the_rule_gives_fit_type_and_number_of_pictures() -> None:
    look = looks_of(replace(GARMENT, category="dress"))[0]
    assert (look.fit_type, look.inference_num) == (FitType.FULL_BODY, 2)


@pytest.mark.parametrize(("category", "tag"), [("Shirt", "WOMEN"), (" shirt ", " Women")])
def test_categories_and_tags_are_compared_without_regard_to_case_and_blanks(category: str, tag: str) -> None:
    assert looks_of(replace(GARMENT, category=category, tag=tag)) == looks_of(GARMENT)


def test_a_row_that_names_a_model_is_cast_on_that_one_alone_and_unnamed() -> None:
    garment = replace(GARMENT, model_image=OWN, mask_image=MASK, tag="")
    assert looks_of(garment) == (Look(FitType.HALF_BODY, 1, "", OWN, TOP, None, MASK),)


def test_a_rows_mask_never_goes_with_a_model_of_the_roster() -> None:
    assert looks_of(replace(GARMENT, mask_image=MASK)) == looks_of(GARMENT)


@pytest.mark.parametrize(("category", "pants"), [("shirt", PANTS), ("dress", None), ("suit", PANTS)])
def test_trousers_go_along_unless_the_rule_says_never(category: str, pants: str | None) -> None:
    looks = looks_of(replace(GARMENT, category=category, pants_image=PANTS))
    assert {look.pants_image for look in looks} == {pants}


def test_missing_trousers_are_a_rejection_where_the_rule_requires_them() -> None:
    for garment in (replace(GARMENT, category="set"), replace(GARMENT, category="suit", model_image=OWN)):
        rejection = refusal_of(garment)
        assert (rejection.rule, rejection.column) == (Rule.MISSING_PANTS, "pants_url")
        assert garment.category in rejection.reason


@pytest.mark.parametrize("category", ["hat", "", "*"])
def test_a_category_without_a_rule_is_a_rejection_that_lists_the_rules(category: str) -> None:
    rejection = refusal_of(replace(GARMENT, category=category))
    assert (rejection.rule, rejection.column, rejection.value) == (
        Rule.UNKNOWN_CATEGORY,
        "category",
        category,
    )
    assert "dress, scarf, set, shirt, suit" in rejection.reason


def test_the_rule_for_every_category_takes_what_no_other_rule_names() -> None:
    settings = settings_with(rules=(*RULES, CastingRule(category=("*",), fit_type=FitType.FULL_BODY)))
    assert looks_of(replace(GARMENT, category="hat"), settings)[0].fit_type is FitType.FULL_BODY
    assert looks_of(GARMENT, settings)[0].fit_type is FitType.HALF_BODY


@pytest.mark.parametrize(
    ("tag", "reason"), [("kids", "'kids'; its tags are men, new, women"), ("", "no gender")]
)
def test_a_row_whose_tag_no_model_has_is_a_rejection(tag: str, reason: str) -> None:
    rejection = refusal_of(replace(GARMENT, tag=tag))
    assert (rejection.rule, rejection.column, rejection.value) == (Rule.NO_MODEL, "gender", tag)
    assert reason in rejection.reason


def test_a_shop_without_a_tag_column_means_the_whole_roster() -> None:
    looks = looks_of(replace(GARMENT, tag=""), settings_with(tag=None))
    assert [look.model for look in looks] == ["zoe", "anna", "ben"]


def test_an_empty_roster_is_a_rejection_unless_the_row_names_a_model() -> None:
    settings = settings_with(tag=None).model_copy(update={"roster": Roster()})
    assert "roster is empty" in refusal_of(GARMENT, settings).reason
    assert len(looks_of(replace(GARMENT, model_image=OWN), settings)) == 1


def test_the_samples_settings_cast_each_of_their_categories() -> None:
    settings = load_settings(SAMPLE_SETTINGS)
    for rule in settings.rules:
        for category in rule.category:
            assert looks_of(replace(GARMENT, category=category, pants_image=PANTS), settings)


images = st.none() | st.sampled_from([PANTS, MASK, OWN])


@hypothesis_settings(deadline=None)
@given(
    garment=st.builds(
        Garment,
        line=st.just(2),
        sku=st.just("A1"),
        title=st.just(""),
        collection=st.just(""),
        category=st.sampled_from(["shirt", "dress", "suit", "Set", "scarf", "hat", ""]),
        tag=st.sampled_from(["women", "men", "kids", ""]),
        tops_image=st.just(TOP),
        pants_image=images,
        mask_image=images,
        model_image=images,
    )
)
def test_every_garment_gives_looks_that_differ_or_one_rejection(garment: Garment) -> None:
    answer = Casting(SETTINGS).looks_of(garment)
    assert answer == Casting(SETTINGS).looks_of(garment)
    if isinstance(answer, Rejection):
        assert answer.reason.endswith(".")
    else:
        assert answer
        assert len({look.key for look in answer}) == len(answer)
