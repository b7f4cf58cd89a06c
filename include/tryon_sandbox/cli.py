"""The `sandbox` command: the stand-in vendor on its own, for people and for other processes.

`app` is a typer application of its own; another one can take the function `sandbox` as a command.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tryon_sandbox.app import SUBMIT_PATH
from tryon_sandbox.fault_list import FaultsError, read_faults
from tryon_sandbox.faults import Fault
from tryon_sandbox.sandbox import Sandbox
from tryon_sandbox.server import SandboxServer, listen, url_of
from tryon_sandbox.settings import BadImage, FailedLooks, Pictures, SandboxSettings, Use

app = typer.Typer(add_completion=False, help="The stand-in vendor.")

_DEFAULTS = SandboxSettings()


@app.command()
def sandbox(  # noqa: PLR0917 - typer reads them as options, nobody passes them by place
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 0,
    latency: Annotated[float, typer.Option(min=0, help="Seconds a sub-task runs.")] = _DEFAULTS.latency,
    appcode: Annotated[str | None, typer.Option(help="Accepted AppCode; random when not given.")] = None,
    appkey: Annotated[str | None, typer.Option(help="Accepted AppKey; random when not given.")] = None,
    appsecret: Annotated[str | None, typer.Option(help="Its AppSecret; random when not given.")] = None,
    account_credits: Annotated[
        int | None, typer.Option("--credits", min=0, help="Uses in the account; endless when not given.")
    ] = None,
    use: Annotated[Use, typer.Option(help="What one use is that is charged.")] = _DEFAULTS.use,
    failed: Annotated[
        FailedLooks, typer.Option(help="What a sub-task costs that FAILED: charged or free.")
    ] = _DEFAULTS.failed,
    submit_rate: Annotated[
        float, typer.Option(min=0, help="Submissions a second; 0 is unlimited.")
    ] = _DEFAULTS.submit_rate,
    query_rate: Annotated[
        float, typer.Option(min=0, help="Queries a second; 0 is unlimited.")
    ] = _DEFAULTS.query_rate,
    concurrency: Annotated[
        int, typer.Option(min=0, help="Sub-tasks running at once; 0 is unlimited.")
    ] = _DEFAULTS.concurrency,
    url_life: Annotated[float, typer.Option(min=0, help="Seconds a result link works.")] = _DEFAULTS.url_life,
    bad_image: Annotated[
        BadImage, typer.Option(help="What an unfit image does: refuse the submission or fail its sub-task.")
    ] = _DEFAULTS.bad_image,
    pictures: Annotated[
        Pictures, typer.Option(help="How result pictures are made: drawn, or plain ones in no time.")
    ] = _DEFAULTS.pictures,
    strict_nonce: Annotated[
        bool, typer.Option("--strict-nonce", help="Refuse every nonce seen before, under AppCode too.")
    ] = False,
    image_timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds one image may take to arrive.")
    ] = _DEFAULTS.image_timeout,
    seed: Annotated[int, typer.Option(help="Seed of faults with a probability.")] = _DEFAULTS.seed,
    faults: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="JSON list of faults to begin with.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(dir_okay=False, help="File to keep everything in, and to go on from.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON with url, appcode, appkey and appsecret.")
    ] = False,
) -> None:
    """Serve the stand-in vendor until SIGINT or SIGTERM."""
    try:
        settings = SandboxSettings(
            appcode=appcode,
            appkey=appkey,
            appsecret=appsecret,
            latency=latency,
            credits=account_credits,
            use=use,
            failed=failed,
            submit_rate=submit_rate,
            query_rate=query_rate,
            concurrency=concurrency,
            url_life=url_life,
            bad_image=bad_image,
            pictures=pictures,
            strict_nonce=strict_nonce,
            image_timeout=image_timeout,
            state=state,
            seed=seed,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    planned = _read_faults(faults)
    try:
        bound = listen(host, port)
    except OSError as error:
        raise typer.BadParameter(f"cannot listen on {host}:{port}: {error.strerror}") from error
    with bound, _sandbox(settings, planned) as served:
        server = SandboxServer(served)
        typer.echo(_json_line(url_of(bound), served) if as_json else _for_people(url_of(bound), served))
        server.run([bound])


def _sandbox(settings: SandboxSettings, planned: Sequence[Fault]) -> Sandbox:
    try:
        return Sandbox(settings, planned)
    except (sqlite3.Error, OSError) as error:
        message = f"cannot keep the state in {settings.state}: {error}"
        raise typer.BadParameter(message, param_hint="--state") from error


def _read_faults(path: Path | None) -> list[Fault]:
    if path is None:
        return []
    try:
        return read_faults(path.read_bytes())
    except FaultsError as error:
        raise typer.BadParameter(f"{path} is no list of faults\n{error}", param_hint="--faults") from error


def _json_line(url: str, served: Sandbox) -> str:
    account = served.credentials
    return json.dumps(
        {"url": url, "appcode": account.appcode, "appkey": account.appkey, "appsecret": account.appsecret}
    )


def _for_people(url: str, served: Sandbox) -> str:
    account = served.credentials
    return "\n".join(
        [
            f"The sandbox listens on {url}",
            f"  AppCode    {account.appcode}",
            f"  AppKey     {account.appkey}",
            f"  AppSecret  {account.appsecret}",
            f"  Submit to  {url}{SUBMIT_PATH}",
            f"  Charges    {url}/_sandbox/charges",
            f"  Faults     {url}/_sandbox/faults (PUT a JSON list)",
            "Ctrl-C ends it.",
        ]
    )
