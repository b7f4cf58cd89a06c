"""The persons of the demo: bodies in plain base clothes before a studio wall.

Units: 1020 is a person's height from crown to sole; x = 0 is the body's axis. A garment is drawn on the same
bodies (`garments`), which is why it fits. It must not know garments.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from tests.tools.samples.studio.brush import (
    Colour,
    Mask,
    Points,
    Sheet,
    curve,
    ellipse,
    flipped,
    symmetric,
    tube,
)

HEIGHT = 1020.0


@dataclass(frozen=True, slots=True)
class Build:
    """Half widths and places of a body, in units."""

    neck: float
    shoulder: float
    chest: float
    waist: float
    hip: float
    arm: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
    arm_halves: tuple[float, float, float]
    thigh: float
    knee: float
    calf: float
    ankle: float
    stance: float

    def arm_line(self) -> Points:
        """Shoulder joint, elbow and wrist of the arm on the right of the picture."""
        return list(self.arm)

    def leg_line(self) -> Points:
        """Hip, knee and ankle of the leg on the right of the picture."""
        return [
            (self.thigh + 3, 500),
            (self.stance + 4, 610),
            (self.stance, 735),
            (self.stance - 1, 820),
            (self.stance - 2, 958),
        ]

    def leg_halves(self) -> list[float]:
        """Half widths of the leg at the points of its line."""
        return [self.thigh, self.thigh * 0.87, self.knee, self.calf, self.ankle]


WOMAN = Build(
    20, 106, 80, 66, 97, ((94, 212), (134, 362), (170, 492)), (20.5, 15.5, 10.5), 47, 28, 29.5, 15, 48
)
MAN = Build(28, 132, 101, 86, 95, ((112, 220), (156, 376), (190, 508)), (28, 22, 14.5), 47, 31, 34, 18, 51)


@dataclass(frozen=True, slots=True)
class Person:
    """A person of the roster."""

    name: str
    build: Build
    skin: Colour
    hair: Colour
    lips: Colour
    wall: tuple[Colour, ...]
    top: Colour
    shorts: Colour
    shoes: Colour
    man: bool
    draw_back_hair: Callable[["Sheet", "Person"], None]
    draw_front_hair: Callable[["Sheet", "Person"], None]


def draw_person(person: Person) -> Sheet:
    """Draw `person`, standing, frontal, from head to foot, 900 x 1200."""
    sheet = Sheet((900, 1200), person.wall, axis=450, top=92)
    for half, dark in ((150, 0.16), (105, 0.26)):
        sheet.darken(sheet.shape(ellipse(8, 1006, half, 13), blur=11), dark)
    person.draw_back_hair(sheet, person)
    body = _body(sheet, person)
    _shoes(sheet, person)
    _base_clothes(sheet, person, body)
    _head(sheet, person)
    person.draw_front_hair(sheet, person)
    return sheet


def torso(build: Build) -> Points:
    """The right half of the trunk, from the throat to the crotch."""
    b = build
    slope = curve(
        (b.neck, 120),
        (b.neck + 1, 146),
        (b.neck + 12, 166),
        (b.shoulder * 0.62, 180),
        (b.shoulder * 0.9, 194),
    )
    side = curve(
        (b.shoulder * 0.9, 194),
        (b.shoulder - 12, 226),
        (b.chest + 1, 262),
        (b.chest, 300),
        (b.waist + 3, 356),
        (b.waist, 398),
        (b.hip - 12, 448),
        (b.hip, 502),
        (b.hip - 2, 540),
        (b.thigh * 0.9, 560),
        (0, 548),
    )
    return [(0, 118), *slope, *side]


def _body(sheet: Sheet, person: Person) -> Mask:
    build = person.build
    arm = tube(build.arm_line(), build.arm_halves, rounded=True)
    leg = tube(build.leg_line(), build.leg_halves())
    hand = _hand(build)
    skin = sheet.shape(symmetric(torso(build)), arm, flipped(arm), leg, flipped(leg), hand, flipped(hand))
    sheet.paint(skin, person.skin)
    shade = _shade(person)
    for limb in ((leg,), (flipped(leg),), (arm, hand), (flipped(arm), flipped(hand))):
        part = sheet.shape(*limb)
        soft = sheet.softened(part, 12, (-10, -2))
        sheet.darken(Mask(part.left, part.top, part.cover * (1 - soft.on(part))), 0.5, shade)
    _fingers(sheet, build, skin, shade)
    for side in (1, -1):
        knee = curve(
            (side * (build.stance - 15), 728), (side * build.stance, 746), (side * (build.stance + 14), 730)
        )
        sheet.darken(sheet.stroke(knee, 7, blur=3).within(skin), 0.35, shade)
        bone = curve((side * 14, 184), (side * 44, 182), (side * 78, 190))
        sheet.darken(sheet.stroke(bone, 4.5, blur=1.6).within(skin), 0.38, shade)
        sheet.lighten(sheet.stroke([(x - 1, y - 5) for x, y in bone], 5, blur=2).within(skin), 0.16)
        shin = curve(
            (side * build.stance - 9, 780), (side * build.stance - 7, 850), (side * build.stance - 5, 930)
        )
        sheet.lighten(sheet.stroke(shin, 8, blur=4).within(skin), 0.14)
        elbow = curve(
            (side * build.arm[1][0] - 8, build.arm[1][1] - 2),
            (side * build.arm[1][0] + 6, build.arm[1][1] + 4),
        )
        sheet.darken(sheet.stroke(elbow, 4, blur=2).within(skin), 0.25, shade)
    chin = sheet.shape(ellipse(5, 136, build.neck + 13, 26), blur=4)
    neck = sheet.shape(symmetric([(0, 112), (build.neck, 120), (build.neck + 1, 150), (0, 176)]), blur=1.5)
    sheet.darken(chin.within(neck), 0.62, shade)
    rim = sheet.softened(skin, 1.2)
    sheet.darken(Mask(skin.left, skin.top, skin.cover * (1 - rim.on(skin))), 0.55, shade)
    return skin


def _shade(person: Person) -> Colour:
    """The tint that skin takes in shadow: redder than it is in light."""
    return (178, 118, 108) if sum(person.skin) > 480 else (138, 92, 92)


def _hand_spots(build: Build, marks: list[tuple[float, float]]) -> Points:
    """Places on the hand, given as (down the hand, outwards), in units of a slender hand."""
    (ex, ey), (wx, wy) = build.arm[1], build.arm[2]
    along = np.array([wx - ex, wy - ey]) / np.hypot(wx - ex, wy - ey)
    along = along * 0.8 + np.array([0.02, 0.2])
    side = np.array([along[1], -along[0]])
    k = build.arm_halves[2] / 10.5
    places = [(wx, wy) + along * a * k + side * b * k for a, b in marks]
    return [(float(x), float(y)) for x, y in places]


def _fingers(sheet: Sheet, build: Build, skin: Mask, shade: Colour) -> None:
    for b in (-2.5, 2.5, 7.0):
        line = curve(*_hand_spots(build, [(42, b * 1.15), (56, b), (69 - abs(b - 1), b * 0.7)]))
        for drawn in (line, flipped(line)):
            sheet.darken(sheet.stroke(drawn, 1.7, blur=0.4).within(skin), 0.6, shade)


def _hand(build: Build) -> Points:
    marks: list[tuple[float, float]] = [
        (-8, 9.6),
        (8, 10),
        (24, 13),
        (40, 13),
        (58, 10.5),
        (70, 6.5),
        (76, 1),
        (74, -4),
        (62, -7),
        (50, -8.5),
        (46, -10),
        (51, -13),
        (50, -17),
        (40, -17.5),
        (26, -14),
        (10, -11),
        (-8, -9.6),
    ]
    return curve(*_hand_spots(build, marks), steps=8)


def _shoes(sheet: Sheet, person: Person) -> None:
    at = person.build.stance
    wide = 23 if person.man else 19
    for side in (-1, 1):
        x = side * (at + 3)
        low = 1012.0
        upper = curve(
            (x - wide * 0.72, 958),
            (x - wide * 0.86, 976),
            (x - wide + side * 3, 996),
            (x - wide * 0.8 + side * 5, low),
            (x + side * 6, low + 3),
            (x + wide * 0.8 + side * 5, low),
            (x + wide + side * 3, 996),
            (x + wide * 0.86, 976),
            (x + wide * 0.72, 958),
        )
        shoe = sheet.shape([*upper, *curve((x + wide * 0.72, 958), (x, 964), (x - wide * 0.72, 958))])
        sheet.paint(shoe, person.shoes)
        sheet.round_off(shoe, 9, 0.5, 0.3)
        sole = sheet.shape(
            curve(
                (x - wide + side * 4, 1000),
                (x + side * 5, 1009),
                (x + wide + side * 4, 1000),
                (x + wide + side * 4, 1008),
                (x + wide * 0.6 + side * 5, 1016),
                (x + side * 6, 1018),
                (x - wide * 0.6 + side * 5, 1016),
                (x - wide + side * 4, 1008),
                (x - wide + side * 4, 1000),
            )
        )
        sheet.paint(sole, (246, 243, 238))
        sheet.darken(
            sheet.stroke(
                curve((x - wide + side * 4, 1004), (x + side * 5, 1010), (x + wide + side * 4, 1004)),
                1.2,
                even=True,
            ),
            0.5,
        )
        for row in (972, 980, 988):
            lace = curve((x - 8 + side * 2, row), (x + side * 2, row + 2), (x + 8 + side * 2, row))
            sheet.paint(sheet.stroke(lace, 2.4, even=True), (250, 248, 244), 0.9)


def _base_clothes(sheet: Sheet, person: Person, skin: Mask) -> None:
    b = person.build
    leg = tube(b.leg_line(), [h + 5 for h in b.leg_halves()], end=0.33 if person.man else 0.22)
    sides = curve(
        (b.waist - 6, 410), (b.hip - 9, 446), (b.hip + 2, 476), (2 * b.thigh + 8, 508), (2 * b.thigh + 6, 540)
    )
    shorts = sheet.shape(symmetric([(0, 410), *sides, (b.thigh, 566), (2, 562)]), leg, flipped(leg))
    sheet.paint(shorts, person.shorts)
    sheet.round_off(shorts, 16, 0.42, 0.1)
    sheet.seam(shorts, curve((0, 408), (0, 480), (0, 556)), dark=0.35)
    for side in (1, -1):
        sheet.fold(shorts, (side * 4, 540), (side * 24, 530), (side * 52, 520), width=7)
        sheet.seam(
            shorts,
            curve((side * (b.hip - 26), 430), (side * (b.hip - 10), 452), (side * (b.hip - 2), 476)),
            dark=0.4,
        )
    inner, outer = (
        (b.shoulder * 0.44, b.shoulder * 0.63) if person.man else (b.shoulder * 0.5, b.shoulder * 0.6)
    )
    scoop = 246.0 if person.man else 262.0
    rise = 174.0 if person.man else 178.0
    neckline = curve((0, scoop), (inner * 0.66, scoop - 12), (inner * 0.95, scoop - 44), (inner, rise))
    armhole = curve((outer, rise + 5), (outer + 1, 220), (b.chest * 0.9, 254), (b.chest + 2, 272))
    side_line = curve(
        (b.chest + 2, 272),
        (b.chest + 2, 302),
        (b.waist + 5, 356),
        (b.waist + 3, 396),
        (b.hip - 10, 440),
        (b.hip - 6, 452),
    )
    tank = sheet.shape(
        symmetric([*neckline, *armhole, *side_line, *curve((b.hip - 6, 452), (b.hip * 0.5, 457), (0, 459))])
    )
    sheet.darken(sheet.softened(tank, 4, (2, 5)).without(tank).within(skin), 0.3)
    sheet.paint(tank, person.top)
    sheet.round_off(tank, 20, 0.36, 0.1)
    for side in (1, -1):
        sheet.fold(
            tank,
            (side * b.chest, 300),
            (side * b.chest * 0.72, 316),
            (side * b.chest * 0.4, 318),
            width=8,
            dark=0.2,
        )
        sheet.fold(
            tank,
            (side * b.waist, 392),
            (side * b.waist * 0.6, 404),
            (side * b.waist * 0.2, 402),
            width=7,
            dark=0.2,
        )
    sheet.seam(tank, [(x, y + 5) for x, y in [*flipped(neckline)[::-1], *neckline]], dark=0.3)


def _head(sheet: Sheet, person: Person) -> None:
    wide = 45.5 if person.man else 42.5
    jaw = 30 if person.man else 24
    half = curve(
        (0, 4),
        (wide * 0.66, 12),
        (wide * 0.97, 40),
        (wide, 64),
        (wide * 0.93, 88),
        (jaw, 115),
        (11, 128),
        (0, 130),
    )
    shade = _shade(person)
    for side in (1, -1):
        ear = sheet.shape(ellipse(side * (wide + 1), 70, 5.5, 12, side * 8))
        sheet.paint(ear, person.skin)
        sheet.darken(sheet.shape(ellipse(side * (wide + 1.5), 70, 3, 8, side * 8), blur=1.2), 0.5, shade)
    face = sheet.shape(symmetric(half))
    sheet.paint(face, person.skin)
    soft = sheet.softened(face, 10, (-8, -3))
    sheet.darken(Mask(face.left, face.top, face.cover * (1 - soft.on(face))), 0.55, shade)
    blush: Colour = (224, 120, 104) if sum(person.skin) > 480 else (170, 80, 62)
    for side in (1, -1):
        sheet.paint(sheet.shape(ellipse(side * 25, 90, 11, 8), blur=5), blush, 0.2 if person.man else 0.32)
    _features(sheet, person, face)


def _features(sheet: Sheet, person: Person, face: Mask) -> None:
    shade = _shade(person)
    ink: Colour = (40, 28, 28)
    brow: Colour = tuple(int(c * 0.75) for c in person.hair)  # type: ignore[assignment]  # three by nature
    if sum(brow) > 300:
        brow = (126, 84, 52)
    for side in (1, -1):
        x = side * 18.5
        white = sheet.shape(
            curve(
                (x - 8.6, 67.5),
                (x - 3, 63.6),
                (x + 3, 63.6),
                (x + 8.6, 67.2),
                (x + 3, 70.8),
                (x - 3, 70.9),
                (x - 8.6, 67.5),
            )
        )
        sheet.paint(white, (250, 246, 242))
        sheet.paint(sheet.shape(ellipse(x, 67, 3.9, 4.1)).within(white), (70, 46, 34))
        sheet.paint(sheet.shape(ellipse(x, 67, 2, 2.1)).within(white), (20, 14, 14))
        sheet.paint(sheet.shape(ellipse(x - 1.3, 65.6, 1, 1)), (255, 255, 255))
        lash = curve(
            (x - side * 9, 67.6),
            (x - side * 3, 63.4),
            (x + side * 3, 63.2),
            (x + side * 10.4, 65.6 if person.man else 64.2),
        )
        sheet.paint(sheet.stroke(lash, 2.6 if person.man else 3.6), ink, 0.95)
        lid = curve((x - side * 7, 62), (x, 59.4), (x + side * 9, 61.6))
        sheet.darken(sheet.stroke(lid, 1.6, blur=0.4), 0.6, shade)
        arch = curve((x - side * 10, 55.4), (x - side * 2, 51.6), (x + side * 6, 50.6), (x + side * 13, 54.4))
        sheet.paint(sheet.stroke(arch, 5 if person.man else 3.6, blur=0.5), brow, 0.85)
    nose = curve((5.5, 66), (6.6, 78), (8.2, 88), (3, 92), (-4, 91.5))
    sheet.darken(sheet.stroke(nose, 4.2, blur=1.3).within(face), 0.5, shade)
    for side in (1, -1):
        sheet.darken(sheet.shape(ellipse(side * 4.4, 91.6, 2.1, 1.1), blur=0.4), 0.8, (110, 60, 56))
    upper = curve((-13, 107), (-5, 103.2), (0, 104.6), (5, 103.2), (13, 107), (0, 108.6), (-13, 107))
    lower = curve((-13, 107), (0, 108.4), (13, 107), (6, 113.2), (0, 114.2), (-6, 113.2), (-13, 107))
    amount = 0.5 if person.man else 0.92
    sheet.paint(sheet.shape(lower, blur=0.3), person.lips, amount)
    sheet.paint(sheet.shape(upper, blur=0.3), tuple(int(c * 0.82) for c in person.lips), amount)  # type: ignore[arg-type]  # three
    sheet.darken(sheet.stroke(curve((-13.5, 106.6), (0, 108.4), (13.5, 106.6)), 1.6), 0.7, (110, 50, 50))
    sheet.lighten(sheet.shape(ellipse(-2, 111, 4, 1.2), blur=0.8), 0.3)
    sheet.darken(sheet.shape(ellipse(1, 119, 8, 2), blur=1.4).within(face), 0.34, shade)
