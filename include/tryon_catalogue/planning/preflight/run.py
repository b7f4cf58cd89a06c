"""Preflight: every picture that an export asks for is fetched once and held to the vendor's rules, for free.

What was found stands in the ledger by address, so the next night asks each server only whether a picture has changed.
Where the settings ask for it, the pictures of models are also looked at for people; their small copies serve for that
as long as they are unchanged. It decides nothing: what a broken rule means for a look is said where looks are planned.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tryon_catalogue.exports import Rejection
from tryon_catalogue.ledger.images import ImageKey, KnownImage, load_images, store_images
from tryon_catalogue.pictures.archive import Archive
from tryon_catalogue.pictures.fetch import Manners, open_fetcher, shown
from tryon_catalogue.pictures.rules import ImageRole, ImageRule
from tryon_catalogue.planning.casting import Casting
from tryon_catalogue.planning.preflight.images import (
    MAX_INPUT_BYTES,
    Checked,
    PreflightLimits,
    check_urls,
)
from tryon_catalogue.planning.preflight.person_check import (
    PEOPLE_RULES,
    open_person_check,
    without_people,
)
from tryon_catalogue.planning.request import EVERYTHING, read_requested
from tryon_catalogue.planning.vetting import image_keys

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from sqlalchemy import Engine

    from tryon_catalogue.pictures.rules import Finding
    from tryon_catalogue.planning.preflight.person_check import PersonCheck
    from tryon_catalogue.planning.request import Request
    from tryon_catalogue.settings import Settings

log = logging.getLogger(__name__)

STORED_AT_ONCE = 50
"""Pictures after which what was found is committed, so that a killed task goes on from there."""
LONGEST_WAIT = 5.0
"""Seconds that one picture waits for its server's turn. It is put aside rather than hold up the others for longer."""
MAX_REPAIRABLE_BYTES = 30_000_000
"""The largest file that is fetched where one that is too large may be repaired."""


@dataclass(slots=True)
class Preflight:
    """What a preflight came to.

    Attributes:
        rows: Rows of the export that the run is asked for.
        images: Distinct pictures that the export asks for, each in each role.
        remembered: Those that were checked so lately that nobody was asked.
        unchanged: Those of which their server says that they are as they were.
        fetched: Those that were looked at.
        broken: Those of all of them that may not go to the vendor.
        repaired: Those of which the vendor gets a copy of ours.
        kept: Those whose server had no time, and of which the last check counts.
        busy: Those whose server had no time, and of which nothing is known.
    """

    rows: int = 0
    images: int = 0
    remembered: int = 0
    unchanged: int = 0
    fetched: int = 0
    broken: int = 0
    repaired: int = 0
    kept: int = 0
    busy: int = 0

    def as_json(self) -> dict[str, int]:
        """Give the counts as plain values, fit for an XCom."""
        return asdict(self)

    def __str__(self) -> str:
        counts = (
            f"{self.images} pictures: {self.remembered} checked lately, {self.unchanged} unchanged, "
            f"{self.fetched} fetched; {self.broken} break a rule, {self.repaired} repaired"
        )
        if not self.kept and not self.busy:
            return counts
        return (
            f"{counts}; servers were busy for {self.kept} that are known and {self.busy} that are not: "
            "the next run asks for them again"
        )


def preflight_run(
    engine: Engine,
    settings: Settings,
    export: str,
    request: Request = EVERYTHING,
    headers: Mapping[str, Mapping[str, str]] | None = None,
) -> Preflight:
    """Hold every picture that an export asks for to the vendor's rules, and remember what was found.

    Running it again asks only for what has not been asked lately.

    Args:
        settings: Columns, casting, how pictures are fetched, where copies of them are kept; as the request has them.
        headers: Host -> what it is sent beside the usual; secrets.

    Returns:
        Counts.

    Raises:
        tryon_catalogue.exports.ExportError: When the file cannot be read as an export at all.
        PersonCheckMissingError: When the settings ask for a check of people that this machine cannot make.
        tryon_catalogue.storage.StorageError: When the archive would take no pictures.
    """
    done = Preflight()
    archive = Archive(settings.archive)
    archive.check()
    people = (
        open_person_check(settings.preflight.person_check_rejects)
        if settings.preflight.person_check
        else None
    )
    manners = Manners(headers=headers or {}, longest_wait=LONGEST_WAIT)
    check = _Check(engine, settings, archive, done, people, manners)
    for images in images_of_export(settings, export, request):
        done.rows += images.rows
        done.images += len(images.keys)
        check.models |= images.models
        asyncio.run(check.check(images.keys))
    asyncio.run(check.check_again())
    return done


