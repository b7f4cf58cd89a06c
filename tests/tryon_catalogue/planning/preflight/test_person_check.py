"""What is said of the people in a model's picture, with and without a detector."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.tryon_catalogue.planning.preflight.people_table import (
    DOCUMENT,
    SPOILT,
    SWITCH,
    headless,
    models,
    opened,
    rows_of_document,
    small_copy,
    upper_part,
    write,
)
from tryon_catalogue.pictures.rules import ImageRule, finding
from tryon_catalogue.planning.preflight import person_detector as detector
from tryon_catalogue.planning.preflight.person_check import (
    PEOPLE_RULES,
    PersonCheck,
    PersonCheckMissingError,
    Seen,
    findings_of,
    open_person_check,
    without_people,
)

PHOTOGRAPHS = os.environ.get(SWITCH)


def person(
    score: float = 0.8, height: float = 0.9, area: float = 0.4, tilt: float | None = 0.0
) -> detector.Person:
    return detector.Person(score, height, area, tilt)


def broken(*people: detector.Person, turned: float = 0.0) -> list[ImageRule]:
    return [finding.rule for finding in findings_of(Seen(people, turned))]


@pytest.fixture(scope="module")
def check() -> PersonCheck:
    """The real one. It fails here, and says why, where the extra is not installed."""
    return open_person_check(["nobody"])


@pytest.fixture(scope="session", autouse=PHOTOGRAPHS is not None)
def written() -> None:
    """The document's table, written anew."""
    write(open_person_check(["nobody"]), Path(PHOTOGRAPHS or ""))


class Sees:
    """A detector that sees the same people in each picture."""

    def __init__(self, *people: detector.Person) -> None:
        self.found = people
        self.sizes: list[tuple[int, int]] = []

    def people(self, picture: Image.Image) -> tuple[detector.Person, ...]:
        assert picture.mode == "RGB"
        self.sizes.append(picture.size)
        return self.found


def grey(size: tuple[int, int] = (300, 400)) -> bytes:
    content = io.BytesIO()
    Image.new("L", size, 128).save(content, "JPEG")
    return content.getvalue()


def test_one_upright_person_who_fills_the_picture_is_as_it_should_be() -> None:
    assert broken(person()) == []


def test_half_a_person_whose_tilt_cannot_be_told_is_as_it_should_be() -> None:
    assert broken(person(tilt=None)) == []


@pytest.mark.parametrize("people", [(), (person(score=0.09),), (person(score=0.05), person(score=0.01))])
def test_a_picture_without_anybody_breaks_that_rule_alone(people: tuple[detector.Person, ...]) -> None:
    assert broken(*people) == [ImageRule.NOBODY]


def test_a_doubtful_person_is_not_taken_for_nobody() -> None:
    assert broken(person(score=0.11)) == []


def test_two_people_of_like_size_are_several() -> None:
    (found,) = findings_of(Seen([person(area=0.3), person(area=0.2)]))
    assert (found.rule, found.measured) == (ImageRule.SEVERAL_PEOPLE, "2 people")


@pytest.mark.parametrize("other", [person(area=0.09), person(score=0.2), person(score=0.0)])
def test_somebody_far_behind_or_doubtful_is_no_company(other: detector.Person) -> None:
    assert broken(person(area=0.4), other) == []


@pytest.mark.parametrize(
    ("tilt", "rules"), [(60.0, []), (61.0, [ImageRule.LYING]), (180.0, [ImageRule.LYING])]
)
def test_somebody_lies_from_sixty_degrees_on(tilt: float, rules: list[ImageRule]) -> None:
    assert broken(person(tilt=tilt)) == rules


@pytest.mark.parametrize(
    ("score", "turned", "rules"),
    [
        (0.3, 0.38, []),
        (0.3, 0.4, [ImageRule.LYING]),
        (0.12, 0.2, []),
        (0.01, 0.3, [ImageRule.LYING]),
        (0.01, 0.2, [ImageRule.NOBODY]),
    ],
)
def test_who_cannot_be_told_to_be_upright_lies_where_the_turned_picture_shows_them_much_better(
    score: float, turned: float, rules: list[ImageRule]
) -> None:
    assert broken(person(score=score, tilt=None), turned=turned) == rules


@pytest.mark.parametrize(("tilt", "looks"), [(0.0, 1), (None, 4)])
def test_a_picture_is_turned_only_where_too_little_of_the_body_is_seen(
    tilt: float | None, looks: int
) -> None:
    seen = Sees(person(tilt=tilt))
    assert PersonCheck(seen, frozenset()).findings(grey()) == ()
    assert len(seen.sizes) == looks


@pytest.mark.parametrize(("height", "rules"), [(0.67, []), (0.66, [ImageRule.SMALL_PERSON])])
def test_a_person_is_small_below_two_thirds_of_the_height(height: float, rules: list[ImageRule]) -> None:
    assert broken(person(height=height)) == rules


