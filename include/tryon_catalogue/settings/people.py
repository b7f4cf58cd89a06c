"""People: where the account of a run is shown to them, and who is told when something waits for them.

Sections of the settings; ``settings`` puts them together and says where they are read.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from tryon_catalogue.settings.types import OptionalName, Section

SECRET_WORDS = ("password", "secret", "token", "api_key", "webhook")


def _check_class_path(path: str | None) -> str | None:
    if path is not None and not ("." in path and all(part.isidentifier() for part in path.split("."))):
        raise ValueError('the dotted path of a class is expected, such as "package.module.Notifier"')
    return path


def _check_no_secrets(kwargs: dict[str, Any]) -> dict[str, Any]:
    secret = sorted(name for name in kwargs if any(word in name.lower() for word in SECRET_WORDS))
    if secret:
        raise ValueError(f"{', '.join(secret)}: a secret belongs in the Airflow connection of the notifier")
    return kwargs


ClassPath = Annotated[OptionalName, AfterValidator(_check_class_path)]
"""The dotted path of a class; "" is taken for "left out"."""


class NotesSettings(Section):
    """The account of a run as a note on it in the Airflow UI."""

    conn_id: OptionalName = Field(
        None, description="Airflow connection of Airflow's own REST API; empty for no notes"
    )


class AlertSettings(Section):
    """Who is told of doubts, stop signals and late runs, each once for a run."""

    notifier: ClassPath = Field(None, description="class path of an Airflow notifier; empty for no alerts")
    kwargs: Annotated[dict[str, Any], AfterValidator(_check_no_secrets)] = Field(
        default_factory=dict,
        description="its arguments; {{ alert.subject }}, {{ alert.text }}, {{ alert.html }} may stand in them",
    )
    late_after_minutes: float = Field(
        360, gt=0, description="minutes after which a run that has no account yet counts as late"
    )
    timeout_seconds: float = Field(30, gt=0, description="seconds the notifier may take")
