"""Is a picture that came back good enough to show? Judged by figures, without a model of what people look like.

A look's pictures are held to its own inputs: the model's picture and the garments'. What is measured is in `measures`,
the limits and the words are in `checks`, and `verdict` puts them together.
"""

from tryon_catalogue.publishing.judgement.checks import Check, CheckResult
from tryon_catalogue.publishing.judgement.pictures import Shrunk
from tryon_catalogue.publishing.judgement.reference import Inputs
from tryon_catalogue.publishing.judgement.verdict import Judgement, Score, judge

__all__ = ["Check", "CheckResult", "Inputs", "Judgement", "Score", "Shrunk", "judge"]