def test_of_somebody_who_lies_the_height_is_not_told() -> None:
    assert broken(person(height=0.3, tilt=90.0)) == [ImageRule.LYING]


PEOPLE = st.lists(
    st.builds(
        detector.Person,
        st.floats(0, 1),
        st.floats(0, 1),
        st.floats(0, 1),
        st.none() | st.floats(0, 180),
    ),
    max_size=6,
)


@given(PEOPLE, st.floats(0, 1))
def test_whatever_is_seen_nobody_stands_alone_and_each_rule_is_told_once(
    people: list[detector.Person], turned: float
) -> None:
    rules = broken(*people, turned=turned)
    assert len(set(rules)) == len(rules)
    assert set(rules) <= PEOPLE_RULES
    if ImageRule.NOBODY in rules:
        assert rules == [ImageRule.NOBODY]
    assert not {ImageRule.LYING, ImageRule.SMALL_PERSON} <= set(rules)


@pytest.mark.parametrize("rejecting", [(), ("nobody",), ("lying",), ("lying", "several_people")])
def test_what_rejects_is_what_the_settings_say_and_comes_first(rejecting: tuple[str, ...]) -> None:
    seen = Sees(person(tilt=90.0), person(tilt=90.0))
    found = PersonCheck(seen, frozenset(map(ImageRule, rejecting))).findings(grey())
    assert {finding.rule.value for finding in found} == {"lying", "several_people"}
    assert {finding.rule.value for finding in found if finding.rejects} == set(rejecting) - {"nobody"}
    assert [finding.rejects for finding in found] == sorted(
        (finding.rejects for finding in found), reverse=True
    )
    assert seen.sizes == [(300, 400)]


def test_every_finding_says_what_there_should_be_and_what_to_do() -> None:
    for rule in PEOPLE_RULES:
        found = finding(rule, "x")
        assert found.limit
        assert found.advice


def test_what_an_earlier_check_of_people_found_can_be_taken_out_and_nothing_else() -> None:
    ours = [f"{finding.measured}: {finding.advice}" for finding in findings_of(Seen([person(tilt=90.0)] * 2))]
    assert len(ours) == 2
    assert without_people("nobody", ["stored lying: Turn it.", *ours]) == (None, ("stored lying: Turn it.",))
    assert without_people("too_small", ours) == ("too_small", ())


@pytest.mark.parametrize("missing", [detector.RUNTIME, detector.CARRIER])
def test_without_the_extra_the_error_says_what_to_install_and_how_to_do_without(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detector, "RUNTIME" if missing == detector.RUNTIME else "CARRIER", "not_there_at_all")
    with pytest.raises(PersonCheckMissingError) as caught:
        open_person_check(["nobody"])
    assert "not_there_at_all" in str(caught.value)
    assert "[person-check]" in str(caught.value)
    assert "person_check = false" in str(caught.value)


def test_another_model_than_was_measured_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "MODEL_SHA256", "0" * 64)
    with pytest.raises(PersonCheckMissingError, match="another model than was measured"):
        open_person_check(["nobody"])


def test_every_drawn_model_is_as_it_should_be(check: PersonCheck) -> None:
    for path in models():
        assert check.findings(small_copy(opened(path))) == (), path.name


@pytest.mark.parametrize("part", [upper_part, headless])
def test_half_of_a_drawn_model_is_as_it_should_be(
    check: PersonCheck, part: Callable[[Image.Image], Image.Image]
) -> None:
    for path in models():
        assert check.findings(small_copy(part(opened(path)))) == (), path.name


@pytest.mark.parametrize("how", SPOILT)
def test_a_drawn_model_that_is_spoilt_is_found_and_not_rejected(check: PersonCheck, how: str) -> None:
    change, rule = SPOILT[how]
    for path in models():
        (found,) = check.findings(small_copy(change(opened(path))))
        assert (found.rule, found.rejects) == (rule, False), path.name


def test_a_picture_of_one_colour_is_rejected_because_nobody_is_in_it(check: PersonCheck) -> None:
    (found,) = check.findings(grey())
    assert (found.rule, found.rejects) == (ImageRule.NOBODY, True)


def test_the_document_says_that_no_good_picture_is_rejected_or_warned_about() -> None:
    good = {what: row for what, row in rows_of_document().items() if row[0] == "nothing"}
    assert len(good) == 4
    for what, (_, right, besides, rejected, _) in good.items():
        found, _, of = right.partition(" of ")
        assert (found, besides, rejected) == (of, "-", "0"), what


def test_the_document_names_the_switch_that_writes_its_table() -> None:
    assert f"{SWITCH}=" in DOCUMENT.read_text(encoding="utf-8")