@dataclass(frozen=True, slots=True)
class ExportImages:
    """Pictures that some rows of an export ask for.

    Attributes:
        keys: Address and role of those that no earlier row asked for.
        models: Addresses of those that are to show a person, among others.
    """

    rows: int
    keys: set[ImageKey]
    models: frozenset[str]


def images_of_export(
    settings: Settings, export: str, request: Request = EVERYTHING
) -> Iterator[ExportImages]:
    """Give the pictures that an export asks for, chunk by chunk; each in each role once.

    Raises:
        tryon_catalogue.exports.ExportError: When the file cannot be read as an export at all.
    """
    seen: set[ImageKey] = set()
    for chunk in read_requested(request, export, settings):
        answers = map(Casting(settings).looks_of, chunk.garments)
        looks = [look for answer in answers if not isinstance(answer, Rejection) for look in answer]
        keys = {image for look in looks for image in image_keys(look)}
        yield ExportImages(chunk.rows, keys - seen, frozenset(look.model_image for look in looks))
        seen |= keys


@dataclass(slots=True)
class _Check:
    """The check of one run.

    Attributes:
        models: Addresses of pictures that are to show a person, among others.
        aside: Pictures whose server had no time yet, and which server that is.
    """

    engine: Engine
    settings: Settings
    archive: Archive
    done: Preflight
    people: PersonCheck | None
    manners: Manners
    models: set[str] = field(default_factory=set)
    aside: dict[ImageKey, Checked] = field(default_factory=dict)

    async def check(self, keys: Collection[ImageKey]) -> None:
        """Look at pictures and remember what was found, some at a time."""
        known = await asyncio.to_thread(self._known, keys)
        since = datetime.now(UTC) - timedelta(minutes=self.settings.preflight.recheck_minutes)
        recent = {
            key
            for key in keys
            # Its server is asked about a picture that shows people, for what was found may be of other settings.
            if key in known and _settled(known[key], since) and not self._shows_people(key)
        }
        self.done.remembered += len(recent)
        self.done.broken += sum(not known[key].good for key in recent)
        await self._ask(set(keys) - recent, known)

    async def check_again(self) -> None:
        """Ask those servers again that had no time, as long as a run may; then keep to what is known."""
        until = time.monotonic() + 60 * self.settings.preflight.busy_minutes
        paces = self.manners.paces
        while self.aside:
            pause = paces.seconds_until_open({found.busy for found in self.aside.values() if found.busy})
            if time.monotonic() + pause >= until:
                break
            log.info("%d pictures wait %.0f s for servers that are busy", len(self.aside), pause)
            await asyncio.sleep(pause)
            keys, self.aside = set(self.aside), {}
            await self._ask(keys, await asyncio.to_thread(self._known, keys))
        await asyncio.to_thread(self._keep_to_what_is_known)

    async def _ask(self, keys: Collection[ImageKey], known: Mapping[ImageKey, KnownImage]) -> None:
        settings = self.settings.preflight
        # What is to be repaired now has to be fetched, unchanged or not.
        to_ask = {
            key: found
            for key, found in known.items()
            if found.sha256
            and (found.good or not settings.repair)
            and not self._copy_is_gone(key, found.sha256)
        }
        limits = PreflightLimits(
            concurrency=settings.at_once,
            max_bytes=MAX_REPAIRABLE_BYTES if settings.repair else MAX_INPUT_BYTES,
            repair=settings.repair,
        )
        found: list[KnownImage] = []
        async with open_fetcher(
            self.settings.fetch, connections=settings.at_once, manners=self.manners
        ) as fetcher:
            async for checked in check_urls(sorted(keys), to_ask, fetcher, limits):
                if checked.busy is not None:
                    self.aside[checked.url, checked.role] = checked
                    continue
                found.append(await asyncio.to_thread(self._noted, checked, known))
                if len(found) >= STORED_AT_ONCE:
                    await asyncio.to_thread(self._store, found)
                    found = []
        await asyncio.to_thread(self._store, found)

    def _known(self, keys: Collection[ImageKey]) -> Mapping[ImageKey, KnownImage]:
        with self.engine.connect() as connection:
            return load_images(connection, keys)

    def _keep_to_what_is_known(self) -> None:
        """Let the last check of pictures count whose server is busy; the others are told to be waiting for it."""
        known = self._known(self.aside.keys())
        noted: list[KnownImage] = []
        for key, checked in self.aside.items():
            image = known.get(key)
            if image is None or image.sha256 is None:
                self.done.busy += 1
                noted.append(_kept(self.archive, checked))
                continue
            self.done.kept += 1
            if self.people is not None and self._shows_people(key):
                image = self._with_people(_without_people(image), self.people, None)
                noted.append(image)
            self.done.broken += not image.good
        self._store(noted)

    def _noted(self, checked: Checked, known: Mapping[ImageKey, KnownImage]) -> KnownImage:
        if checked.unchanged:
            image = _without_people(known[checked.url, checked.role])
            self.done.unchanged += 1
        else:
            image = _kept(self.archive, checked)
            self.done.fetched += 1
        if self.people is not None and self._shows_people((image.url, image.role)):
            image = self._with_people(image, self.people, checked.thumbnail)
        self.done.broken += not image.good
        self.done.repaired += image.used_url is not None
        return image

    def _shows_people(self, key: ImageKey) -> bool:
        """Whether a picture is to be looked at for people."""
        url, role = key
        return self.people is not None and role is ImageRole.PICTURE and url in self.models

    def _copy_is_gone(self, key: ImageKey, sha256: str) -> bool:
        """Whether a picture has to be fetched again for the check of people, because its small copy is missing."""
        return self._shows_people(key) and self.archive.read_input(sha256) is None

    def _with_people(self, image: KnownImage, people: PersonCheck, thumbnail: bytes | None) -> KnownImage:
        """Look for people in a picture that is good so far."""
        if not image.good or image.sha256 is None:
            return image
        small = thumbnail or self.archive.read_input(image.sha256)
        if small is None:
            log.warning("%s was not looked at for people: there is no small copy of it", shown(image.url))
            return image
        found = people.findings(small)
        image = replace(image, warnings=image.warnings + _warnings(found))
        rejection = next((finding for finding in found if finding.rejects), None)
        return image if rejection is None else _rejected(image, rejection)

    def _store(self, found: list[KnownImage]) -> None:
        with self.engine.begin() as connection:
            store_images(connection, found)


