"""Examinations of what has to answer: NATS, Redis, and a gateway of this version and time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Final

from modelium.cli.finding import Finding, Patient, failed, fine, warning
from modelium.cli.gateway_client import GatewayClient, Refused
from modelium.cli.programs import is_local
from modelium.cli.supervise import Supervisor
from modelium.common.addresses import without_password
from modelium.common.clock import utc_now
from modelium.common.errors import DependencyUnavailable
from modelium.common.nats_probe import nats_version
from modelium.common.redis_store_probe import redis_version
from modelium.common.subjects import OLDEST_LOAD_S

NATS_AT_LEAST: Final = (2, 10)
REDIS_AT_LEAST: Final = (6, 2)
SKEW_S: Final = 2.0
"""The header has whole seconds, and the answer was on its way."""


def answering(patient: Patient) -> Iterator[Finding]:
    """NATS and Redis as they run, with JetStream; silent local ones are for `up` to start."""
    settings, runs = patient.settings, Supervisor(patient.layout).is_running()
    peers = (
        ("nats", settings.nats.url, nats_version, NATS_AT_LEAST),
        ("redis", settings.redis.url, redis_version, REDIS_AT_LEAST),
    )
    for name, url, ask, at_least in peers:
        yield _peer(name, url, ask, at_least, needed=runs or not is_local(url))


def _peer(
    name: str,
    url: str,
    ask: Callable[[str], Awaitable[str]],
    at_least: tuple[int, ...],
    *,
    needed: bool,
) -> Finding:
    subject, where = f"{name} server", without_password(url)
    try:
        said = asyncio.run(_asked(ask, url))
    except DependencyUnavailable as away:
        if needed:
            return failed(subject, away.what, away.remedy)
        return fine(subject, f"does not run yet at {where}; `up` starts it")
    if tuple(int(part) for part in said.split(".") if part.isdigit()) < at_least:
        wanted = ".".join(map(str, at_least))
        return failed(subject, f"version {said} at {where}", f"Install {wanted} or newer.")
    return fine(subject, f"answers at {where}, version {said}")


async def _asked(ask: Callable[[str], Awaitable[str]], url: str) -> str:
    return await ask(url)


def gateway(patient: Patient) -> Iterator[Finding]:
    """Whether it answers this user, is of this version, and has the same time."""
    client = GatewayClient.of(patient.settings)
    try:
        said = client.hello()
    except DependencyUnavailable as away:
        if Supervisor(patient.layout).is_running():
            yield failed("gateway", away.what, away.remedy)
        else:
            yield fine("gateway", f"none answers at {client.url}")
        return
    except Refused as refused:
        yield failed("gateway", str(refused), "Set MODELIUM_API_KEY to a key of yours.")
        return
    yield _versions(said.version, client.url)
    yield clocks(said.date, utc_now())


def is_gateway(url: str) -> bool:
    """Whether one of ours answers there, whatever this user may do."""
    try:
        GatewayClient.at(url).hello()
    except Refused:
        return True
    except DependencyUnavailable:
        return False
    return True


def _versions(theirs: str, url: str) -> Finding:
    mine = version("modelium")
    if theirs == mine:
        return fine("gateway", f"answers at {url}, version {theirs} as this command")
    text = f"{url} is version {theirs}, this command {mine}"
    return warning("gateway", text, "Install the same version of both.")


def clocks(date: str, now: datetime) -> Finding:
    """Theirs, from the header `date` of their answer, beside ours."""
    try:
        theirs = parsedate_to_datetime(date).astimezone(UTC)
    except ValueError:
        return fine("clock skew", "the gateway does not say what time it is there")
    apart_s = abs((now - theirs).total_seconds())
    text = f"{apart_s:.0f} s between this machine and the gateway"
    remedy = "Set both: timedatectl set-ntp true."
    if apart_s > OLDEST_LOAD_S:
        return failed("clock skew", text, remedy)
    return warning("clock skew", text, remedy) if apart_s > SKEW_S else fine("clock skew", text)
