"""Result pictures that cost next to nothing."""

from __future__ import annotations

from typing import Any

from PIL import ImageChops

from tryon_sandbox.plain import render_plain


def test_a_plain_picture_has_the_model_s_size_and_differs_by_number_and_garments(draw: Any) -> None:
    model, tops, pants = draw.person().convert("RGBA"), draw.shirt(), draw.shirt((0, 0, 90))

    first, again, second = (
        render_plain(model, tops, None, None, fit_type="HALF_BODY", number=number) for number in (0, 0, 1)
    )
    dressed = render_plain(model, tops, pants, None, fit_type="FULL_BODY", number=0)

    assert (first.mode, first.size) == ("RGB", model.size)
    assert ImageChops.difference(first, again).getbbox() is None
    for other in (second, dressed, model.convert("RGB")):
        assert ImageChops.difference(first, other).getbbox() is not None
