"""The single garments of the demo's catalogue, as flat pictures on a plain ground.

Drawn on the bodies of `people`, with air between cloth and body. It must not know which look they become.
"""

import numpy as np
from tests.tools.samples.studio.brush import Colour, Points, Sheet, Weave, curve, ellipse, flipped, symmetric
from tests.tools.samples.studio.people import MAN, WOMAN
from tests.tools.samples.studio.tailoring import (
    Bodice,
    Sleeve,
    bodice_half,
    draw_bodice,
    draw_buttons,
    draw_collar,
    draw_hem_band,
    draw_neckband,
    draw_skirt,
    draw_sleeves,
    sheet_for,
    skirt_half,
    sleeve_outline,
)
from tests.tools.samples.studio.weaves import (
    blocks,
    cabled,
    denim,
    dots,
    floral,
    gingham,
    knitted,
    plain,
    ribbed,
    stripes,
)

SQUARE = (1000, 1000)
TALL = (900, 1200)


def breton_tee() -> Sheet:
    """A woman's t-shirt with navy stripes."""
    sheet = sheet_for(SQUARE, (178, 152, 520))
    cut = Bodice(ease=9, neck_wide=52, neck_deep=200, hem=500, hem_wide=6, waist=1.4)
    ground: Colour = (250, 248, 242)
    cloth = stripes(ground, (34, 52, 96), every=19, wide=7.5, sag=5)
    sleeves = draw_sleeves(sheet, WOMAN, Sleeve(end=0.36, ease=(7, 12, 9)), cloth)
    body = draw_bodice(sheet, WOMAN, cut, cloth, sleeves=sleeves)
    yoke = sheet.shape([(-130, 140), (130, 140), (130, 226), (-130, 226)]).within(body)
    sheet.weave(yoke, plain(ground))
    shade = sheet.softened(body, 24, (-21, -8))
    sheet.darken(type(yoke)(yoke.left, yoke.top, yoke.cover * (1 - shade.on(yoke))), 0.42)
    draw_neckband(sheet, WOMAN, cut, plain((34, 52, 96)), wide=7)
    sheet.seam(body, curve((-104, 492), (0, 498), (104, 492)), dark=0.4)
    return sheet


def pocket_tee() -> Sheet:
    """A man's mustard t-shirt with a pocket."""
    sheet = sheet_for(SQUARE, (196, 150, 535))
    cut = Bodice(ease=11, neck_wide=42, neck_deep=200, hem=514, hem_wide=12, boxy=0.75)
    mustard: Colour = (222, 164, 52)
    cloth = plain(mustard)
    sleeves = draw_sleeves(sheet, MAN, Sleeve(end=0.46, ease=(7, 13, 12)), cloth)
    body = draw_bodice(sheet, MAN, cut, cloth, sleeves=sleeves)
    draw_neckband(sheet, MAN, cut, ribbed((206, 148, 42), every=3), wide=9)
    pocket = [(30, 276), (76, 276), (76, 322), (53, 334), (30, 322)]
    mask = sheet.shape(pocket)
    sheet.darken(sheet.softened(mask, 2, (1, 2)).without(mask), 0.3)
    sheet.weave(mask, cloth)
    sheet.round_off(mask, 5, 0.22, 0.08)
    sheet.seam(body, [(30, 284), (76, 284)], dark=0.36)
    sheet.stitches(body, [(30, 282), (76, 282)], (250, 214, 130))
    sheet.stitches(body, curve((-104, 508), (0, 514), (104, 508)), (250, 214, 130))
    return sheet


