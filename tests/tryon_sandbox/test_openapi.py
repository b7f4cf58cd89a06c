"""The sandbox against its own OpenAPI description: made-up requests find no answer it does not document."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from tests.guards import GUARD

from tryon_sandbox.faults import Fault
from tryon_sandbox.server import running
from tryon_sandbox.settings import BadImage, Pictures, SandboxSettings
from tryon_sandbox.spoiling import Spoiling

API = ["/api/v1/tryon/submit", "/api/v1/tryon/query"]
CONTROL = [("/_sandbox/charges", "GET"), ("/_sandbox/faults", "GET"), ("/_sandbox/faults", "PUT")]
RESULT = ("/_results/{token}/{number}.jpg", "GET")
_bounded = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)


@pytest.fixture(scope="module")
def described(shared: Any) -> Any:
    """The description as a client would load it."""
    return schemathesis.openapi.from_url(f"{shared.running.url}/openapi.json")


@pytest.fixture(autouse=True)
def _no_faults_are_left(shared: Any) -> Iterator[None]:
    """Made-up calls of the control endpoint set faults that are asked for; the next test asked for none."""
    yield
    shared.running.set_faults()


def at_home(value: object, url: str) -> object:
    """The same value, its URLs turned to our own image server: no name of the world is looked up."""
    if isinstance(value, dict):
        return {key: at_home(inner, url) for key, inner in value.items()}
    if isinstance(value, list):
        return [at_home(inner, url) for inner in value]
    return url if isinstance(value, str) and "//" in value else value


@pytest.fixture(scope="module")
def lenient(wardrobe: Any, shared: Any) -> Iterator[Any]:
    """A caller of a sandbox that accepts what has unfit images."""
    settings = SandboxSettings(
        pictures=Pictures.PLAIN,
        latency=0,
        submit_rate=0,
        query_rate=0,
        concurrency=0,
        bad_image=BadImage.FAIL,
        image_timeout=1,
    )
    with running(settings) as served:
        yield type(shared)(served, wardrobe)


@pytest.mark.parametrize("who", ["shared", "lenient"])
@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("path", API)
def test_made_up_calls_of_the_api_are_answered_as_documented(
    described: Any,
    request: pytest.FixtureRequest,
    wardrobe: Any,
    *,
    path: str,
    mode: GenerationMode,
    who: str,
) -> None:
    caller = request.getfixturevalue(who)
    numbers = itertools.count()

    @_bounded
    @given(case=described[path]["POST"].as_strategy(generation_mode=mode))
    def try_out(case: Any) -> None:
        case.body = at_home(case.body, wardrobe.model)
        case.headers = caller.headers(**{"X-Ca-Nonce": f"{path}-{mode}-{next(numbers)}"})
        response = case.call(base_url=caller.running.url, timeout=GUARD)
        checks: list[Callable[..., Any]] = [not_a_server_error, status_code_conformance]
        if response.content:  # the gateway's errors have no body to look at
            checks.append(response_schema_conformance)
        case.validate_response(response, checks=checks)

    try_out()


@pytest.mark.parametrize(
    ("path", "method", "mode"),
    [
        *[(*place, GenerationMode.POSITIVE) for place in (*CONTROL, RESULT)],
        ("/_sandbox/faults", "PUT", GenerationMode.NEGATIVE),  # nothing could be wrong with the others
    ],
)
def test_made_up_calls_of_results_and_control_are_answered_as_documented(
    described: Any, path: str, method: str, mode: GenerationMode
) -> None:
    @_bounded
    @given(case=described[path][method].as_strategy(generation_mode=mode))
    def try_out(case: Any) -> None:
        checks = [not_a_server_error, status_code_conformance, response_schema_conformance]
        case.call_and_validate(checks=checks, timeout=GUARD)

    try_out()


def test_the_description_names_every_status_of_the_document_and_both_ways_to_authenticate(
    shared: Any,
) -> None:
    described = requests.get(f"{shared.running.url}/openapi.json", timeout=GUARD).json()

    for path in API:
        operation = described["paths"][path]["post"]
        assert set(operation["responses"]) >= {"200", "400", "401", "403", "404", "500"}
        assert "23500007" in operation["responses"]["400"]["description"]
        assert operation["security"] == [{"AppCode": []}, {"Signature": []}]
        assert operation["requestBody"]["required"]
    kinds = described["paths"]["/_sandbox/faults"]["put"]["requestBody"]["content"]["application/json"][
        "schema"
    ]
    union, *_ = get_args(Fault)
    described_kinds = {one["$ref"].rpartition("/")[2] for one in kinds["items"]["oneOf"]}
    assert described_kinds == {kind.__name__ for kind in get_args(union)}
    schemas = described["components"]["schemas"]
    assert set(schemas["Spoiling"]["enum"]) == {each.value for each in Spoiling}
