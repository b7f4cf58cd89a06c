"""How a garment is cut: bodices, sleeves, collars and skirts laid out on a body's measures.

The parts all garments share; `garments` puts them together. It must not know any garment of the catalogue.
"""

from dataclasses import dataclass

import numpy as np
from tests.tools.samples.studio.brush import (
    Colour,
    Mask,
    Points,
    Sheet,
    Weave,
    curve,
    ellipse,
    flipped,
    symmetric,
    tube,
)
from tests.tools.samples.studio.people import Build

GROUND: Colour = (236, 235, 232)
SHADOW: Colour = (70, 54, 72)


@dataclass(frozen=True, slots=True)
class Bodice:
    """Measures of an upper part, in units of the drawn body; `ease` is the air between cloth and body."""

    ease: float = 12.0
    neck_wide: float = 34.0
    neck_deep: float = 196.0
    v_neck: bool = False
    hem: float = 505.0
    hem_wide: float = 8.0  # beyond the hip
    waist: float = 0.7  # how much of the ease remains at the waist; more than 1 hangs straight
    hem_sag: float = 6.0
    boxy: float = 0.0  # 1 lets the side fall straight from the chest


@dataclass(frozen=True, slots=True)
class Sleeve:
    """Measures of a sleeve: where along the arm it ends (1 is the wrist), and its air at shoulder, elbow, end."""

    end: float = 1.0
    ease: tuple[float, float, float] = (7.0, 9.0, 7.0)
    band: float = 0.0  # share of the arm that a cuff takes


def sheet_for(size: tuple[int, int], box: tuple[float, float, float], ground: Colour = GROUND) -> Sheet:
    """A sheet that shows what lies between `box` = (half width, top, bottom) as large as fits.

    Arguments:
        size: pixels.
        box: in units.
    """
    half, top, bottom = box
    zoom = min(size[0] * 0.90 / (2 * half), size[1] * 0.90 / (bottom - top))
    return Sheet(
        size,
        (ground, ground),
        zoom=zoom,
        axis=size[0] / 2,
        top=(size[1] - (bottom - top) * zoom) / 2 - top * zoom,
    )


def neck_y(build: Build, x: float) -> float:
    """Height of the shoulder slope at `x` units from the axis, on the cloth."""
    places = (
        (build.neck, 143),
        (build.neck + 12, 163),
        (build.shoulder * 0.62, 178),
        (build.shoulder * 0.93, 190),
    )
    return float(np.interp(x, [p[0] for p in places], [p[1] for p in places]))


def shoulder_tip(build: Build) -> tuple[float, float]:
    """Where a bodice's shoulder seam meets the sleeve's cap."""
    x = build.arm[0][0] + 4
    return x, neck_y(build, x)


def bodice_half(build: Build, cut: Bodice) -> Points:
    """Right half of an upper part, from the neckline's middle to the hem's."""
    b, e = build, cut.ease
    top = neck_y(b, cut.neck_wide)
    neck = (
        curve((0, cut.neck_deep), (cut.neck_wide * 0.55, (cut.neck_deep + top) / 2), (cut.neck_wide, top))
        if cut.v_neck
        else curve(
            (0, cut.neck_deep),
            (cut.neck_wide * 0.6, cut.neck_deep - (cut.neck_deep - top) * 0.14),
            (cut.neck_wide * 0.94, top + (cut.neck_deep - top) * 0.4),
            (cut.neck_wide, top),
        )
    )
    tip = shoulder_tip(b)
    shoulder = curve((cut.neck_wide, top), ((cut.neck_wide + tip[0]) / 2, (top + tip[1]) / 2 - 1), tip)
    pit = (b.chest + e, 274 + e * 0.4)
    armhole = curve(tip, (tip[0] - 1, 226), pit)
    hem_x = b.hip + cut.hem_wide
    share = float(np.clip((cut.hem - 396) / 110, 0, 1))
    waist_x = (b.waist + e * cut.waist) * (1 - cut.boxy) + (b.chest + e + hem_x) / 2 * cut.boxy
    end_x = waist_x + (hem_x - waist_x) * share
    side = [pit, (b.chest + e + 0.5, 310), (waist_x + (2 if cut.hem > 420 else 0), min(392.0, cut.hem - 30))]
    if cut.hem > 440:
        side.append(((waist_x + end_x) / 2 + 2, (392 + cut.hem) / 2 + 4))
    side.append((end_x, cut.hem))
    hem = curve((end_x, cut.hem), (end_x * 0.55, cut.hem + cut.hem_sag * 0.8), (0, cut.hem + cut.hem_sag))
    return [*neck, *shoulder, *armhole, *curve(*side), *hem]


