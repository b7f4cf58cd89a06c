"""What this package registers with Airflow: its connection type with the form's fields, and its links.

Airflow calls ``get_provider_info`` in each of its processes (entry point ``apache_airflow_provider``), so
nothing of the package is imported here. The form's fields are those that ``damo_tryon.connection`` reads. The
results page is no part of it: Airflow loads the plugins named here only with ``lazy_discover_providers``
switched off, so that one has an entry point of its own (``airflow.plugins``).
"""

from __future__ import annotations

from typing import Any, Final

_INTEGRATION: Final = "Alibaba DAMO virtual try-on"


def get_provider_info() -> dict[str, Any]:
    """Return the description that Airflow's providers manager reads (``provider_info.schema.json``)."""
    return {
        "package-name": "airflow-damo-tryon",
        "name": _INTEGRATION,
        "description": "Pictures of garments worn by models, made by Alibaba DAMO's virtual try-on API.",
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://market.aliyun.com/apimarket/detail/cmapi00067129",
                "tags": ["service"],
            }
        ],
        "hooks": [_modules("damo_tryon.hooks")],
        "operators": [_modules("damo_tryon.operators")],
        "sensors": [_modules("damo_tryon.sensors")],
        "triggers": [_modules("damo_tryon.triggers")],
        "extra-links": ["damo_tryon.operators.TryOnResultsLink"],
        "connection-types": [
            {
                "connection-type": "damo_tryon",
                "hook-class-name": "damo_tryon.hooks.DamoTryOnHook",
                "hook-name": "Alibaba DAMO try-on",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "extra"],
                    "relabeling": {
                        "login": "AppKey (signature only)",
                        "password": "AppCode or AppSecret",
                    },
                    "placeholders": {
                        "host": "https://damotryon.market.alicloudapi.com",
                        "port": "leave empty for the scheme's own",
                        "login": "leave empty to authenticate with an AppCode",
                        "password": "AppCode; with an AppKey, its AppSecret",
                    },
                },
                "conn-fields": _CONNECTION_FIELDS,
            }
        ],
    }


def _modules(*names: str) -> dict[str, Any]:
    return {"integration-name": _INTEGRATION, "python-modules": list(names)}


_CONNECTION_FIELDS: Final[dict[str, Any]] = {
    "auth": {
        "label": "Authentication",
        "description": "Default: signature when there is an AppKey, else appcode.",
        "schema": {"type": ["string", "null"], "enum": ["appcode", "signature"]},
    },
    "signature_method": {
        "label": "Signature method",
        "description": "Only with a signature. Default: HmacSHA256.",
        "schema": {"type": ["string", "null"], "enum": ["HmacSHA256", "HmacSHA1"]},
    },
    "stage": {
        "label": "Stage",
        "description": "Environment of the gateway, only with a signature. Default: RELEASE.",
        "schema": {"type": ["string", "null"], "enum": ["RELEASE", "PRE", "TEST"]},
    },
    "connect_timeout": {
        "label": "Connect timeout (seconds)",
        "description": "Default: 10. Running out of it is safe: nothing was sent.",
        "schema": {"type": ["number", "null"], "minimum": 0.1, "maximum": 3600},
    },
    "read_timeout": {
        "label": "Read timeout (seconds)",
        "description": "Default: 60. A submission whose answer is given up on is in doubt: be generous.",
        "schema": {"type": ["number", "null"], "minimum": 0.1, "maximum": 3600},
    },
    "internal_error_is_refusal": {
        "label": "Internal errors prove refusal",
        "description": (
            "Whether the vendor's code 23500000 proves that a submission was not accepted. "
            "Its document does not say so. Default: no."
        ),
        "schema": {"type": ["boolean", "null"], "default": False},
    },
}
