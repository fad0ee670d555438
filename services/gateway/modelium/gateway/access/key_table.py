"""All API keys, in memory: what a request's key is compared with.

Read from the store at the start, when a key has changed, and every ten seconds. While the store is
away the keys that are known go on to count.
"""

import asyncio
import hmac
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Final

import structlog

from modelium.common.api_keys import ApiKey, digest, key_id_of, pepper_id
from modelium.common.clock import Clock
from modelium.common.errors import DependencyUnavailable
from modelium.common.store import Records
from modelium.gateway.access.principal import Principal
from modelium.gateway.edge import errors_http as errors

READ_S: Final = 10.0
LOOKS: Final = 20
LOOKS_PER_S: Final = 10.0
"""So often, after so many at once, the store is asked for ids that are not known."""
_LOOK_TIMEOUT_S: Final = 2.0
_MARK_BYTES: Final = 16

PrincipalOf = Callable[[ApiKey], Principal]
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Entry:
    digest: bytes
    principal: Principal
    key: ApiKey
    ends: bool
    """Whether it expires or was revoked, so that the time matters."""


class KeyTable:
    """`pepper` may come to be there only with the first key, hence a function."""

    def __init__(
        self,
        *,
        keys: Records[ApiKey],
        pepper: Callable[[], bytes | None],
        principal_of: PrincipalOf,
        clock: Clock,
    ) -> None:
        self._keys = keys
        self._read_pepper = pepper
        self._pepper: bytes | None = None
        self._principal_of = principal_of
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._checked: dict[bytes, _Entry] = {}
        """What was found right once, by a hash that nobody else can make: HMAC costs more."""
        self._mark = secrets.token_bytes(_MARK_BYTES)
        self._useless: set[str] = set()
        self._stale = asyncio.Event()
        self._looks = float(LOOKS)
        self._looked_s = 0.0

    def check(self, credential: bytes) -> Principal | None:
        """Who has this key; None when its id is not known, so that `look` may find it.

        Raises:
            ApiError: 401, it is no key, or a wrong, revoked or expired one.
        """
        mark = blake2b(credential, key=self._mark, digest_size=_MARK_BYTES).digest()
        entry = self._checked.get(mark) or self._compared(credential, mark)
        if entry is not None and entry.ends:
            refusal = entry.key.refusal(self._clock.now())
            if refusal is not None:
                raise errors.invalid_api_key(f"The API key {entry.key.key_id} {refusal}.")
        return entry.principal if entry is not None else None

    def _compared(self, credential: bytes, mark: bytes) -> _Entry | None:
        key_id = key_id_of(credential)
        if key_id is None:
            raise errors.invalid_api_key("This is not an API key of this system.")
        entry = self._entries.get(key_id)
        if entry is None or self._pepper is None:
            return None
        if not hmac.compare_digest(digest(self._pepper, credential), entry.digest):
            raise errors.invalid_api_key("The API key is wrong.")
        self._checked[mark] = entry
        return entry

    def name_of(self, key_id: str) -> str:
        """What people call the key; empty: nothing, or it is not known here."""
        entry = self._entries.get(key_id)
        return entry.key.name if entry is not None else ""

    async def look(self, credential: bytes) -> None:
        """Read one key that is not known yet, unless too many were asked for just now.

        Raises:
            DependencyUnavailable: the store does not answer.
        """
        key_id = key_id_of(credential)
        if key_id is None or not self._may_look():
            return
        try:
            async with asyncio.timeout(_LOOK_TIMEOUT_S):
                found = await self._keys.get(key_id)
        except TimeoutError as error:
            raise DependencyUnavailable("The keys cannot be read", "See redis.url") from error
        if found is not None:
            self.apply(found)

    def _may_look(self) -> bool:
        now_s = self._clock.monotonic()
        earned = (now_s - self._looked_s) * LOOKS_PER_S
        self._looks = min(LOOKS, self._looks + earned)
        self._looked_s = now_s
        if self._looks < 1:
            return False
        self._looks -= 1
        return True

    def apply(self, key: ApiKey) -> None:
        """The key is as `key` says from now on."""
        if self._pepper is None:
            self._pepper = self._read_pepper()
        if self._pepper is None or key.pepper_id != pepper_id(self._pepper):
            if key.key_id not in self._useless:
                log.warning("gateway.key_of_another_pepper", key_id=key.key_id)
            self._useless.add(key.key_id)
            return
        known = self._entries.get(key.key_id)
        if known is not None and known.key.version >= key.version:
            return
        ends = key.expires_at is not None or key.revoked_at is not None
        principal = known.principal if known else self._principal_of(key)
        self._entries[key.key_id] = _Entry(bytes.fromhex(key.digest), principal, key, ends)
        self._checked.clear()

    def read_soon(self) -> None:
        """A key has changed: have all of them read."""
        self._stale.set()

    async def read(self) -> None:
        """Read all keys.

        Raises:
            DependencyUnavailable: the store does not answer.
        """
        self.replace(await self._keys.all())

    def replace(self, keys: Iterable[ApiKey]) -> None:
        """These are all keys there are."""
        found = {key.key_id: key for key in keys}
        for key_id in self._entries.keys() - found.keys():
            del self._entries[key_id]
            self._checked.clear()
        for key in found.values():
            self.apply(key)

    async def run(self) -> None:
        """Read them now and then, until cancelled."""
        while True:
            self._stale.clear()
            try:
                await self.read()
            except DependencyUnavailable as error:
                log.warning("gateway.keys_unavailable", reason=str(error))
            async with asyncio.TaskGroup() as group:
                due = group.create_task(self._due())
                await self._stale.wait()
                due.cancel()

    async def _due(self) -> None:
        await self._clock.sleep(READ_S)
        self._stale.set()

    def valid(self, now: datetime) -> list[ApiKey]:
        """Those that count now."""
        return [e.key for e in self._entries.values() if e.key.refusal(now) is None]
