"""Casting: which looks a garment gives, by the rules and the roster of the settings.

Equal garments and settings give equal looks in equal order: the rules as they stand in the file, then the models as
they stand in the roster.
"""

from collections.abc import Sequence

from tryon_catalogue.exports import Garment, Rejection, Rule, printable, with_place
from tryon_catalogue.looks import Look
from tryon_catalogue.settings import ANY_CATEGORY, CastingRule, Pants, RosterModel, Settings, normal_name
from tryon_catalogue.settings.export import listed

_Cast = tuple[str, str, str | None]
"""Name, picture and mask of a model."""


class Casting:
    """Casts the garments of a chunk. It remembers what a category and a tag come to: most garments share theirs.

    Args:
        settings: Rules and roster.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rules: dict[str, CastingRule | None] = {}
        self._models: dict[tuple[str | None, str], tuple[_Cast, ...]] = {}

    def looks_of(self, garment: Garment) -> tuple[Look, ...] | Rejection:
        """Give the looks of a garment.

        A row that names a person's picture is cast on that one alone, with the row's mask if it has one. Any
        other is cast on each model of the roster that has the rule's tag or, when the rule has none, the row's
        own. A row's mask without a person's picture is left out: it would be a mask of some other picture.

        Returns:
            One look or more; or why there can be none.
        """
        rule = self._rule(garment.category)
        if rule is None:
            return self._no_rule(garment)
        pants = None if rule.pants is Pants.NEVER else garment.pants_image
        if rule.pants is Pants.REQUIRED and pants is None:
            return self._no_pants(garment)
        if garment.model_image is not None:
            models: tuple[_Cast, ...] = (("", garment.model_image, garment.mask_image),)
        else:
            models = self._models_for(rule, garment.tag)
        if not models:
            return self._no_model(garment, rule)
        return tuple(
            Look(
                fit_type=rule.fit_type,
                inference_num=rule.inference_num,
                model=model,
                model_image=image,
                tops_image=garment.tops_image,
                pants_image=pants,
                mask_image=mask,
            )
            for model, image, mask in models
        )

    def _rule(self, category: str) -> CastingRule | None:
        if category not in self._rules:
            self._rules[category] = rule_for(category, self._settings.rules)
        return self._rules[category]

    def _models_for(self, rule: CastingRule, tag: str) -> tuple[_Cast, ...]:
        """Give the models of the roster for a rule and a row's own tag; none where that means none."""
        if (rule.tag, tag) not in self._models:
            roster, url = self._settings.roster, self._settings.roster.url
            self._models[rule.tag, tag] = tuple(
                (model.name, url(model.image), None if model.mask_image is None else url(model.mask_image))
                for model in roster.models
                if self._fits(model, rule, tag)
            )
        return self._models[rule.tag, tag]

    def _fits(self, model: RosterModel, rule: CastingRule, tag: str) -> bool:
        if rule.tag is None and self._settings.export.columns.tag is None:
            return True  # the shop tags nothing: the whole roster counts
        # Not the whole roster where there is none: a forgotten tag must not be the dearest one.
        tag = rule.tag or tag
        return bool(tag) and normal_name(tag) in model.tag_names

    def _no_rule(self, garment: Garment) -> Rejection:
        known = ", ".join(sorted({category for rule in self._settings.rules for category in rule.categories}))
        reason = (
            f"No casting rule is for this category; there are rules for {known}. Correct the row's category, "
            "or add a [[rules]] entry to the settings."
        )
        column = listed(self._settings.export.columns.category)
        return _rejected(garment, Rule.UNKNOWN_CATEGORY, column, garment.category, reason)

    def _no_pants(self, garment: Garment) -> Rejection:
        reason = (
            f"The category {printable(garment.category)!r} is worn with trousers or a skirt, and the row has no "
            "picture of them. Give its URL, or change the rule's pants in the settings."
        )
        column = self._settings.export.columns.pants_image or "pants_image"
        return _rejected(garment, Rule.MISSING_PANTS, column, "", reason)

    def _no_model(self, garment: Garment, rule: CastingRule) -> Rejection:
        models, column = self._settings.roster.models, listed(self._settings.export.columns.tag)
        if rule.tag is None and not column:
            reason = "The roster is empty. Add [[roster.models]] to the settings."
        elif rule.tag is None and not garment.tag:
            reason = f"The row has no {column}, which chooses the models. Give it one of the roster's tags."
        else:
            tags = ", ".join(sorted({tag for model in models for tag in model.tag_names})) or "none"
            reason = (
                f"No model of the roster has the tag {printable(rule.tag or garment.tag)!r}; its tags are {tags}. "
                "Correct the row, or add the tag to a model in the settings."
            )
        return _rejected(garment, Rule.NO_MODEL, column, garment.tag, reason)


def rule_for(category: str, rules: Sequence[CastingRule]) -> CastingRule | None:
    """Give the rule that counts for a category: the first that names it; None when there is none."""
    name = normal_name(category)
    return next((rule for rule in rules if name in rule.categories or ANY_CATEGORY in rule.categories), None)


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
