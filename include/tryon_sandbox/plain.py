"""A result picture that costs next to nothing: the model's picture with the garment's pasted into its middle.

For measurements with thousands of looks, where drawing properly would be what is measured. Same signature as
`rendering.render`, and as deterministic.
"""

from __future__ import annotations

from PIL import Image

_SHARE = 0.3
_STEP_PX = 8


def render_plain(
    model: Image.Image,
    tops: Image.Image,
    pants: Image.Image | None,
    mask: Image.Image | None,
    *,
    fit_type: str,
    number: int,
) -> Image.Image:
    """Paste small pictures of the garments onto the model's.

    Args:
        model, tops, pants: As for `rendering.render`.
        mask, fit_type: Taken for the sake of the signature; they change nothing here.
        number: Which of the pictures of a look, from 0; each is shifted a little.
    """
    del mask, fit_type
    picture = model.convert("RGB")
    width, height = picture.size
    box = (max(1, int(width * _SHARE)), max(1, int(height * _SHARE)))
    for place, garment in enumerate(each for each in (tops, pants) if each is not None):
        small = garment.convert("RGB").resize(box, Image.Resampling.NEAREST)
        top = int(height * (_SHARE * (place + 0.6)))
        picture.paste(small, ((width - box[0]) // 2 + number * _STEP_PX, top))
    return picture