def _settled(image: KnownImage, since: datetime) -> bool:
    """Whether its server need not be asked: it was checked recently, and was there.

    What an earlier check of people rejected is asked about, for that check may be switched off by now.
    """
    checked_at = image.checked_at
    recheckable = {ImageRule.UNREACHABLE.value, ImageRule.BUSY.value, *(rule.value for rule in PEOPLE_RULES)}
    return checked_at is not None and checked_at > since and image.rule not in recheckable


def _without_people(image: KnownImage) -> KnownImage:
    """Give what is known of a picture without what was found of people in it."""
    rule, warnings = without_people(image.rule, image.warnings)
    if rule == image.rule:
        return replace(image, warnings=warnings)
    return replace(image, rule=None, measured=None, limit=None, advice=None, warnings=warnings)


def _warnings(findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(f"{finding.measured}: {finding.advice}" for finding in findings if not finding.rejects)


def _rejected(image: KnownImage, rejection: Finding) -> KnownImage:
    return replace(
        image,
        rule=rejection.rule.value,
        measured=rejection.measured,
        limit=rejection.limit,
        advice=rejection.advice,
    )


def _kept(archive: Archive, checked: Checked) -> KnownImage:
    """Keep copies of what was found, and give what is to be remembered of it."""
    facts, rejection = checked.facts, checked.rejection
    if facts is not None and checked.thumbnail is not None:
        archive.put_input(facts.sha256, checked.thumbnail)
    image = KnownImage(
        url=checked.url,
        role=checked.role,
        etag=checked.etag,
        last_modified=checked.last_modified,
        warnings=_warnings(checked.findings),
    )
    if facts is not None:
        image = replace(
            image,
            sha256=facts.sha256,
            format=facts.format,
            bytes=facts.bytes,
            width=facts.width,
            height=facts.height,
        )
    if facts is not None and checked.repaired is not None:
        copy = checked.repaired
        kept = archive.put_repaired(facts.sha256, copy.content, copy.facts.format or "")
        log.info("%s was repaired; the vendor gets %s", shown(checked.url), kept.url)
        return replace(image, width=copy.facts.width, height=copy.facts.height, used_url=kept.url)
    return image if rejection is None else _rejected(image, rejection)
