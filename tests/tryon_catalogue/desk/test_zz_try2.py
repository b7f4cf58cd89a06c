from tests.tryon_catalogue.desk.shop_floor import *
from tests.tryon_catalogue.reporting.report.books import *
import random


def test_rej(open_page, engine, settings):
    ks = furnish(
        engine,
        settings,
        [Piece(f"TS-{n}", collection=("AW26", "SS26", "")[n % 3], made=()) for n in range(30)],
    )
    for d in range(50):
        if d % 7 == 3:
            continue
        at = START - timedelta(days=d)
        k = random.Random(d).randint(1, 30)
        write_submission(
            engine, ks[:k], "COLLECTED" if d % 11 else "IN_DOUBT", uses=k, intended_at=at, answered_at=at
        )
    for w, s in ((1400, "light"), (1000, "dark"), (390, "dark")):
        for page in ("money", "money?by=run", "money?by=collection"):
            p = open_page(page, width=w, color_scheme=s)
            p.screenshot(path=f"/tmp/shots/{page.replace('?', '-')}-{w}-{s}.png", full_page=False)