def dot_blouse() -> Sheet:
    """A woman's wine-red blouse with dots."""
    sheet = sheet_for(SQUARE, (208, 130, 530))
    wine: Colour = (142, 34, 58)
    cloth = dots(wine, (250, 232, 222), every=19, radius=3.7)
    cut = Bodice(
        ease=13, neck_wide=25, neck_deep=196, v_neck=True, hem=498, hem_wide=10, waist=1.1, hem_sag=16
    )
    sleeves = draw_sleeves(sheet, WOMAN, Sleeve(ease=(9, 13, 12), band=0.085), cloth, plain((128, 28, 50)))
    body = draw_bodice(sheet, WOMAN, cut, cloth, sleeves=sleeves)
    placket = sheet.shape([(-9, 196), (9, 196), (9, 516), (-9, 516)]).within(body)
    sheet.weave(placket, plain((128, 28, 50)))
    for x in (-9, 9):
        sheet.seam(body, [(x, 196), (x, 515)], dark=0.4)
    draw_buttons(sheet, [(0, y) for y in (226, 276, 326, 376, 426, 476)], (250, 236, 226), radius=4.2)
    draw_collar(sheet, WOMAN, plain((128, 28, 50)), point=38)
    return sheet


def check_shirt() -> Sheet:
    """A man's shirt in blue gingham."""
    sheet = sheet_for(SQUARE, (228, 130, 545))
    cloth = gingham((250, 251, 252), (58, 116, 178), every=17)
    cut = Bodice(
        ease=12, neck_wide=32, neck_deep=196, v_neck=True, hem=510, hem_wide=11, boxy=0.6, hem_sag=20
    )
    sleeves = draw_sleeves(sheet, MAN, Sleeve(ease=(7, 9, 7), band=0.075), cloth)
    body = draw_bodice(sheet, MAN, cut, cloth, sleeves=sleeves)
    for x in (-10, 10):
        sheet.seam(body, [(x, 198), (x, 530)], dark=0.5)
    sheet.stitches(body, [(-7, 204), (-7, 528)], (44, 88, 142), amount=0.6)
    pocket = [(34, 268), (82, 268), (82, 316), (58, 328), (34, 316)]
    mask = sheet.shape(pocket)
    sheet.weave(mask, cloth, pivot=(4, 5))
    sheet.round_off(mask, 4, 0.3, 0.1)
    sheet.seam(body, [(34, 277), (82, 277)], dark=0.4)
    draw_buttons(sheet, [(0, y) for y in (228, 276, 324, 372, 420, 468)], (246, 246, 244), radius=4)
    draw_collar(sheet, MAN, cloth, point=42)
    return sheet


def cable_sweater() -> Sheet:
    """A woman's cream sweater with cables."""
    ground: Colour = (214, 206, 200)
    sheet = sheet_for(SQUARE, (214, 132, 540), ground)
    cream: Colour = (248, 238, 220)
    cut = Bodice(ease=17, neck_wide=33, neck_deep=188, hem=486, hem_wide=10, boxy=0.7, hem_sag=4)
    rib = ribbed((244, 232, 212), every=5)
    sleeves = draw_sleeves(sheet, WOMAN, Sleeve(ease=(11, 14, 10), band=0.1), cabled(cream, every=40), rib)
    draw_bodice(sheet, WOMAN, cut, cabled(cream, every=50), sleeves=sleeves, folds=0.7)
    draw_hem_band(sheet, WOMAN, cut, rib)
    _roll_neck(sheet, WOMAN.neck, rib)
    return sheet


def _roll_neck(sheet: Sheet, neck: float, rib: Weave) -> None:
    half = [
        *curve((0, 146), (neck * 0.7, 143), (neck + 5, 137)),
        *curve((neck + 5, 137), (neck + 9, 152), (neck + 15, 170)),
        *curve((neck + 15, 170), (neck * 0.8, 190), (0, 196)),
    ]
    mask = sheet.shape(symmetric(half))
    sheet.darken(
        sheet.softened(mask, 4, (0, 3))
        .without(mask)
        .within(sheet.shape(symmetric([(0, 160), (90, 160), (90, 240), (0, 240)]))),
        0.36,
    )
    sheet.weave(mask, rib)
    sheet.round_off(mask, 10, 0.42, 0.1)
    sheet.fold(mask, (-neck - 6, 158), (0, 168), (neck + 6, 158), width=6, dark=0.4)