def sleeve_line(build: Build, sleeve: Sleeve) -> Points:
    """The middle of the right sleeve: that of the arm, set in a little at the shoulder so that no cap stands up."""
    (x, _), *rest = build.arm_line()
    tip_x, tip_y = shoulder_tip(build)
    middle, radius = x - sleeve.ease[0] * 0.25, build.arm_halves[0] + sleeve.ease[0]
    return [(middle, tip_y + float(np.sqrt(radius**2 - (tip_x - middle) ** 2))), *rest]


def sleeve_outline(build: Build, sleeve: Sleeve) -> Points:
    """The outline of the right sleeve."""
    halves = [h + e for h, e in zip(build.arm_halves, sleeve.ease, strict=True)]
    return tube(sleeve_line(build, sleeve), halves, end=sleeve.end, rounded=True)


def draw_sleeves(
    sheet: Sheet, build: Build, sleeve: Sleeve, cloth: Weave, band: Weave | None = None
) -> list[Mask]:
    """Draw both sleeves; returns the right one's mask, then the left one's."""
    masks = []
    halves = [h + e for h, e in zip(build.arm_halves, sleeve.ease, strict=True)]
    angle = float(
        np.degrees(np.arctan2(build.arm[2][0] - build.arm[0][0], build.arm[2][1] - build.arm[0][1]))
    )
    shape = sleeve_outline(build, sleeve)
    for side in (1, -1):
        mask = sheet.shape(shape if side > 0 else flipped(shape))
        sheet.weave(mask, cloth, turn=-side * angle, pivot=(side * build.arm[0][0], build.arm[0][1]))
        sheet.round_off(mask, 13, 0.5, 0.12)
        _arm_folds(sheet, build, mask, side, sleeve.end)
        if sleeve.band:
            tight = [halves[0], halves[1], halves[2] - 2.5]
            cuff_line = tube(
                sleeve_line(build, sleeve), tight, start=sleeve.end - sleeve.band, end=sleeve.end
            )
            cuff = sheet.shape(cuff_line if side > 0 else flipped(cuff_line))
            sheet.darken(sheet.softened(cuff, 2.2, (0, -3)).within(mask), 0.35)
            sheet.weave(
                cuff, band or cloth, turn=-side * angle, pivot=(side * build.arm[0][0], build.arm[0][1])
            )
            sheet.round_off(cuff, 9, 0.5, 0.1)
        else:
            near = tube(sleeve_line(build, sleeve), halves, start=sleeve.end - 0.028, end=sleeve.end - 0.022)
            sheet.darken(sheet.shape(near if side > 0 else flipped(near)).within(mask), 0.35)
        masks.append(mask)
    return masks


def _arm_folds(sheet: Sheet, build: Build, mask: Mask, side: int, end: float) -> None:
    (sx, sy), (ex, ey), (wx, wy) = build.arm
    w = build.arm_halves[1]
    sheet.fold(
        mask,
        (side * (sx - 18), sy + 52),
        (side * (sx + 2), sy + 70),
        (side * (sx + 20), sy + 72),
        width=8,
        dark=0.3,
    )
    if end < 0.6:
        return
    for k, dark in ((-20, 0.26), (0, 0.4), (18, 0.3)):
        sheet.fold(
            mask,
            (side * (ex - w - 8), ey + k - 6),
            (side * (ex - 2), ey + k + 4),
            (side * (ex + w * 0.7), ey + k - 3),
            width=7,
            dark=dark,
        )
    for share, dark in ((0.42, 0.24), (0.66, 0.3)):
        x, y = ex + (wx - ex) * share, ey + (wy - ey) * share
        sheet.fold(
            mask,
            (side * (x + w), y - 4),
            (side * x, y + 8),
            (side * (x - w * 0.6), y + 8),
            width=6,
            dark=dark,
        )


