"""Who stands in the demo's studio, and their hair.

It may know bodies and brushes; it must not know garments.
"""

import numpy as np
from tests.tools.samples.studio.brush import Colour, Mask, Points, Sheet, curve, ellipse, symmetric
from tests.tools.samples.studio.people import MAN, WOMAN, Build, Person


def _strands(sheet: Sheet, inside: Mask, lines: list[Points], light: float = 0.16, dark: float = 0.3) -> None:
    """Suggest hair: thin alternating dark and light strokes."""
    for index, line in enumerate(lines):
        stroke = sheet.stroke(line, 2.6, blur=0.5).within(inside)
        if index % 3 == 0:
            sheet.lighten(stroke, light)
        else:
            sheet.darken(stroke, dark, (30, 20, 20))


def _filled(sheet: Sheet, person: Person, outline: Points, depth: float = 10) -> Mask:
    hair = sheet.shape(outline)
    sheet.paint(hair, person.hair)
    sheet.round_off(hair, depth, 0.42, 0.13)
    return hair


def _nothing(sheet: Sheet, person: Person) -> None:
    """No hair behind the body."""


def _long_back(sheet: Sheet, person: Person) -> None:
    half = curve((0, -15), (30, -9), (51, 30), (56, 80), (60, 140), (64, 200), (58, 236), (44, 248), (0, 250))
    hair = _filled(sheet, person, symmetric(half), 16)
    lines = [curve((x * 0.8, 40), (x, 130), (x * 1.03, 236)) for x in np.linspace(-58, 58, 19)]
    _strands(sheet, hair, lines)


def _long_front(sheet: Sheet, person: Person) -> None:
    for side in (1, -1):
        part = 8
        outline = curve(
            (part, -15),
            (side * 27 + part * 0.5, -9),
            (side * 49, 24),
            (side * 53, 70),
            (side * 54, 124),
            (side * 51, 160),
        )
        inner = curve(
            (side * 43, 160),
            (side * 44, 118),
            (side * 42, 76),
            (side * 37, 48),
            (side * 22 + part * 0.6, 22),
            (part, 8),
        )
        hair = _filled(sheet, person, outline + inner, 7)
        lines = [
            curve(
                (part, 1 + k),
                (side * (22 + k * 1.2), 12 + k * 0.6),
                (side * (41 + k * 0.7), 44),
                (side * (45 + k * 0.55), 150),
            )
            for k in range(0, 14, 2)
        ]
        _strands(sheet, hair, lines, 0.11)