_BLOCK_CUT = Bodice(ease=17, neck_wide=36, neck_deep=194, hem=484, hem_wide=11, boxy=0.75, hem_sag=4)
_BLOCK_SLEEVE = Sleeve(ease=(11, 14, 10), band=0.09)


def block_sweater_outlines() -> list[Points]:
    """What the three-coloured sweatshirt covers on the body it is drawn on: trunk, band and sleeves."""
    x = WOMAN.hip + _BLOCK_CUT.hem_wide
    arm = sleeve_outline(WOMAN, _BLOCK_SLEEVE)
    band = symmetric([(0, 470), (x, 470), (x - 3, 508), (0, 512)])
    return [symmetric(bodice_half(WOMAN, _BLOCK_CUT)), band, arm, flipped(arm)]


def block_sweater() -> Sheet:
    """A woman's sweatshirt in three colours."""
    sheet = sheet_for(SQUARE, (214, 148, 540))
    coral, cream, teal = (236, 112, 92), (250, 240, 224), (32, 110, 118)
    cut = _BLOCK_CUT
    cloth = knitted(blocks((0, coral), (292, cream), (372, teal)), stitch=4.2, relief=0.11)
    arm = knitted(blocks((-90, coral), (78, cream), (160, teal)), stitch=4.2, relief=0.11)
    sleeves = draw_sleeves(sheet, WOMAN, _BLOCK_SLEEVE, arm, ribbed((28, 98, 106)))
    draw_bodice(sheet, WOMAN, cut, cloth, sleeves=sleeves)
    draw_hem_band(sheet, WOMAN, cut, ribbed((28, 98, 106)))
    draw_neckband(sheet, WOMAN, cut, ribbed((222, 98, 80), every=3.5), wide=12)
    return sheet


