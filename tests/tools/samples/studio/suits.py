"""The two-piece garments of the demo's catalogue: each part a flat picture of its own.

It must not know which look they become.
"""

from tests.tools.samples.studio.brush import Colour, Mask, Points, Sheet, curve, flipped, symmetric, tube
from tests.tools.samples.studio.people import MAN, WOMAN
from tests.tools.samples.studio.tailoring import (
    Bodice,
    Sleeve,
    draw_bodice,
    draw_buttons,
    draw_collar,
    draw_skirt,
    draw_sleeves,
    sheet_for,
    skirt_half,
)
from tests.tools.samples.studio.weaves import plain, ribbed, tweed

NAVY: Colour = (40, 54, 92)
_SHADE: Colour = (206, 208, 214)  # the ground for cloth with nearly white trimming
_TWEED = tweed((240, 196, 196), (252, 240, 234), (206, 120, 138), (120, 90, 120))


def navy_blazer() -> Sheet:
    """A man's navy jacket over a shirt and a tie."""
    sheet = sheet_for((1000, 1000), (234, 130, 570))
    cloth = plain(NAVY, grain=0.02)
    cut = Bodice(
        ease=13,
        neck_wide=34,
        neck_deep=362,
        v_neck=True,
        hem=532,
        hem_wide=13,
        waist=0.9,
        boxy=0.25,
        hem_sag=8,
    )
    shirt = sheet.shape(symmetric([(0, 178), *curve((30, 152), (36, 170), (60, 240), (14, 372)), (0, 376)]))
    sleeves = draw_sleeves(sheet, MAN, Sleeve(ease=(8, 10, 8)), cloth)
    sheet.paint(shirt, (247, 248, 250))
    tie = sheet.shape(
        symmetric([*curve((0, 200), (9, 202)), *curve((9, 202), (6, 216), (14, 330), (10, 380)), (0, 384)])
    )
    sheet.weave(tie, ribbed((150, 40, 52), every=9), turn=35)
    sheet.round_off(tie, 5, 0.4, 0.14)
    body = draw_bodice(sheet, MAN, cut, cloth, sleeves=sleeves, folds=0.8)
    draw_collar(sheet, MAN, plain((250, 251, 252)), front=199, point=27)
    for side in (-1, 1):
        lapel = sheet.shape(
            curve((side * 33, 158), (side * 24, 230), (side * 2, 362))
            + curve((side * 2, 364), (side * 40, 300), (side * 70, 236))
            + [(side * 72, 232), (side * 58, 218), (side * 66, 206)]
            + curve((side * 66, 206), (side * 52, 172), (side * 38, 152), (side * 33, 158))
        )
        sheet.darken(sheet.softened(lapel, 3.5, (1.5, 3)).without(lapel).within(body), 0.5)
        sheet.paint(lapel, (46, 62, 104))
        sheet.round_off(lapel, 6, 0.34, 0.1)
        sheet.seam(lapel, [(side * 58, 218), (side * 30, 206)], dark=0.7)
        sheet.seam(body, curve((side * 74, 290), (side * 70, 390), (side * 74, 440)), dark=0.4)
        welt = sheet.shape([(side * 42, 436), (side * 92, 430), (side * 92, 446), (side * 42, 452)])
        sheet.darken(sheet.softened(welt, 2, (0.6, 2)).without(welt).within(body), 0.5)
        sheet.paint(welt, (46, 62, 104))
        sheet.round_off(welt, 4, 0.3, 0.1)
        wrist = MAN.arm[2]
        spots: Points = [(side * (wrist[0] + 10 - k * 3.5), wrist[1] - 10 - k * 12) for k in range(3)]
        draw_buttons(sheet, spots, (28, 34, 56), radius=2.6)
    sheet.paint(sheet.shape([(50, 288), (86, 280), (87, 290), (51, 298)]).within(body), (46, 62, 104))
    square = sheet.shape([(54, 288), (60, 272), (68, 282), (76, 268), (83, 283), (83, 284)])
    sheet.paint(square, (250, 250, 250))
    sheet.round_off(square, 3, 0.2)
    sheet.darken(sheet.stroke(curve((2, 362), (5, 440), (18, 538)), 3, blur=0.8, even=True).within(body), 0.6)
    draw_buttons(sheet, [(-6, 378), (-5, 420)], (26, 32, 54), radius=5)
    return sheet


