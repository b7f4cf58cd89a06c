"""One picture, held to every check: which are made, in which order, and which would say nothing new.

Where a picture fails so that later checks would only repeat it (nothing was put on, so no colours arrived), those
are left out, and what people read is the cause. What is measured is in `measures`, the limits are in `checks`.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from tryon_catalogue.publishing.judgement import measures
from tryon_catalogue.publishing.judgement.checks import Check, CheckResult, compared, not_measured
from tryon_catalogue.publishing.judgement.colour import Bools, distance_of_colours, seen_from_afar
from tryon_catalogue.publishing.judgement.measures import View
from tryon_catalogue.publishing.judgement.pictures import (
    Shrunk,
    UnreadableError,
    compared_size,
    shape_difference,
    shrunk,
    view_of,
)
from tryon_catalogue.publishing.judgement.reference import Reference
from tryon_catalogue.publishing.judgement.regions import Zones, changed, filled, is_some
from tryon_catalogue.settings.judgement import JudgementSettings

_NO_MODEL: Final = "the model's picture is not at hand"
_ANOTHER_SHAPE: Final = "it has another shape than the model's picture"


def examine(
    content: bytes | Shrunk, reference: Reference, earlier: Sequence[View], settings: JudgementSettings
) -> tuple[View | None, tuple[CheckResult, ...]]:
    """Hold one result picture to every check.

    Args:
        content: A file's bytes, or what somebody has decoded.
        reference: What it is compared with.
        earlier: The readable pictures of the same look that came before it.

    Returns:
        The picture for later ones to be compared with, None when it cannot be read; and one result for each
        `Check`, in that order.
    """
    try:
        picture, size = shrunk(content, max_pixels=settings.max_pixels)
    except UnreadableError as error:
        unreadable = compared(Check.READABLE, 0, settings, detail=str(error))
        return None, _complete({Check.READABLE: unreadable}, settings)
    results = [compared(Check.READABLE, 1, settings), *_form(size, reference, settings)]
    same_shape = all(result.passed for result in results if result.check is Check.SHAPE)
    model = reference.model if same_shape else None
    view = view_of(picture, compared_size(size) if model is None else model.size)
    results += _content(view, settings)
    if all(result.passed is not False for result in results if result.check in _NOTHING_THERE):
        if model is None or reference.zones is None:
            reason = _NO_MODEL if reference.model is None else _ANOTHER_SHAPE
            results += [not_measured(check, reason, settings) for check in _BESIDE_MODEL]
        else:
            results += _beside_model(view, model, reference.zones, reference, settings)
        results.append(_beside_siblings(view, earlier, settings))
    return view, _complete({result.check: result for result in results}, settings)


_NOTHING_THERE: Final = frozenset({Check.DETAIL, Check.ONE_COLOUR})
_BESIDE_MODEL: Final = (
    Check.CHANGED,
    Check.EACH_PUT_ON,
    Check.VISIBLE,
    Check.FACE,
    Check.BACKGROUND,
    Check.COLOURS,
)


def _form(size: tuple[int, int], reference: Reference, settings: JudgementSettings) -> Iterator[CheckResult]:
    if reference.size is None:
        yield not_measured(Check.SHAPE, _NO_MODEL, settings)
    else:
        yield compared(Check.SHAPE, shape_difference(size, reference.size), settings)
    yield compared(Check.SIZE, min(size), settings)


def _content(view: View, settings: JudgementSettings) -> Iterator[CheckResult]:
    yield compared(Check.DETAIL, measures.detail(view), settings)
    yield compared(Check.ONE_COLOUR, measures.share_of_one_colour(view), settings)


def _beside_model(
    view: View, model: View, zones: Zones, reference: Reference, settings: JudgementSettings
) -> Iterator[CheckResult]:
    differs = changed(model.lab, view.lab, zones)
    put_on = compared(Check.CHANGED, _share_put_on(differs, zones), settings)
    yield put_on
    if not put_on.passed:
        return
    worn = filled(differs & zones.wearable) & zones.wearable
    each = _each_put_on(worn, reference, settings)
    yield each
    visible = compared(Check.VISIBLE, measures.visible_share(model, view), settings)
    yield visible
    if not visible.passed:
        return
    if zones.head is None:
        yield not_measured(Check.FACE, "the head cannot be told from its background", settings)
    else:
        settled = measures.settled(model, view, zones.head)
        yield compared(Check.FACE, measures.likeness(model, settled, zones.head), settings)
    if is_some(zones.background):
        # A plain wall has no structure to compare, but it has a colour.
        stayed = 1 - float(differs[zones.background].mean())
        like = min(stayed, measures.likeness(model, view, zones.background))
        yield compared(Check.BACKGROUND, like, settings)
    else:
        yield not_measured(Check.BACKGROUND, "a garment can be anywhere in this picture", settings)
    if each.passed is not False:
        yield _colours(view, worn, reference, settings)


def _share_put_on(differs: Bools, zones: Zones) -> float:
    """Of what a mask names, or of the whole picture: without a mask nobody knows how large a garment is."""
    worn = differs & zones.wearable
    return float(worn[zones.wearable].mean() if zones.masked else worn.mean())


def _each_put_on(worn: Bools, reference: Reference, settings: JudgementSettings) -> CheckResult:
    """A jacket alone must not pass for a suit."""
    if len(reference.garments) == 1:
        return not_measured(Check.EACH_PUT_ON, "the look has one garment", settings)
    shares = [reference.covered(garment, worn) for garment in reference.garments]
    known = [share for share in shares if share is not None]
    if not known:
        return not_measured(Check.EACH_PUT_ON, "the person cannot be told from the background", settings)
    return compared(Check.EACH_PUT_ON, min(known), settings)


def _colours(view: View, worn: Bools, reference: Reference, settings: JudgementSettings) -> CheckResult:
    """The garment that is worst off counts."""
    every = [garment.colours for garment in reference.garments if garment.colours is not None]
    if not every:
        return not_measured(Check.COLOURS, "no garment's image is at hand", settings)
    all_known = len(every) == len(reference.garments)
    distances = []
    for garment in reference.garments:
        place = reference.place_of(garment, worn)
        if garment.colours is not None and place is not None:
            found = seen_from_afar(view.lab, place)
            distances.append(distance_of_colours(garment.colours, found)[0])
            # What is strange beside one garment may belong to the other, if that one's image is not at hand.
            distances.append(distance_of_colours(np.concatenate(every), found)[1] if all_known else 0.0)
    if not distances:
        return not_measured(Check.COLOURS, "too little of the picture changed to tell its colours", settings)
    return compared(Check.COLOURS, max(distances), settings)


def _beside_siblings(view: View, earlier: Sequence[View], settings: JudgementSettings) -> CheckResult:
    same_size = [other for other in earlier if other.size == view.size]
    if not same_size:
        return not_measured(Check.SIBLING, "no picture of this look came before it", settings)
    return compared(Check.SIBLING, min(measures.apart(view, other) for other in same_size), settings)


def _complete(found: dict[Check, CheckResult], settings: JudgementSettings) -> tuple[CheckResult, ...]:
    failed = [check.value for check, result in found.items() if result.passed is False]
    reason = f"the picture failed before that ({', '.join(failed)})"
    return tuple(found.get(check) or not_measured(check, reason, settings) for check in Check)
