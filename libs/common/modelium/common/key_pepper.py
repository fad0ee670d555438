"""The secret that digests of keys are made with: `gateway.key_pepper`, or a file of its own."""

import os
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from modelium.common.api_keys import ApiKey, pepper_id
from modelium.common.errors import SettingsError
from modelium.common.settings_gateway import Gateway

_SHORTEST: Final = 16


def read_pepper(settings: Gateway) -> bytes | None:
    """The pepper, or None when there is none yet.

    Raises:
        SettingsError: it is too short to be a secret, or may not be read.
    """
    path = settings.key_pepper_file
    if settings.key_pepper is not None:
        return _checked(settings.key_pepper.get_secret_value().encode(), "gateway.key_pepper")
    try:
        return _checked(path.read_bytes().strip(), str(path))
    except FileNotFoundError:
        return None
    except OSError as wrong:
        raise SettingsError((f"gateway.key_pepper_file: {path}: {wrong.strerror}",)) from wrong


def _checked(pepper: bytes, where: str) -> bytes:
    if len(pepper) < _SHORTEST:
        raise SettingsError((f"{where}: expected a secret of at least {_SHORTEST} characters",))
    return pepper


def pepper_for_new_keys(settings: Gateway, keys: Iterable[ApiKey], now: datetime) -> bytes:
    """The pepper; the first key makes its file, which only its owner may read.

    Raises:
        SettingsError: there are keys that were made with another pepper.
    """
    pepper = read_pepper(settings)
    known = pepper_id(pepper) if pepper else None
    if any(key.pepper_id != known for key in keys if key.refusal(now) is None):
        raise SettingsError((_lost(settings, known),))
    return pepper or _make(settings)


def _lost(settings: Gateway, known: str | None) -> str:
    if settings.key_pepper is not None:
        where = "gateway.key_pepper"
    else:
        where = f"gateway.key_pepper_file ({settings.key_pepper_file})"
    wrong = "is not there" if known is None else "is another one"
    return (
        f"{where}: the pepper that the existing keys were made with {wrong}; put it back, or "
        "revoke those keys"
    )


def _make(settings: Gateway) -> bytes:
    path = settings.key_pepper_file
    pepper = secrets.token_urlsafe(32).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pepper + b"\n")
    except OSError as wrong:
        raise SettingsError((f"gateway.key_pepper_file: {path}: {wrong.strerror}",)) from wrong
    return pepper
