"""The verdict on pictures as they really come from the sandbox: good ones, spoilt ones, and doubtful ones."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from tests.tryon_catalogue.publishing.judgement.studio import (
    LOOKS,
    ONE_A_GARMENT,
    QUICK_SIZE,
    Look,
    bad,
    good,
    image,
    inputs_of,
    jpeg,
    opened,
)
from tryon_catalogue.publishing.judgement import Check, Inputs, Judgement, judge
from tryon_catalogue.settings.judgement import JudgementSettings
from tryon_sandbox.settings import Pictures
from tryon_sandbox.spoiling import Spoiling

LIMITS = JudgementSettings()
SHIRT, DRESS, SUIT = LOOKS[4], LOOKS[17], LOOKS[-1]
SEVERAL = ONE_A_GARMENT[::3]
"""Every look and every way are in the table, which takes minutes: see `table`."""
CAUSES = {
    Spoiling.BLANK: {Check.DETAIL, Check.ONE_COLOUR},
    Spoiling.TINY: {Check.SIZE, Check.SHAPE},
    Spoiling.NOT_A_PICTURE: {Check.READABLE},
    Spoiling.UNCHANGED_INPUT: {Check.CHANGED},
    Spoiling.WRONG_GARMENT: {Check.COLOURS},
    Spoiling.CROPPED: {Check.VISIBLE, Check.FACE},
}
_few = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))


def judged(look: Look, *pictures: bytes) -> Judgement:
    return judge(inputs_of(look), pictures, LIMITS)


def reason_of(judgement: Judgement) -> str:
    """What speaks against each picture, by its number."""
    return "\n".join(
        f"picture {score.number + 1}: {text}" for score in judgement.scores for text in score.reasons
    )


def failed(judgement: Judgement, number: int = 0) -> set[Check]:
    return {result.check for result in judgement.scores[number].checks if result.passed is False}


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_every_look_of_the_demo_passes_as_the_sandbox_draws_it(look: Look) -> None:
    judgement = judged(look, good(look))

    assert judgement.passed, reason_of(judgement)
    assert reason_of(judgement) == ""
    unmeasured = {result.check for result in judgement.scores[0].checks if result.passed is None}
    assert unmeasured == {Check.SIBLING} | ({Check.EACH_PUT_ON} if look.pants is None else set())


@pytest.mark.parametrize("look", [SHIRT, SUIT], ids=str)
def test_the_four_pictures_of_a_look_pass_beside_each_other(look: Look) -> None:
    judgement = judged(look, *(good(look, Pictures.DRAWN, number) for number in range(4)))

    assert judgement.passed, reason_of(judgement)
    assert sorted(judgement.best_first) == [0, 1, 2, 3]


@pytest.mark.parametrize("look", ONE_A_GARMENT[::2], ids=str)
def test_plain_pictures_pass_too(look: Look) -> None:
    judgement = judged(look, good(look, Pictures.PLAIN), good(look, Pictures.PLAIN, 1))

    assert judgement.passed, reason_of(judgement)


@pytest.mark.parametrize("style", list(Pictures))
@pytest.mark.parametrize("how", list(Spoiling))
def test_every_way_to_spoil_a_picture_is_caught_by_its_cause(how: Spoiling, style: Pictures) -> None:
    for look in SEVERAL:
        judgement = judged(look, bad(look, how, style))

        assert not judgement.passed, f"{look} passed"
        assert failed(judgement) <= CAUSES[how], reason_of(judgement)
        assert judgement.scores[0].overall < 0.5
        assert all("; " in words for words in judgement.scores[0].reasons), "each says what to do"


@pytest.mark.parametrize(("look", "other"), [(LOOKS[0], LOOKS[1]), (LOOKS[2], LOOKS[3])], ids=str)
def test_the_right_garment_on_another_person_is_caught(look: Look, other: Look) -> None:
    assert (look.sku, look.model) != (other.sku, other.model)

    assert Check.FACE in failed(judged(look, good(other)))


def test_another_garment_of_the_catalogue_is_caught_by_its_colours() -> None:
    by_sku = {look.sku: look for look in LOOKS if look.model == "model-leo.jpg"}
    mustard, green = by_sku["1e5"], by_sku["SW-0912"]

    assert failed(judged(mustard, good(green))) == {Check.COLOURS}


@pytest.mark.parametrize("look", [look for look in LOOKS if look.pants], ids=str)
def test_a_jacket_without_its_trousers_or_skirt_is_caught(look: Look) -> None:
    bare = replace(look, pants=None, sku="JK")

    assert failed(judged(look, good(bare))) == {Check.EACH_PUT_ON}


def brighter(picture: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(1.1)


def a_little_aside(picture: Image.Image) -> Image.Image:
    return picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, 2, 0, 1, -1))


def grainy(picture: Image.Image) -> Image.Image:
    grain = np.random.default_rng(3).normal(0, 5, (picture.height, picture.width, 1))
    return Image.fromarray((np.asarray(picture) + grain).clip(0, 255).astype(np.uint8))


def smaller(picture: Image.Image) -> Image.Image:
    return picture.resize((420, 560), Image.Resampling.LANCZOS)


@pytest.mark.parametrize("change", [brighter, a_little_aside, grainy, smaller])
@pytest.mark.parametrize("look", [SHIRT, DRESS, SUIT], ids=str)
def test_what_any_careful_vendor_might_do_to_a_picture_is_no_fault(
    look: Look, change: Callable[[Image.Image], Image.Image]
) -> None:
    judgement = judged(look, jpeg(change(opened(good(look))), 75))

    assert judgement.passed, reason_of(judgement)


def test_a_picture_that_came_twice_is_caught_even_when_it_was_saved_anew() -> None:
    once = good(SHIRT)

    judgement = judged(SHIRT, once, jpeg(opened(once), 70), good(SHIRT, Pictures.DRAWN, 1))

    assert [score.passed for score in judgement.scores] == [True, False, True]
    assert failed(judgement, 1) == {Check.SIBLING}
    assert judgement.best_first[-1] == 1


def test_the_best_picture_comes_first_and_a_spoilt_one_last() -> None:
    pictures = [bad(SHIRT, Spoiling.UNCHANGED_INPUT), good(SHIRT), bad(SHIRT, Spoiling.NOT_A_PICTURE)]

    judgement = judged(SHIRT, *pictures)

    assert judgement.best_first == (1, 0, 2)
    assert not judgement.passed
    assert reason_of(judgement).startswith("picture 1: ")
    assert "picture 3: " in reason_of(judgement)
    assert "picture 2: " not in reason_of(judgement)


def test_a_look_without_pictures_does_not_pass() -> None:
    assert not judged(SHIRT).passed
    assert judged(SHIRT).best_first == ()


@pytest.mark.parametrize("kept", [0, 9, 500, 3000])
@pytest.mark.parametrize("sort", ["JPEG", "PNG", "text"])
def test_bytes_that_are_no_whole_picture_are_said_to_be_that(sort: str, kept: int) -> None:
    content = io.BytesIO(b"<html>sorry</html>")
    if sort != "text":
        image(SHIRT.model).save(content, sort)

    judgement = judged(SHIRT, content.getvalue()[:kept])

    assert failed(judgement) == {Check.READABLE}
    assert "cannot be read as a picture" in reason_of(judgement)
    assert " at 0x" not in reason_of(judgement)


def test_a_picture_of_too_many_pixels_is_not_decoded() -> None:
    judgement = judge(inputs_of(SHIRT), [good(SHIRT)], LIMITS.model_copy(update={"max_pixels": 1000}))

    assert failed(judgement) == {Check.READABLE}
    assert "max_pixels" in reason_of(judgement)


def test_a_part_of_the_picture_in_another_shape_is_caught_by_its_shape() -> None:
    part = opened(good(SHIRT)).crop((0, 150, QUICK_SIZE[0], QUICK_SIZE[1]))

    assert failed(judged(SHIRT, jpeg(part))) == {Check.SHAPE}


def test_another_background_is_caught() -> None:
    picture = np.array(opened(good(SHIRT)))
    stripes = (np.arange(QUICK_SIZE[0]) // 12 % 2 * 200).astype(np.uint8)
    picture[:, :100] = stripes[None, :100, None]
    picture[:, -100:] = stripes[None, -100:, None]
    red = np.array(opened(good(SHIRT)))
    red[:, :110], red[:, -110:], red[:20] = (150, 20, 20), (150, 20, 20), (150, 20, 20)

    for spoilt in (picture, red):
        assert Check.BACKGROUND in failed(judged(SHIRT, jpeg(Image.fromarray(spoilt))))


def on_a_busy_ground(look: Look, seed: int = 1) -> tuple[Image.Image, Image.Image]:
    """The model and the result before something no figure can be told from."""
    shapes = np.random.default_rng(seed).integers(0, 255, (20, 15, 3), dtype=np.uint8)
    ground = Image.fromarray(shapes).resize(QUICK_SIZE, Image.Resampling.BICUBIC)
    person = Image.new("L", QUICK_SIZE, 0)
    person.paste(255, (140, 22, 310, 578))
    return tuple(
        Image.composite(each.resize(QUICK_SIZE), ground, person)
        for each in (image(look.model).convert("RGB"), opened(good(look)))
    )  # type: ignore[return-value]  # two of them


def test_before_a_busy_ground_the_face_is_not_measured_and_the_rest_is() -> None:
    model, result = on_a_busy_ground(SHIRT)
    inputs = replace(inputs_of(SHIRT), model=jpeg(model))

    dressed = judge(inputs, [jpeg(result)], LIMITS)
    bare = judge(inputs, [jpeg(model)], LIMITS)

    assert dressed.passed, reason_of(dressed)
    face = dressed.scores[0].result_of(Check.FACE)
    assert (face.passed, face.value) == (None, None)
    assert face.text.startswith("not measured: ")
    assert failed(bare) == {Check.CHANGED}


def held_back(inputs: Inputs, missing: Sequence[str]) -> Inputs:
    """The inputs of a look, as if those named could not be had."""
    return replace(inputs, wears_pants=inputs.pants is not None, **dict.fromkeys(missing))


missing_inputs = st.sets(st.sampled_from(["model", "tops", "pants", "mask", "model_size"])).map(sorted)


@_few
@given(missing=missing_inputs, look=st.sampled_from([SHIRT, SUIT, next(one for one in LOOKS if one.mask)]))
def test_what_is_not_at_hand_never_speaks_against_a_good_picture(missing: list[str], look: Look) -> None:
    judgement = judge(held_back(inputs_of(look), missing), [good(look)], LIMITS)

    assert judgement.passed, reason_of(judgement)
    assert judgement.scores[0].overall >= 0.5
    for result in judgement.scores[0].checks:
        assert (result.passed is None) == (result.value is None) == result.text.startswith("not measured: ")


@_few
@given(missing=missing_inputs, how=st.sampled_from([Spoiling.BLANK, Spoiling.TINY, Spoiling.NOT_A_PICTURE]))
def test_what_needs_no_input_is_caught_whatever_is_missing(missing: list[str], how: Spoiling) -> None:
    assert not judge(held_back(inputs_of(SUIT), missing), [bad(SUIT, how)], LIMITS).passed


@_few
@given(
    order=st.permutations(
        [
            (good(DRESS), True),
            (good(DRESS, Pictures.DRAWN, 2), True),
            *[(bad(DRESS, how), False) for how in (Spoiling.UNCHANGED_INPUT, Spoiling.WRONG_GARMENT)],
        ]
    )
)
def test_the_order_in_which_pictures_come_changes_no_verdict(order: list[tuple[bytes, bool]]) -> None:
    judgement = judged(DRESS, *(content for content, _ in order))

    assert [score.passed for score in judgement.scores] == [passes for _, passes in order]
    overalls = [judgement.scores[number].overall for number in judgement.best_first]
    assert overalls == sorted(overalls, reverse=True)


@_few
@given(
    content=st.binary(max_size=200),
    start=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a"]),
)
def test_no_bytes_make_the_judgement_fail_itself(content: bytes, start: bytes) -> None:
    junk = start + content

    judgement = judge(Inputs(model=junk, tops=junk, pants=junk, mask=junk), [junk, good(SHIRT)], LIMITS)

    assert [score.passed for score in judgement.scores] == [False, True]


@_few
@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    model_size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    seed=st.integers(0, 9),
)
def test_pictures_of_any_size_are_judged(
    size: tuple[int, int], model_size: tuple[int, int], seed: int
) -> None:
    def noise(width: int, height: int) -> Image.Image:
        pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
        return Image.fromarray(pixels)

    model, garment = jpeg(noise(*model_size)), jpeg(noise(*size))
    judgement = judge(Inputs(model=model, tops=garment), [garment], LIMITS)

    assert Check.SIZE in failed(judgement)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_inputs_may_have_any_mode(mode: str) -> None:
    model = image(SHIRT.model).resize(QUICK_SIZE).convert("L" if mode == "I;16" else mode)

    file = io.BytesIO()
    model.convert(mode).save(file, "TIFF")

    assert judge(Inputs(model=file.getvalue()), [good(SHIRT)], LIMITS).scores[0].checks
