"""Draw the demo's catalogue: persons, garments and one mask, into `include/samples/images/`.

    python -m tests.tools.samples.draw [NAME ...]

Without names all pictures are drawn. The same code draws the same pictures; nothing is downloaded.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from tests.tools.samples.studio import garments, suits
from tests.tools.samples.studio.brush import FINENESS, Sheet
from tests.tools.samples.studio.people import Person, draw_person
from tests.tools.samples.studio.roster import ROSTER

IMAGES = Path(__file__).resolve().parents[3] / "include" / "samples" / "images"

GARMENTS: dict[str, Callable[[], Sheet]] = {
    "breton-tee": garments.breton_tee,
    "pocket-tee": garments.pocket_tee,
    "dot-blouse": garments.dot_blouse,
    "check-shirt": garments.check_shirt,
    "cable-sweater": garments.cable_sweater,
    "block-sweater": garments.block_sweater,
    "band-sweater": garments.band_sweater,
    "hoodie": garments.hoodie,
    "denim-jacket": garments.denim_jacket,
    "wrap-dress": garments.wrap_dress,
    "sheath-dress": garments.sheath_dress,
    "knit-dress": garments.knit_dress,
    "tweed-jacket": suits.tweed_jacket,
    "tweed-skirt": suits.tweed_skirt,
    "navy-blazer": suits.navy_blazer,
    "navy-trousers": suits.navy_trousers,
}
MASK = "mask-elin-sweater"
_MASK_MARGIN_PX = 7  # twice as far as the mask reaches beyond the sweater, and one


def drawings() -> dict[str, Callable[[], None]]:
    """Every picture by its file's stem, and how to draw it."""
    jobs: dict[str, Callable[[], None]] = {}
    for person in ROSTER:
        jobs[f"model-{person.name}"] = partial(_person, person)
    for name, garment in GARMENTS.items():
        jobs[name] = partial(_garment, name, garment)
    jobs[MASK] = _mask
    return jobs


def _person(person: Person) -> None:
    draw_person(person).save(IMAGES / f"model-{person.name}.jpg")


def _garment(name: str, garment: Callable[[], Sheet]) -> None:
    garment().save(IMAGES / f"{name}.jpg")


def _mask() -> None:
    """Where the three-coloured sweater may be painted on the last person: white, everything else black."""
    sheet = Sheet((900, 1200), ((0, 0, 0), (0, 0, 0)), axis=450, top=92)
    for outline in garments.block_sweater_outlines():
        sheet.paint(sheet.shape(outline), (255, 255, 255))
    grey = sheet.picture().convert("L").filter(ImageFilter.MaxFilter(_MASK_MARGIN_PX))
    hard = np.where(np.asarray(grey) > 127, 255, 0).astype(np.uint8)
    Image.fromarray(hard).save(IMAGES / f"{MASK}.png", optimize=True)


def main(names: list[str]) -> int:
    """Draw the pictures of these names, all without one; returns the exit code."""
    jobs = drawings()
    unknown = [name for name in names if name not in jobs]
    if unknown:
        sys.stderr.write(f"No picture is called {', '.join(unknown)}. There are: {', '.join(jobs)}.\n")
        return 2
    IMAGES.mkdir(exist_ok=True)
    for name in names or jobs:
        jobs[name]()
        sys.stdout.write(f"drew {name} at {FINENESS} times its size\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
