"""`modelium keys`: makes, lists and revokes API keys, in the store itself.

So that it works before there is a gateway. Gateways are told over NATS; where that is away, they
see for themselves within ten seconds.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from modelium.cli.console import out, out_json, out_table, say
from modelium.common import logs
from modelium.common.api_keys import MODEL_PATTERN, ApiKey
from modelium.common.clock import utc_now
from modelium.common.errors import DependencyUnavailable, ExitCode, ModeliumError
from modelium.common.events import KeyChanged
from modelium.common.key_keeping import create_key, revoke_key
from modelium.common.load_settings import Settings, load
from modelium.common.nats_bus import NatsBus
from modelium.common.redis_store import RedisStore

T = TypeVar("T")

STORE_RETRY_S: Final = 3.0
COMPLETION_RETRY_S: Final = 0.3
BUS_TIMEOUT_S: Final = 2.0
UNITS: Final = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
HIDDEN: Final = {"digest", "pepper_id", "version", "updated_at"}


class WrongUsage(ModeliumError):
    """An option's value makes no sense."""

    exit_code = ExitCode.USAGE


def expiry(text: str | None, now: datetime) -> datetime | None:
    """When a key made at `now` ends: `90d`, `12h`, a day, or a time with its zone.

    Raises:
        WrongUsage: it is none of these, or over already.
    """
    if text is None:
        return None
    try:
        ends = _end(text, now)
    except (ValueError, OverflowError):  # the latter: after the year 9999
        ends = None
    if ends is None or ends <= now:
        raise WrongUsage(
            f"--expires {text}: expected 30m, 12h, 90d, 8w, or a day to come such as "
            f"{now + timedelta(days=365):%Y-%m-%d}"
        )
    return ends


def _end(text: str, now: datetime) -> datetime:
    span = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if span:
        return now + timedelta(seconds=int(span[1]) * UNITS[span[2]])
    ends = datetime.fromisoformat(text)
    if ends.tzinfo is None:
        return ends.replace(tzinfo=now.tzinfo)
    return ends.astimezone(now.tzinfo)


def create(config: Path | None, *, expires: str | None, as_json: bool, **fields: Any) -> None:
    """Make a key and print it, this once."""
    settings, now = load(config), utc_now()
    fields["organization"] = fields["organization"] or settings.organization.id
    fields["expires_at"] = expiry(expires, now)
    if not all(re.search(MODEL_PATTERN, model) for model in fields["models"]):
        expected = "expected a model's name or a pattern such as 'qwen*'; left out: all models"
        raise WrongUsage(f"--model is empty: {expected}")

    async def work(store: RedisStore) -> tuple[ApiKey, str]:
        minted = await create_key(store.api_keys, settings.gateway, now, **fields)
        await _tell(settings, minted.record)
        return minted.record, minted.text

    try:
        record, text = _with_store(settings, work)
    except ValidationError as wrong:
        problems = {error["loc"][0]: error["msg"] for error in reversed(wrong.errors())}
        raise WrongUsage("; ".join(f"{what}: {why}" for what, why in problems.items())) from wrong
    if as_json:
        out_json({"key": text, **_shown(record)})
        return
    say(f"Key {record.key_id} of {record.organization} ({', '.join(record.scopes)}).")
    say("It is shown this once; whoever has it may ask in that organisation's name.")
    out(text)


def list_keys(config: Path | None, *, as_json: bool) -> None:
    """Print what is known of all keys."""

    async def work(store: RedisStore) -> list[ApiKey]:
        return await store.api_keys.all()

    keys = sorted(_with_store(load(config), work), key=lambda key: key.created_at)
    if as_json:
        out_json([_shown(key) for key in keys])
    elif keys:
        titles = ("KEY", "ORGANIZATION", "NAME", "SCOPES", "MODELS", "LIMITS", "STATE")
        out_table(titles, [_row(key) for key in keys])
    else:
        out("There are no keys: make one with `modelium keys create`.")


def revoke(config: Path | None, named: str, *, as_json: bool) -> None:
    """End a key."""
    settings = load(config)

    async def work(store: RedisStore) -> ApiKey:
        key = await revoke_key(store.api_keys, named, utc_now())
        await _tell(settings, key)
        return key

    key = _with_store(settings, work)
    if as_json:
        out_json(_shown(key))
    else:
        say(f"The key {key.key_id} of {key.organization} {key.refusal(utc_now())}.")


def revocable_keys(incomplete: str) -> list[str]:
    """Ids of keys that can still be revoked; for shell completion."""
    names = [key.key_id for key in _keys_at_hand() if key.revoked_at is None]
    return [name for name in names if name.startswith(incomplete)]


def key_ids(incomplete: str) -> list[str]:
    """Ids of all keys, as usage names them; for shell completion."""
    return [key.key_id for key in _keys_at_hand() if key.key_id.startswith(incomplete)]


def _keys_at_hand() -> list[ApiKey]:
    """None where the store does not answer at once."""

    async def work(store: RedisStore) -> list[ApiKey]:
        return await store.api_keys.all()

    try:
        return _with_store(load(None), work, retry_for_s=COMPLETION_RETRY_S)
    except ModeliumError:
        return []


def _with_store(
    settings: Settings,
    work: Callable[[RedisStore], Awaitable[T]],
    *,
    retry_for_s: float = STORE_RETRY_S,
) -> T:
    logs.for_a_command()

    async def run() -> T:
        store = RedisStore(settings.redis.url, retry_for_s=retry_for_s)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


async def _tell(settings: Settings, key: ApiKey) -> None:
    bus = NatsBus(settings.nats.url, source="modelium-keys")
    try:
        await bus.open(timeout_s=BUS_TIMEOUT_S)
        await bus.publish(KeyChanged(key_id=key.key_id))
    except DependencyUnavailable as error:
        say(f"{error.what}, so gateways see this within ten seconds only.", "yellow")
    finally:
        await bus.close()


def _shown(key: ApiKey) -> dict[str, Any]:
    return key.model_dump(mode="json", exclude=HIDDEN)


def _row(key: ApiKey) -> tuple[str, ...]:
    return (
        key.key_id,
        key.organization,
        key.name,
        ",".join(key.scopes),
        ",".join(key.models) or "all",
        _limits(key),
        _state(key),
    )


def _limits(key: ApiKey) -> str:
    limits = (
        (key.requests_per_minute, "requests/min"),
        (key.tokens_per_minute, "tokens/min"),
        (key.concurrent_requests, "at a time"),
    )
    return ", ".join(f"{limit} {what}" for limit, what in limits if limit is not None)


def _state(key: ApiKey) -> str:
    refusal = key.refusal(utc_now())
    if refusal is not None:
        return refusal.removeprefix("was ")
    return "ok" if key.expires_at is None else f"ends on {key.expires_at:%Y-%m-%d %H:%M} UTC"