def draw_bodice(
    sheet: Sheet,
    build: Build,
    cut: Bodice,
    cloth: Weave,
    *,
    sleeves: list[Mask] | None = None,
    folds: float = 1.0,
) -> Mask:
    """Draw the trunk of an upper part over its sleeves; returns its mask."""
    body = sheet.shape(symmetric(bodice_half(build, cut)))
    for sleeve in sleeves or []:
        sheet.darken(sheet.softened(body, 3.2, (0, 2)).within(sleeve), 0.42)
    sheet.weave(body, cloth)
    sheet.round_off(body, 24, 0.42, 0.12)
    _trunk_folds(sheet, build, cut, body, folds)
    return body


def _trunk_folds(sheet: Sheet, build: Build, cut: Bodice, body: Mask, amount: float) -> None:
    b, e = build, cut.ease
    for side in (1, -1):
        sheet.fold(
            body,
            (side * (b.chest + e), 282),
            (side * b.chest * 0.8, 294),
            (side * b.chest * 0.58, 292),
            width=10,
            dark=0.2 * amount,
        )
        sheet.fold(
            body,
            (side * (b.shoulder * 0.86), 214),
            (side * b.chest * 0.82, 246),
            (side * b.chest * 0.78, 276),
            width=8,
            dark=0.14 * amount,
        )
        if cut.hem > 430:
            sheet.fold(
                body,
                (side * (b.waist + e), 384),
                (side * b.waist * 0.7, 402),
                (side * b.waist * 0.28, 398),
                width=9,
                dark=0.26 * amount,
            )
            sheet.fold(
                body,
                (side * (b.waist + e), 420),
                (side * b.waist * 0.76, 430),
                (side * b.waist * 0.5, 424),
                width=8,
                dark=0.2 * amount,
            )
            sheet.fold(
                body,
                (side * b.hip * 0.62, 440),
                (side * b.hip * 0.66, 470),
                (side * b.hip * 0.6, cut.hem - 4),
                width=8,
                dark=0.16 * amount,
            )
    if b.shoulder < 125:  # a woman's body: light and shade of the bust
        for side in (1, -1):
            sheet.darken(sheet.shape(ellipse(side * 37, 318, 30, 9), blur=8).within(body), 0.2 * amount)
            sheet.lighten(
                sheet.shape(ellipse(side * 37 - 6, 282, 20, 16), blur=11).within(body), 0.13 * amount
            )
    else:
        sheet.darken(
            sheet.shape(
                curve((-62, 300), (-30, 312), (0, 304), (30, 312), (62, 300), (30, 318), (-30, 318)), blur=7
            ).within(body),
            0.16 * amount,
        )


def neckline(build: Build, cut: Bodice) -> Points:
    """The line of the neck opening, from the left shoulder to the right."""
    half = bodice_half(build, cut)[: 29 if cut.v_neck else 43]
    return [*[(-x, y) for x, y in reversed(half)], *half]


def draw_neckband(sheet: Sheet, build: Build, cut: Bodice, cloth: Weave, *, wide: float = 9.0) -> None:
    """A band along the neck opening, lying on the bodice's edge."""
    band = sheet.stroke(neckline(build, cut), wide, even=True)
    sheet.darken(sheet.softened(band, 1.6, (0, 1.6)).without(band), 0.3)
    sheet.weave(band, cloth)
    sheet.round_off(band, 3.0, 0.3, 0.1)


def draw_hem_band(sheet: Sheet, build: Build, cut: Bodice, cloth: Weave, *, high: float = 22.0) -> None:
    """A ribbed band that holds the hem."""
    end = bodice_half(build, cut)[-29]
    x, y = end
    outline = symmetric(
        [
            *curve((0, y - 2 + cut.hem_sag), (x * 0.55, y - 2 + cut.hem_sag * 0.8), (x + 0.5, y - 2)),
            *curve((x + 0.5, y - 2), (x - 3, y + high)),
            *curve((x - 3, y + high), (x * 0.55, y + high + cut.hem_sag * 0.8), (0, y + high + cut.hem_sag)),
        ]
    )
    band = sheet.shape(outline)
    sheet.weave(band, cloth)
    sheet.round_off(band, 10, 0.4, 0.1)
    sheet.darken(
        sheet.stroke(
            curve(
                (-x, y - 1),
                (-x * 0.5, y - 1 + cut.hem_sag * 0.8),
                (0, y - 1 + cut.hem_sag),
                (x * 0.5, y - 1 + cut.hem_sag * 0.8),
                (x, y - 1),
            ),
            2.4,
            blur=0.7,
        ),
        0.42,
    )