def navy_trousers() -> Sheet:
    """The trousers to the navy jacket."""
    sheet = sheet_for((900, 1200), (150, 396, 972))
    cloth = plain(NAVY, grain=0.02)
    b = MAN
    halves = [b.thigh + 9, b.thigh * 0.87 + 9, b.knee + 11, b.calf + 5, b.ankle + 13]
    leg = tube(b.leg_line(), halves)
    top = symmetric(
        [
            (0, 404),
            *curve((b.waist + 4, 402), (b.hip + 3, 448), (b.hip + 11, 502), (b.hip + 11, 556)),
            (1, 556),
        ]
    )
    trousers = sheet.shape(top, leg, flipped(leg))
    sheet.weave(trousers, cloth)
    sheet.round_off(trousers, 20, 0.3, 0.08)
    below = sheet.shape([(-160, 590), (160, 590), (160, 1010), (-160, 1010)], blur=24)
    for outline in (leg, flipped(leg)):
        part = sheet.shape(outline)
        turned = sheet.softened(part, 17, (-15, 0))
        sheet.darken(Mask(part.left, part.top, part.cover * (1 - turned.on(part))).within(below), 0.36)
    for side in (1, -1):
        sheet.darken(
            sheet.stroke(curve((side * 2, 548), (side * 6, 620), (side * 12, 740)), 16, blur=6).within(
                trousers
            ),
            0.34,
        )
    for side in (1, -1):
        crease = curve((side * 50, 450), (side * 53, 610), (side * 51, 740), (side * 49, 950))
        sheet.lighten(sheet.stroke(crease, 3, blur=1.4, even=True).within(trousers), 0.1)
        sheet.darken(
            sheet.stroke([(x + 4, y) for x, y in crease], 5, blur=2.2, even=True).within(trousers), 0.26
        )
        sheet.fold(trousers, (side * 3, 556), (side * 26, 548), (side * 52, 532), width=10, dark=0.26)
        sheet.fold(trousers, (side * 14, 596), (side * 34, 590), (side * 52, 596), width=8, dark=0.26)
        sheet.fold(trousers, (side * 30, 742), (side * 50, 752), (side * 74, 744), width=9, dark=0.22)
        sheet.fold(trousers, (side * 34, 900), (side * 50, 910), (side * 70, 902), width=8, dark=0.24)
        sheet.fold(trousers, (side * 36, 930), (side * 50, 938), (side * 68, 932), width=8, dark=0.24)
        sheet.seam(
            trousers, curve((side * (b.waist - 18), 424), (side * (b.hip + 4), 478)), width=1.8, dark=0.6
        )
    sheet.seam(trousers, curve((0, 424), (-1, 500), (0, 556)), width=2, dark=0.6)
    band = sheet.shape(symmetric([(0, 404), (b.waist + 4, 402), (b.waist + 6, 420), (0, 425)]))
    sheet.paint(band, (46, 62, 104))
    sheet.round_off(band, 6, 0.3, 0.1)
    for x in (-60, -26, 26, 60):
        loop = sheet.shape([(x - 3, 404), (x + 3, 404), (x + 3, 426), (x - 3, 426)])
        sheet.paint(loop, (36, 48, 84))
        sheet.round_off(loop, 2, 0.4, 0.1)
    draw_buttons(sheet, [(0, 414)], (26, 32, 54), radius=4)
    return sheet


def tweed_jacket() -> Sheet:
    """A woman's short jacket of pink tweed."""
    sheet = sheet_for((1000, 1000), (206, 156, 520), _SHADE)
    cut = Bodice(ease=12, neck_wide=34, neck_deep=202, hem=468, hem_wide=10, boxy=0.55, hem_sag=4)
    sleeves = draw_sleeves(
        sheet, WOMAN, Sleeve(end=0.97, ease=(8, 10, 9), band=0.03), _TWEED, ribbed((250, 244, 236), every=3)
    )
    body = draw_bodice(sheet, WOMAN, cut, _TWEED, sleeves=sleeves, folds=0.8)
    trim = ribbed((250, 244, 236), every=3)
    half = curve((0, 202), (20, 198), (32, 184), (34, 168))
    lines: list[Points] = [
        [*flipped(half)[::-1], *half],
        [(0, 202), (0, 472)],
        curve((-104, 466), (0, 470), (104, 466)),
        [(30, 300), (72, 298)],
        [(-30, 300), (-72, 298)],
        [(30, 400), (76, 398)],
        [(-30, 400), (-76, 398)],
    ]
    for line in lines:
        band = sheet.stroke(line, 8.5, even=True)
        sheet.darken(sheet.softened(band, 1.6, (0.6, 1.6)).within(body), 0.4)
        sheet.weave(band, trim, turn=0)
        sheet.round_off(band, 3, 0.3)
    sheet.seam(body, [(0, 204), (0, 472)], width=1.4, dark=0.6)
    gold: Colour = (226, 184, 98)
    draw_buttons(sheet, [(-11, y) for y in (226, 286, 346, 406, 452)], gold, radius=4.6)
    draw_buttons(sheet, [(x, y) for x in (-51, 51) for y in (307, 407)], gold, radius=3.4)
    return sheet


def tweed_skirt() -> Sheet:
    """The skirt to the tweed jacket."""
    sheet = sheet_for((900, 1200), (150, 390, 748), _SHADE)
    skirt = draw_skirt(sheet, skirt_half(70, 398, 106, 722, 120, sag=9), _TWEED, pleats=4, dark=0.2)
    trim = sheet.stroke(curve((-120, 717), (-60, 726), (0, 727), (60, 726), (120, 717)), 8, even=True).within(
        skirt
    )
    sheet.weave(trim, ribbed((250, 244, 236), every=3))
    band = sheet.shape(symmetric([*curve((0, 400), (70, 396)), *curve((73, 414), (0, 419))]))
    sheet.weave(band, ribbed((250, 244, 236), every=3))
    sheet.round_off(band, 6, 0.34, 0.1)
    draw_buttons(sheet, [(34, y) for y in (442, 486, 530, 574)], (226, 184, 98), radius=4.4)
    sheet.seam(skirt, curve((34, 420), (38, 520), (42, 722)), dark=0.5)
    return sheet