def band_sweater() -> Sheet:
    """A man's forest-green sweater with a patterned band."""
    sheet = sheet_for(SQUARE, (234, 148, 552))
    green, cream, rust = (38, 84, 66), (240, 228, 204), (196, 92, 52)
    cut = Bodice(ease=15, neck_wide=40, neck_deep=198, hem=496, hem_wide=11, boxy=0.7, hem_sag=4)
    base = blocks(
        (0, green), (266, cream), (270, green), (276, rust), (306, green), (312, cream), (316, green)
    )

    def cloth(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        colours = base(u, v)
        across = np.abs((u + 8) % 16 - 8)
        diamond = (np.abs(v - 291) + across * 1.5 < 11) & (v > 276)
        zigzag = (np.abs(v - 332 - np.abs((u + 8) % 16 - 8)) < 2.4) | (
            np.abs(v - 250 + np.abs((u + 8) % 16 - 8)) < 2.4
        )
        colours = np.where((diamond | zigzag)[..., None], np.array(cream, dtype=np.float32), colours)
        return np.asarray(colours, dtype=np.float32)

    arm_base = blocks(
        (-90, green), (46, cream), (50, green), (56, rust), (86, green), (92, cream), (96, green)
    )

    def arm(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        diamond = (np.abs(v - 71) + np.abs((u + 8) % 16 - 8) * 1.5 < 11)[..., None]
        return np.asarray(
            np.where(diamond, np.array(cream, dtype=np.float32), arm_base(u, v)), dtype=np.float32
        )

    rib = ribbed((32, 74, 58))
    sleeves = draw_sleeves(sheet, MAN, Sleeve(ease=(9, 12, 9), band=0.09), knitted(arm, stitch=4), rib)
    draw_bodice(sheet, MAN, cut, knitted(cloth, stitch=4), sleeves=sleeves)
    draw_hem_band(sheet, MAN, cut, rib)
    draw_neckband(sheet, MAN, cut, ribbed((32, 74, 58), every=3.5), wide=13)
    return sheet


def hoodie() -> Sheet:
    """A man's hoodie in dusty blue."""
    sheet = sheet_for(SQUARE, (238, 122, 556))
    blue: Colour = (108, 140, 172)
    cloth, dim = plain(blue, grain=0.03), (96, 127, 158)
    cut = Bodice(ease=17, neck_wide=40, neck_deep=206, hem=496, hem_wide=13, boxy=0.8, hem_sag=4)
    sleeves = draw_sleeves(sheet, MAN, Sleeve(ease=(11, 14, 10), band=0.085), cloth, ribbed(dim))
    body = draw_bodice(sheet, MAN, cut, cloth, sleeves=sleeves, folds=1.2)
    pouch = sheet.shape(symmetric([(0, 402), (48, 402), (76, 462), (76, 497), (0, 500)]))
    sheet.darken(sheet.softened(pouch, 2.4, (1, 1)).without(pouch).within(body), 0.34)
    sheet.weave(pouch, cloth)
    sheet.round_off(pouch, 9, 0.22, 0.1)
    for side in (1, -1):
        sheet.stitches(body, [(side * 45, 407), (side * 72, 464)], (196, 214, 230))
    draw_hem_band(sheet, MAN, cut, ribbed(dim))
    n = MAN.neck
    for side in (-1, 1):
        roll = curve(
            (side * (n + 1), 126),
            (side * (n + 30), 142),
            (side * (n + 40), 172),
            (side * 40, 206),
            (side * -3, 240),
        ) + curve((side * -3, 218), (side * (n - 6), 192), (side * (n - 1), 160), (side * (n + 1), 126))
        mask = sheet.shape(roll)
        sheet.darken(sheet.softened(mask, 4, (0, 5)).without(mask).within(body), 0.4)
        sheet.weave(mask, cloth)
        sheet.round_off(mask, 12, 0.44, 0.14)
        sheet.fold(mask, (side * (n + 10), 144), (side * (n + 16), 176), (side * 20, 214), width=8, dark=0.34)
    for side, end in ((1, 318), (-1, 306)):
        cord = curve((side * 16, 222), (side * 20, 262), (side * 17, end))
        sheet.darken(sheet.stroke([(x + 2, y + 1) for x, y in cord], 4, blur=1.4, even=True), 0.4)
        sheet.paint(sheet.stroke(cord, 4, even=True), (244, 242, 236))
        sheet.paint(sheet.stroke([(side * 17, end - 3), (side * 17, end + 9)], 5, even=True), (206, 204, 198))
    return sheet


def denim_jacket() -> Sheet:
    """A man's jacket of washed denim over a white t-shirt."""
    sheet = sheet_for(SQUARE, (236, 130, 530), (206, 211, 217))
    blue: Colour = (82, 118, 160)
    thread: Colour = (224, 172, 98)
    cloth = denim(blue)
    inner = Bodice(ease=5, neck_wide=36, neck_deep=200, hem=478, hem_wide=2)
    cut = Bodice(
        ease=15, neck_wide=33, neck_deep=204, v_neck=True, hem=474, hem_wide=10, boxy=0.72, hem_sag=3
    )
    sleeves = draw_sleeves(sheet, MAN, Sleeve(ease=(9, 12, 9), band=0.07), cloth)
    tee = sheet.shape(symmetric(bodice_half(MAN, inner)))
    body = draw_bodice(sheet, MAN, cut, cloth, sleeves=sleeves)
    opening = sheet.shape(
        symmetric([(0, 170), *curve((34, 160), (24, 220), (16, 330), (19, 492)), (0, 494)])
    ).within(tee)
    sheet.paint(opening, (248, 247, 244))
    sheet.darken(
        sheet.softened(
            sheet.shape(
                symmetric([*curve((25, 170), (20, 260), (15, 330), (17, 490)), (60, 490), (60, 170)])
            ),
            5,
        ).within(opening),
        0.3,
    )
    draw_neckband(sheet, MAN, inner, plain((242, 240, 236)), wide=8)
    for side in (1, -1):
        edge = curve((side * 26, 216), (side * 17, 330), (side * 20, 480))
        sheet.seam(body, edge, dark=0.5)
        sheet.stitches(body, [(x + side * 12, y) for x, y in edge], thread)
        sheet.seam(body, [(side * 30, 268), (side * 116, 262)], dark=0.45)
        sheet.stitches(body, [(side * 30, 271), (side * 116, 265)], thread)
        flap = sheet.shape(
            [(side * 44, 276), (side * 92, 276), (side * 92, 296), (side * 68, 308), (side * 44, 296)]
        )
        sheet.darken(sheet.softened(flap, 2, (1, 2.5)).without(flap).within(body), 0.45)
        sheet.weave(flap, denim((76, 110, 152)))
        sheet.round_off(flap, 4, 0.3, 0.1)
        sheet.stitches(flap, [(side * 46, 293), (side * 68, 305), (side * 90, 293)], thread)
        for top, low in ((44, 40), (92, 80)):
            sheet.stitches(body, [(side * top, 300), (side * low, 456)], thread)
            sheet.seam(body, [(side * top, 300), (side * low, 456)], dark=0.3)
        draw_buttons(sheet, [(side * 68, 299)], (206, 150, 92), radius=3.6)
    band = sheet.shape(symmetric([(18, 458), (108, 456), (107, 480), (19, 482)])).within(body)
    for half in (1, -1):
        part = sheet.shape([(half * 19, 458), (half * 112, 456), (half * 112, 484), (half * 19, 484)]).within(
            body
        )
        sheet.weave(part, denim((74, 108, 150)))
        sheet.darken(
            sheet.stroke([(half * 19, 458), (half * 112, 456)], 2, even=True, blur=0.5).within(band), 0.5
        )
    draw_buttons(sheet, [(-26, y) for y in (240, 290, 340, 390, 440, 469)], (206, 150, 92), radius=4.2)
    draw_collar(sheet, MAN, denim((90, 126, 168)), front=206, point=52)
    return sheet


def wrap_dress() -> Sheet:
    """A floral wrap dress with short sleeves."""
    sheet = sheet_for(TALL, (190, 150, 850))
    cloth = floral(
        (26, 42, 74),
        ((240, 128, 122), (250, 206, 180), (246, 238, 226), (232, 172, 70)),
        (250, 214, 110),
        (92, 138, 106),
    )
    cut = Bodice(ease=8, neck_wide=37, neck_deep=256, v_neck=True, hem=400, hem_wide=0, waist=0.6)
    sleeves = draw_sleeves(sheet, WOMAN, Sleeve(end=0.42, ease=(8, 16, 12)), cloth)
    skirt = draw_skirt(sheet, skirt_half(73, 392, 116, 816, 168, sag=14), cloth, pleats=9)
    body = draw_bodice(sheet, WOMAN, cut, cloth, sleeves=sleeves)
    over = curve((37, 172), (10, 236), (-26, 300), (-62, 388))
    sheet.darken(sheet.stroke([(x - 2.5, y + 1) for x, y in over], 6, blur=2, even=True).within(body), 0.5)
    sheet.paint(sheet.stroke(over, 1.6, even=True).within(body), (250, 226, 206), 0.8)
    edge = curve((-58, 404), (-66, 520), (-40, 660), (10, 826))
    sheet.darken(sheet.stroke([(x + 3, y) for x, y in edge], 9, blur=3, even=True).within(skirt), 0.5)
    belt = sheet.shape(
        symmetric([*curve((0, 386), (40, 384), (74, 380)), *curve((75, 402), (40, 407), (0, 409))])
    )
    sheet.paint(belt, (30, 40, 66))
    sheet.round_off(belt, 7, 0.3, 0.14)
    for tail in (((-60, 396), (-76, 440), (-70, 512)), ((-56, 396), (-60, 446), (-48, 494))):
        ribbon = sheet.stroke(curve(*tail), 11)
        sheet.paint(ribbon, (34, 46, 76))
        sheet.round_off(ribbon, 3, 0.3, 0.12)
    for turn in (-38, 34):
        loop = sheet.shape(ellipse(-58 + (14 if turn > 0 else -14), 392, 15, 6.5, turn))
        sheet.paint(loop, (36, 48, 80))
        sheet.round_off(loop, 4, 0.4, 0.14)
    return sheet


def sheath_dress() -> Sheet:
    """A sleeveless emerald dress with a wide skirt."""
    sheet = sheet_for(TALL, (200, 152, 830))
    emerald: Colour = (18, 124, 96)
    cloth = plain(emerald)
    b = WOMAN
    skirt = draw_skirt(sheet, skirt_half(72, 392, 122, 790, 186, sag=16), cloth, pleats=12, dark=0.42)
    neck = curve((0, 208), (26, 204), (42, 190), (47, 173))
    hole = curve((82, 184), (76, 220), (78, 254), (b.chest + 6, 278))
    side = curve((b.chest + 6, 278), (b.chest + 5, 306), (75, 356), (72, 394))
    body = sheet.shape(
        symmetric([*neck, *curve((47, 173), (82, 184)), *hole, *side, *curve((72, 394), (36, 398), (0, 400))])
    )
    sheet.weave(body, cloth)
    sheet.round_off(body, 22, 0.42, 0.12)
    for s in (1, -1):
        dart = curve((s * 44, 252), (s * 38, 330), (s * 34, 396))
        sheet.seam(body, dart, dark=0.4)
        sheet.darken(sheet.shape(ellipse(s * 38, 318, 28, 9), blur=8).within(body), 0.24)
        sheet.lighten(sheet.shape(ellipse(s * 36 - 6, 280, 18, 16), blur=10).within(body), 0.16)
        sheet.fold(body, (s * 84, 296), (s * 66, 312), (s * 46, 308), width=8, dark=0.25)
    belt = sheet.shape(
        symmetric([*curve((0, 388), (40, 386), (74, 383)), *curve((74, 402), (40, 406), (0, 408))])
    )
    sheet.paint(belt, (196, 142, 82))
    sheet.round_off(belt, 6, 0.36, 0.2)
    buckle = [(-12, 385), (12, 385), (12, 411), (-12, 411), (-12, 385)]
    sheet.paint(sheet.stroke(buckle, 3.4, even=True), (236, 206, 138))
    sheet.darken(sheet.stroke(curve((-44, 206), (0, 214), (44, 206)), 1, even=True).within(skirt), 0.1)
    return sheet


def knit_dress() -> Sheet:
    """A long rust-red knitted dress with long sleeves."""
    sheet = sheet_for(TALL, (210, 134, 930))
    rust: Colour = (186, 84, 50)
    cloth = knitted(plain(rust), stitch=3.6, relief=0.14)
    cut = Bodice(ease=9, neck_wide=30, neck_deep=184, hem=420, hem_wide=0, waist=0.75)
    sleeves = draw_sleeves(sheet, WOMAN, Sleeve(ease=(7, 9, 8), band=0.09), cloth, ribbed((172, 74, 42)))
    pleated = ribbed(rust, every=13)
    skirt = draw_skirt(
        sheet,
        skirt_half(72, 398, 112, 886, 150, sag=12),
        knitted(pleated, stitch=3.6, relief=0.1),
        pleats=7,
        dark=0.32,
    )
    draw_bodice(sheet, WOMAN, cut, cloth, sleeves=sleeves)
    sheet.darken(sheet.stroke(curve((-72, 420), (0, 428), (72, 420)), 5, blur=1.6).within(skirt), 0.5)
    _roll_neck(sheet, WOMAN.neck, ribbed((176, 78, 46), every=4.5))
    sheet.seam(skirt, curve((-150, 880), (-82, 890), (0, 892), (82, 890), (150, 880)), dark=0.3)
    return sheet