def _curls(sheet: Sheet, person: Person, spots: list[tuple[float, float, float]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    crown = sheet.shape(*[ellipse(x, y, r, r) for x, y, r in spots])
    sheet.paint(crown, person.hair)
    for x, y, r in spots:
        for _ in range(int(r * 1.1)):
            angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0, r * 0.95)
            cx, cy, cr = x + np.cos(angle) * far, y + np.sin(angle) * far, rng.uniform(2.2, 4.4)
            turn = rng.uniform(0, 2 * np.pi)
            arc = [
                (float(cx + np.cos(turn + t) * cr), float(cy + np.sin(turn + t) * cr))
                for t in np.linspace(0, 4, 9)
            ]
            stroke = sheet.stroke(arc, 1.9, blur=0.3).within(crown)
            if rng.random() < 0.45 + (-(x + far * np.cos(angle)) - y * 0.3) / 260:
                sheet.lighten(stroke, 0.17, (255, 214, 180))
            else:
                sheet.darken(stroke, 0.5, (20, 12, 12))
    soft = sheet.softened(crown, 16, (-12, -8))
    sheet.darken(Mask(crown.left, crown.top, crown.cover * (1 - soft.on(crown))), 0.5, (30, 20, 24))


def _round_back(sheet: Sheet, person: Person) -> None:
    spots = [(0.0, 34.0, 58.0)]
    for angle in np.linspace(-205, 25, 16):
        spots.append(
            (float(np.cos(np.radians(angle)) * 52), float(36 + np.sin(np.radians(angle)) * 50), 17.0)
        )
    _curls(sheet, person, spots, 4)


def _round_front(sheet: Sheet, person: Person) -> None:
    spots = [(float(x), float(14 - 15 * (1 - (x / 46) ** 2) + 2), 13.0) for x in np.linspace(-42, 42, 9)]
    spots += [(-46.0, 34.0, 9.0), (46.0, 34.0, 9.0), (-48.0, 50.0, 6.0), (48.0, 50.0, 6.0)]
    _curls(sheet, person, spots, 9)
    for side in (1, -1):
        ring = ellipse(side * 48, 92, 5.5, 7)
        sheet.paint(sheet.stroke([*ring, ring[0]], 1.8, even=True), (214, 168, 84))


def _bun_back(sheet: Sheet, person: Person) -> None:
    _filled(sheet, person, ellipse(2, -14, 25, 22), 9)
    _filled(sheet, person, symmetric(curve((0, -6), (36, 4), (48, 36), (46, 74), (30, 96), (0, 100))), 10)


def _bun_front(sheet: Sheet, person: Person) -> None:
    bun = sheet.shape(ellipse(2, -14, 25, 22))
    _strands(
        sheet,
        bun,
        [curve((-20 + k, -10 - k * 0.3), (2, -30 + k * 1.6), (24 - k * 0.3, -12)) for k in range(0, 20, 3)],
        0.24,
    )
    half = curve((0, -6), (30, -1), (47, 24), (49, 58), (46, 76))
    inner = curve((43, 62), (40, 44), (30, 28), (14, 19), (0, 17))
    cap = _filled(sheet, person, symmetric([*half, *inner]), 8)
    lines = [curve((x, 20 + abs(x) * 0.5), (x * 0.8, 6), (x * 0.25, -5)) for x in np.linspace(-42, 42, 17)]
    _strands(sheet, cap, lines, 0.16, 0.2)
    for side in (1, -1):
        wisp = curve((side * 45, 60), (side * 48, 84), (side * 44, 108))
        sheet.paint(sheet.stroke(wisp, 2.4), person.hair, 0.9)
        sheet.paint(sheet.shape(ellipse(side * 46, 86, 2.4, 2.4)), (238, 226, 206))


def _swept_front(sheet: Sheet, person: Person) -> None:
    outline = curve(
        (-47, 66), (-50, 36), (-42, 4), (-18, -14), (14, -18), (40, -6), (51, 22), (50, 50), (47.5, 68)
    ) + curve((44, 60), (42, 40), (36, 30), (20, 24), (-4, 26), (-26, 20), (-38, 34), (-42, 48), (-44, 62))
    hair = _filled(sheet, person, outline, 8)
    lines = [
        curve((-34 + k * 1.5, 24 - k * 0.5), (-10 + k * 1.6, 2 - k * 0.25), (34 + k * 0.5, 8 + k))
        for k in range(0, 26, 3)
    ]
    _strands(sheet, hair, lines, 0.1, 0.2)


def _short_beard(sheet: Sheet, person: Person) -> None:
    outline = curve((-47.5, 64), (-48, 34), (-36, 4), (0, -8), (36, 4), (48, 34), (47.5, 64)) + curve(
        (44, 56), (43, 40), (38, 27), (20, 22), (0, 23), (-20, 22), (-38, 27), (-43, 40), (-44, 56)
    )
    hair = _filled(sheet, person, outline, 9)
    rng = np.random.default_rng(2)
    for _ in range(150):
        x, y = rng.uniform(-47, 47), rng.uniform(-8, 40)
        stroke = sheet.stroke(curve((x, y), (x + 1.5, y - 2.5)), 1.5).within(hair)
        sheet.lighten(stroke, 0.14)
    beard = sheet.shape(
        curve(
            (-45.5, 70),
            (-44, 90),
            (-33, 114),
            (-14, 131),
            (0, 134),
            (14, 131),
            (33, 114),
            (44, 90),
            (45.5, 70),
        )
        + curve(
            (41, 78), (36, 94), (24, 99), (10, 99), (0, 97.5), (-10, 99), (-24, 99), (-36, 94), (-41, 78)
        ),
        blur=0.9,
    )
    mouth = sheet.shape(ellipse(0, 108.5, 15, 6.4), blur=1)
    sheet.paint(beard.without(mouth), person.hair, 0.86)
    sheet.lighten(sheet.stroke(curve((-30, 100), (-26, 114), (-12, 126)), 5, blur=2).within(beard), 0.1)


def _stubble_front(sheet: Sheet, person: Person) -> None:
    shadow = sheet.shape(
        curve((-44, 76), (-40, 96), (-28, 117), (-10, 129), (10, 129), (28, 117), (40, 96), (44, 76))
        + curve((36, 92), (22, 99), (0, 97), (-22, 99), (-36, 92)),
        blur=3,
    )
    sheet.darken(shadow.without(sheet.shape(ellipse(0, 108.5, 15, 6), blur=1.5)), 0.2, (70, 56, 60))
    _swept_front(sheet, person)


def _wall(light: Colour, mid: Colour, floor: Colour) -> tuple[Colour, ...]:
    return (light, light, mid, mid, mid, floor, floor)


SLENDER = WOMAN
CURVY = Build(21, 108, 85, 74, 104, ((96, 213), (139, 362), (174, 490)), (23, 17.5, 11), 51, 31, 32, 16, 51)
TALL = MAN
BROAD = Build(
    30, 136, 106, 93, 98, ((115, 221), (160, 377), (194, 507)), (30, 23.5, 15.5), 49, 33, 36, 19, 53
)

ROSTER = (
    Person(
        "mei",
        SLENDER,
        (246, 214, 190),
        (38, 30, 34),
        (202, 84, 86),
        _wall((238, 232, 226), (231, 224, 217), (220, 212, 204)),
        (250, 247, 242),
        (196, 178, 156),
        (236, 230, 222),
        False,
        _long_back,
        _long_front,
    ),
    Person(
        "amara",
        CURVY,
        (134, 84, 60),
        (36, 26, 26),
        (150, 60, 62),
        _wall((229, 233, 232), (220, 226, 225), (208, 214, 213)),
        (248, 244, 238),
        (92, 96, 104),
        (240, 234, 226),
        False,
        _round_back,
        _round_front,
    ),
    Person(
        "leo",
        TALL,
        (240, 202, 174),
        (92, 62, 44),
        (196, 116, 104),
        _wall((232, 234, 238), (224, 227, 232), (212, 215, 221)),
        (248, 248, 246),
        (98, 108, 122),
        (238, 236, 232),
        True,
        _nothing,
        _stubble_front,
    ),
    Person(
        "ravi",
        BROAD,
        (176, 122, 86),
        (28, 22, 24),
        (160, 86, 74),
        _wall((237, 233, 224), (230, 225, 214), (219, 213, 201)),
        (250, 248, 244),
        (74, 78, 72),
        (228, 220, 208),
        True,
        _nothing,
        _short_beard,
    ),
    Person(
        "elin",
        SLENDER,
        (252, 222, 204),
        (188, 112, 62),
        (214, 98, 92),
        _wall((231, 232, 226), (223, 225, 217), (211, 213, 204)),
        (250, 248, 245),
        (120, 132, 128),
        (238, 232, 224),
        False,
        _bun_back,
        _bun_front,
    ),
)
