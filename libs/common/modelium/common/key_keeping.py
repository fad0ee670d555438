"""Makes and revokes API keys in the store; for the command and the gateway's `/admin/keys`.

Whoever calls this tells the gateways with `key.changed`; they find out by themselves in ten
seconds.
"""

from datetime import datetime
from typing import Any

from modelium.common.api_keys import KEY_PREFIX, ApiKey, Minted, key_id_of, mint
from modelium.common.errors import ModeliumError
from modelium.common.key_pepper import pepper_for_new_keys
from modelium.common.settings_gateway import Gateway
from modelium.common.store import Records


class NoSuchKey(ModeliumError):
    """No key has this id."""

    def __init__(self, named: str) -> None:
        super().__init__(
            f"There is no API key {named!r}; `modelium keys list` shows those there are."
        )


async def create_key(
    keys: Records[ApiKey], settings: Gateway, now: datetime, **fields: Any
) -> Minted:
    """A new key, saved; `fields` as for `mint`.

    Raises:
        SettingsError: the pepper of the keys there are is not at hand.
        ValidationError: one of `fields` is wrong; no pepper was made.
    """
    mint(b"only to see that the fields are right", now=now, **fields)
    pepper = pepper_for_new_keys(settings, await keys.all(), now)
    minted = mint(pepper, now=now, **fields)
    return Minted(await keys.save(minted.record), minted.text)


async def revoke_key(keys: Records[ApiKey], named: str, now: datetime) -> ApiKey:
    """Revoke the key of this id, or the key itself; again changes nothing.

    Raises:
        NoSuchKey: there is none.
        Conflict: somebody else revoked it at the same time.
    """
    key = await keys.get(key_id_of(named.encode()) or named)
    if key is None:
        raise NoSuchKey(named[: len(KEY_PREFIX) + 12])
    if key.revoked_at is not None:
        return key
    return await keys.save(key.model_copy(update={"revoked_at": now}))
