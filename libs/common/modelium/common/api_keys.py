"""API keys: what one is, how it is made, and how a given one is told from a guess.

A key reads `mk-<number>-<secret>`. Its beginning, `mk-<number>`, is its id, by which people and
programs know it, and which finds its record; of the secret, 256 random bits, only an
HMAC is kept, made with a pepper that is not in the store. So a copy of the store lets nobody in,
and a digest need not be slow: what it hides cannot be guessed.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field, PositiveInt, StringConstraints

from modelium.common.records import Record

KEY_PREFIX: Final = "mk-"
ORGANIZATION_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
MODEL_PATTERN: Final = r"\S"
"""What a new key's names and patterns of models match; an empty one would match no model."""
OrganizationId = Annotated[str, StringConstraints(pattern=ORGANIZATION_PATTERN)]

_ID_BYTES: Final = 6
_SECRET_BYTES: Final = 32
_PEPPER_CHECK: Final = b"modelium key pepper"


class Scope(StrEnum):
    """What a key may do; `admin` includes the others."""

    INFERENCE = "inference"
    """Ask models."""
    READ = "read"
    """See models, their states, and the usage of its own organisation."""
    ADMIN = "admin"
    """Load and unload models, make keys, see everybody's usage."""


class ApiKey(Record):
    """One key as the store keeps it; it never changes but to be revoked."""

    key_id: str = Field(description="the key's beginning")
    digest: str = Field(description="HMAC-SHA256 of the whole key, hexadecimal")
    pepper_id: str = Field(description="which pepper the digest was made with")
    organization: OrganizationId
    name: str = ""
    scopes: tuple[Scope, ...] = Field(min_length=1)
    models: tuple[str, ...] = Field(default=(), description="patterns; none: all models")
    requests_per_minute: PositiveInt | None = None
    tokens_per_minute: PositiveInt | None = None
    concurrent_requests: PositiveInt | None = None
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def refusal(self, now: datetime) -> str | None:
        """Why it does not count at `now`; None while it does."""
        if self.revoked_at is not None:
            return f"was revoked on {self.revoked_at:%Y-%m-%d}"
        if self.expires_at is not None and now >= self.expires_at:
            return f"expired on {self.expires_at:%Y-%m-%d}"
        return None


@dataclass(frozen=True)
class Minted:
    """A new key's record, and the key itself, which nobody can read again."""

    record: ApiKey
    text: str


def mint(pepper: bytes, *, now: datetime, **fields: Any) -> Minted:
    """A new key; `fields` are those of `ApiKey` that whoever asks for it decides.

    Raises:
        ValidationError: one of `fields` is wrong.
    """
    key_id = KEY_PREFIX + secrets.token_hex(_ID_BYTES)
    text = f"{key_id}-{secrets.token_urlsafe(_SECRET_BYTES)}"
    derived = {
        "key_id": key_id,
        "digest": digest(pepper, text.encode()).hex(),
        "pepper_id": pepper_id(pepper),
        "created_at": now,
    }
    return Minted(ApiKey.model_validate(derived | fields), text)


def digest(pepper: bytes, key: bytes) -> bytes:
    """What is kept of a key."""
    return hmac.digest(pepper, key, "sha256")


def key_id_of(key: bytes) -> str | None:
    """The id in a key; None for what is no key of ours."""
    mk, _, rest = key.partition(b"-")
    number, dash, secret = rest.partition(b"-")
    if mk != b"mk" or not (number and dash and secret and number.isalnum()):
        return None
    return KEY_PREFIX + str(number, "ascii")


def pepper_id(pepper: bytes) -> str:
    """Tells peppers apart without telling what they are."""
    return hmac.new(pepper, _PEPPER_CHECK, hashlib.sha256).hexdigest()[:16]
