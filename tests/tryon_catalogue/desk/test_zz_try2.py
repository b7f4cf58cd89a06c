from tests.tryon_catalogue.desk.shop_floor import *
from tests.tryon_catalogue.reporting.report.books import *
from tests.tryon_catalogue.desk.test_zz_try import real


def test_rej(open_page, engine, settings):
    pcs = {"00123": real("mei", "breton-tee"), "SH-0310": real("leo", "check-shirt", 1)}
    furnish(
        engine,
        settings,
        [
            Piece("00123", title="海魂衫条纹T恤 Breton Stripe Tee", made=("", "colour"), before=1),
            Piece("SH-0310", title="Blue Gingham Shirt", model="Leo"),
            Piece("TS-4", made=()),
        ]
        + [
            Piece(
                f"TS-{n}", collection="AW26", state="FAILED" if n % 2 else "PUBLISHED", made=(), before=n % 2
            )
            for n in range(5, 19)
        ],
        pcs,
    )
    for w, s in ((1400, "light"), (390, "dark")):
        for page in ("garments", "garment?sku=00123", "garment?sku=TS-5"):
            p = open_page(page, width=w, color_scheme=s)
            p.screenshot(path=f"/tmp/shots/{page.replace('?', '-')}-{w}-{s}.png", full_page=True)
