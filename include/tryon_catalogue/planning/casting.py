"""Casting: which looks a garment gives, by the rules and the roster of the settings.

Equal garments and settings give equal looks in equal order: the rules as they stand in the file, then the models as
they stand in the roster.
"""

from collections.abc import Sequence

from tryon_catalogue.exports import Garment, Rejection, Rule, printable, with_place
from tryon_catalogue.looks import Look
from tryon_catalogue.settings import ANY_CATEGORY, CastingRule, Pants, RosterModel, Settings, normal_name


def cast(garment: Garment, settings: Settings) -> tuple[Look, ...] | Rejection:
    """Give the looks of a garment.

    A row that names a person's picture is cast on that one alone, with the row's mask if it has one. Any
    other is cast on each model of the roster that has the rule's tag or, when the rule has none, the row's
    own. A row's mask without a person's picture is left out: it would be a mask of some other picture.

    Returns:
        One look or more; or why there can be none.
    """
    columns = settings.export.columns
    rule = rule_for(garment.category, settings.rules)
    if rule is None:
        known = ", ".join(sorted({category for rule in settings.rules for category in rule.categories}))
        reason = (
            f"No casting rule is for this category; there are rules for {known}. Correct the row's category, "
            "or add a [[rules]] entry to the settings."
        )
        return _rejected(garment, Rule.UNKNOWN_CATEGORY, columns.category, garment.category, reason)
    pants = None if rule.pants is Pants.NEVER else garment.pants_image
    if rule.pants is Pants.REQUIRED and pants is None:
        reason = (
            f"The category {printable(garment.category)!r} is worn with trousers or a skirt, and the row has no "
            "picture of them. Give its URL, or change the rule's pants in the settings."
        )
        return _rejected(garment, Rule.MISSING_PANTS, columns.pants_image or "pants_image", "", reason)

    def look(model: str, image: str, mask: str | None) -> Look:
        return Look(
            fit_type=rule.fit_type,
            inference_num=rule.inference_num,
            model=model,
            model_image=image,
            tops_image=garment.tops_image,
            pants_image=pants,
            mask_image=mask,
        )

    if garment.model_image is not None:
        return (look("", garment.model_image, garment.mask_image),)
    models = _models_for(garment, rule, settings)
    if isinstance(models, Rejection):
        return models
    url = settings.roster.url
    return tuple(
        look(model.name, url(model.image), None if model.mask_image is None else url(model.mask_image))
        for model in models
    )


def rule_for(category: str, rules: Sequence[CastingRule]) -> CastingRule | None:
    """Give the rule that counts for a category: the first that names it; None when there is none."""
    name = normal_name(category)
    return next((rule for rule in rules if name in rule.categories or ANY_CATEGORY in rule.categories), None)


def _models_for(garment: Garment, rule: CastingRule, settings: Settings) -> Sequence[RosterModel] | Rejection:
    roster, column = settings.roster, settings.export.columns.tag
    if rule.tag is None and column is None:
        # The shop tags nothing: the whole roster counts.
        models, reason = roster.models, "The roster is empty. Add [[roster.models]] to the settings."
    elif rule.tag is None and not garment.tag:
        # Not the whole roster: a forgotten tag must not be the dearest one.
        models, reason = (
            (),
            f"The row has no {column}, which chooses the models. Give it one of the roster's tags.",
        )
    else:
        tag = normal_name(rule.tag or garment.tag)
        models = tuple(model for model in roster.models if tag in model.tag_names)
        tags = ", ".join(sorted({tag for model in roster.models for tag in model.tag_names})) or "none"
        reason = (
            f"No model of the roster has the tag {printable(rule.tag or garment.tag)!r}; its tags are {tags}. "
            "Correct the row, or add the tag to a model in the settings."
        )
    return models or _rejected(garment, Rule.NO_MODEL, column or "", garment.tag, reason)


def _rejected(garment: Garment, rule: Rule, column: str, value: str, reason: str) -> Rejection:
    return Rejection(
        garment.line,
        garment.sku,
        rule,
        column,
        printable(value),
        with_place(garment.where, reason),
        garment.collection,
    )