def draw_collar(
    sheet: Sheet, build: Build, cloth: Weave, *, front: float = 192.0, point: float = 34.0
) -> None:
    """A shirt's collar: two wings around the neck that meet at (0, front)."""
    n = build.neck
    for side in (1, -1):
        wing = (
            curve((side * (n + 1.5), 134), (side * (n * 0.74), 164), (side * 1.5, front))
            + curve((side * 2, front + 2), (side * point * 0.62, front + 24), (side * point, front + 25))
            + curve(
                (side * point, front + 25),
                (side * (n + 17), 178),
                (side * (n + 12), 158),
                (side * (n + 6), 140),
                (side * (n + 1.5), 134),
            )
        )
        mask = sheet.shape(wing)
        under = sheet.softened(mask, 3, (1.5, 4)).without(mask)
        sheet.darken(under, 0.0)
        sheet.weave(mask, cloth, turn=-side * 24)
        sheet.round_off(mask, 6, 0.36, 0.12)
        sheet.seam(
            mask,
            [
                (x * 0.94, y - 2.5)
                for x, y in curve(
                    (side * 6, front + 3), (side * point * 0.66, front + 22), (side * point, front + 24)
                )
            ],
            dark=0.28,
        )


def draw_buttons(sheet: Sheet, spots: Points, colour: Colour, *, radius: float = 4.0) -> None:
    """Round buttons with their shadow."""
    for x, y in spots:
        sheet.darken(sheet.shape(ellipse(x + 0.8, y + 1.4, radius, radius), blur=0.8), 0.5)
        button = sheet.shape(ellipse(x, y, radius, radius))
        sheet.paint(button, colour)
        sheet.round_off(button, radius * 0.5, 0.35, 0.3)
        for dx, dy in ((-1, -1), (1, 1)):
            hole = sheet.shape(
                ellipse(x + dx * radius * 0.28, y + dy * radius * 0.28, radius * 0.16, radius * 0.16)
            )
            sheet.darken(hole, 0.7)


def skirt_half(waist: float, top: float, hip: float, hem: float, wide: float, *, sag: float = 10.0) -> Points:
    """Right half of a skirt from its waist's middle to its hem's."""
    middle = (top + hem) / 2
    side = curve(
        (waist, top),
        ((waist + hip) / 2 + 4, top + 44),
        (hip, top + 100),
        ((hip + wide) / 2, middle + 50),
        (wide, hem),
    )
    return [(0, top + 4), *side, *curve((wide, hem), (wide * 0.55, hem + sag * 0.85), (0, hem + sag))]


def draw_skirt(sheet: Sheet, half: Points, cloth: Weave, *, pleats: int, dark: float = 0.3) -> Mask:
    """Draw a skirt with folds that run from the waist to the hem, wider below; returns its mask."""
    mask = sheet.shape(symmetric(half))
    sheet.weave(mask, cloth)
    sheet.round_off(mask, 30, 0.42, 0.12)
    top, hem = half[0][1], max(y for _, y in half)
    wide, narrow = max(x for x, _ in half), half[1][0]
    rng = np.random.default_rng(pleats)
    for place in np.linspace(-0.88, 0.88, pleats):
        spot = float(place + rng.uniform(-0.04, 0.04))
        begin = top + rng.uniform(6, 60)
        share = (begin - top) / (hem - top)
        line = (
            (spot * (narrow + (wide - narrow) * share * 0.9), begin),
            (spot * (narrow * 0.45 + wide * 0.55), (begin + hem) / 2),
            (spot * wide * 1.01, hem + 8),
        )
        path = curve(*line)
        spots = np.linspace(0.25, 1, len(path))
        left = [(x - 7 * k, y) for (x, y), k in zip(path, spots, strict=True)]
        right = [(x + 5 * k, y) for (x, y), k in zip(path, spots, strict=True)]
        sheet.darken(sheet.shape([*path, *reversed(right)], blur=2.6).within(mask), dark)
        sheet.lighten(sheet.shape([*left, *reversed(path)], blur=3.4).within(mask), dark * 0.42)
    return mask
