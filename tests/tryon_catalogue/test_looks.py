"""Keys of looks, and the life of a look."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from damo_tryon.contract import FitType
from tryon_catalogue.looks import MOVES, Look, LookState, identity, look_key

ANNA = "https://images.example.com/anna.jpg"
TOP = "https://images.example.com/top.jpg"
PANTS = "https://images.example.com/pants.jpg"
MASK = "https://images.example.com/mask.png"
LOOK = Look(FitType.FULL_BODY, 2, "anna", ANNA, TOP, PANTS, MASK)

urls = st.sampled_from([ANNA, TOP, PANTS, MASK])
looks = st.builds(
    Look,
    fit_type=st.sampled_from(FitType),
    inference_num=st.integers(1, 4),
    model=st.sampled_from(["", "anna", "ben"]),
    model_image=urls,
    tops_image=urls,
    pants_image=st.none() | urls,
    mask_image=st.none() | urls,
)
identities = st.none() | st.tuples(st.sampled_from(["url", "sha256"]), st.text(max_size=4))
four = st.tuples(identities, identities, identities, identities)


def test_the_key_of_a_look_never_changes() -> None:
    # A changed key would pay for the whole catalogue again. A new canonical form needs a new version tag.
    canonical = (
        b'["look/1","FULL_BODY",2,[["url","https://images.example.com/anna.jpg"],'
        b'["url","https://images.example.com/top.jpg"],["url","https://images.example.com/pants.jpg"],'
        b'["url","https://images.example.com/mask.png"]]]'
    )
    assert LOOK.key == hashlib.sha256(canonical).hexdigest()
    assert LOOK.key == "11b0c47a5ca9800a58a8c713db69ac5bde74ba884d6f962ceffd474bb19c21de"


@pytest.mark.parametrize(
    "change",
    [
        {"fit_type": FitType.HALF_BODY},
        {"inference_num": 3},
        {"model_image": TOP},
        {"tops_image": ANNA},
        {"pants_image": None},
        {"mask_image": None},
        {"pants_image": MASK, "mask_image": PANTS},
    ],
)
def test_a_look_that_differs_in_any_part_has_another_key(change: dict[str, object]) -> None:
    assert dataclasses.replace(LOOK, **change).key != LOOK.key


def test_what_a_model_is_called_is_no_part_of_the_key() -> None:
    assert dataclasses.replace(LOOK, model="anne").key == LOOK.key


@given(looks, looks)
def test_two_looks_share_a_key_only_when_the_vendor_would_make_the_same_pictures(a: Look, b: Look) -> None:
    same_work = (a.fit_type, a.inference_num, a.images) == (b.fit_type, b.inference_num, b.images)
    assert (a.key == b.key) == same_work


@given(four, four, st.integers(1, 4), st.integers(1, 4))
def test_no_two_sets_of_identities_run_into_one_key(
    a: tuple[tuple[str, str] | None, ...], b: tuple[tuple[str, str] | None, ...], m: int, n: int
) -> None:
    keys = look_key(FitType.HALF_BODY, m, a), look_key(FitType.HALF_BODY, n, b)
    assert (keys[0] == keys[1]) == ((a, m) == (b, n))


def test_no_image_and_an_empty_identity_give_different_keys() -> None:
    given_three = [("url", ANNA), ("url", TOP), None]
    assert look_key(FitType.HALF_BODY, 1, [*given_three, None]) != look_key(
        FitType.HALF_BODY, 1, [*given_three, ("url", "")]
    )


def test_the_same_bytes_behind_two_urls_give_one_key() -> None:
    moved = dataclasses.replace(LOOK, tops_image=f"{TOP}?v=2")
    digest = "ab" * 32
    assert LOOK.key_with({TOP: digest}) == moved.key_with({f"{TOP}?v=2": digest.upper()})
    assert LOOK.key_with({TOP: digest}) != LOOK.key


def test_a_url_that_looks_like_a_digest_is_still_a_url() -> None:
    digest = "ab" * 32
    assert identity(digest) == ("url", digest)
    assert identity(TOP, {TOP: digest}) == ("sha256", digest)
    assert identity(None, {TOP: digest}) is None


@pytest.mark.parametrize("name", ["model_image", "tops_image", "pants_image", "mask_image"])
def test_an_empty_image_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is an empty string"):
        dataclasses.replace(LOOK, **{name: ""})


@pytest.mark.parametrize("number", [0, 5])
def test_a_number_of_pictures_the_vendor_does_not_make_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="1 to 4 pictures"):
        dataclasses.replace(LOOK, inference_num=number)


def test_a_look_becomes_a_task_of_the_vendor() -> None:
    assert LOOK.to_task().to_wire() == {
        "model_image": ANNA,
        "tops_image": TOP,
        "pants_image": PANTS,
        "mask_image": MASK,
    }
    assert Look(FitType.HALF_BODY, 1, "", ANNA, TOP).to_task().to_wire() == {
        "model_image": ANNA,
        "tops_image": TOP,
    }


def test_urls_are_those_that_are_there() -> None:
    assert LOOK.urls == (ANNA, TOP, PANTS, MASK)
    assert dataclasses.replace(LOOK, pants_image=None).urls == (ANNA, TOP, MASK)


def test_every_state_has_its_row_in_the_table_of_moves() -> None:
    assert set(MOVES) == set(LookState)


def test_every_state_can_be_reached_from_planned() -> None:
    reached, new = set[LookState](), {LookState.PLANNED}
    while new:
        reached |= new
        new = {after for state in new for after in MOVES[state]} - reached
    assert reached == set(LookState)


def test_money_is_spent_only_through_a_committed_intent() -> None:
    # From a state in which nothing was spent, the only way to one in which something may be is SUBMITTING. A person who
    # takes a remake back has the look wait again that was paid for before.
    free = {LookState.PLANNED, LookState.REJECTED}
    for state in free:
        assert MOVES[state] - free <= {LookState.SUBMITTING, LookState.REVIEW}


def test_a_look_in_doubt_is_never_sent_without_being_planned_again() -> None:
    assert LookState.SUBMITTING not in MOVES[LookState.IN_DOUBT]
    assert LookState.PLANNED in MOVES[LookState.IN_DOUBT]


def test_a_published_look_is_never_paid_for_again() -> None:
    assert MOVES[LookState.PUBLISHED] == {LookState.PLANNED, LookState.REVIEW}


def test_no_state_is_a_move_of_itself() -> None:
    assert not any(state in MOVES[state] for state in LookState)


def test_ends_of_states() -> None:
    ended = {state for state in LookState if state.ended}
    assert ended == {LookState.PUBLISHED, LookState.REJECTED, LookState.FAILED, LookState.REVIEW}
