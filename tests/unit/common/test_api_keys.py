"""How keys are made, kept and told from guesses; and the pepper they are made with."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from modelium.common.api_keys import Scope, digest, key_id_of, mint, pepper_id
from modelium.common.errors import SettingsError
from modelium.common.key_pepper import pepper_for_new_keys, read_pepper
from modelium.common.settings import Gateway

PEPPER = b"a pepper for tests"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_key_is_random_and_its_record_does_not_hold_it() -> None:
    first, second = (
        mint(PEPPER, now=NOW, organization="acme", scopes=(Scope.READ,)) for _ in range(2)
    )
    assert first.text != second.text
    assert key_id_of(first.text.encode()) == first.record.key_id
    secret = first.text.split("-", 2)[2]
    assert len(secret) == 43  # 256 bits
    assert secret not in first.record.model_dump_json()
    assert first.text == f"{first.record.key_id}-{secret}"
    assert first.record.digest == digest(PEPPER, first.text.encode()).hex()
    assert first.record.digest != digest(b"another", first.text.encode()).hex()


@pytest.mark.parametrize(
    "text", ["", "mk", "mk-", "mk-a", "mk-a-", "mk--b", "sk-a-b", "mk-\u00e9-b", "mk-a b-c"]
)
def test_what_is_no_key_has_no_id(text: str) -> None:
    assert key_id_of(text.encode()) is None


@pytest.mark.parametrize(
    "wrong", [{"organization": "a/b"}, {"scopes": ()}, {"requests_per_minute": 0}]
)
def test_a_wrong_field_is_refused(wrong: dict[str, object]) -> None:
    good = {"organization": "acme", "scopes": (Scope.READ,)}
    with pytest.raises(ValidationError):
        mint(PEPPER, now=NOW, **(good | wrong))


def test_a_key_counts_until_it_expires_or_is_revoked() -> None:
    key = mint(PEPPER, now=NOW, organization="a", scopes=(Scope.READ,)).record
    assert key.refusal(NOW) is None
    ending = key.model_copy(update={"expires_at": NOW + timedelta(days=1)})
    assert ending.refusal(NOW) is None
    assert ending.refusal(NOW + timedelta(days=1)) == "expired on 2026-01-02"
    assert key.model_copy(update={"revoked_at": NOW}).refusal(NOW) == "was revoked on 2026-01-01"


def test_the_first_key_makes_the_file_for_its_owner_only(tmp_path: Path) -> None:
    settings = Gateway(key_pepper_file=tmp_path / "new" / "pepper")
    assert read_pepper(settings) is None
    pepper = pepper_for_new_keys(settings, [], NOW)
    assert read_pepper(settings) == pepper
    assert len(pepper) >= 32
    assert stat.S_IMODE(settings.key_pepper_file.stat().st_mode) == 0o600
    assert pepper_for_new_keys(settings, [], NOW) == pepper


@pytest.mark.parametrize("given", [None, SecretStr("another one, quite long")])
def test_keys_of_another_pepper_stop_new_ones(tmp_path: Path, given: SecretStr | None) -> None:
    key = mint(PEPPER, now=NOW, organization="acme", scopes=(Scope.READ,)).record
    settings = Gateway(key_pepper=given, key_pepper_file=tmp_path / "pepper")
    with pytest.raises(SettingsError, match=r"key_pepper.*put it back, or revoke"):
        pepper_for_new_keys(settings, [key], NOW)
    revoked = key.model_copy(update={"revoked_at": NOW})
    assert pepper_for_new_keys(settings, [revoked], NOW)


def test_the_setting_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "pepper").write_text("the one in the file\n")
    settings = Gateway(key_pepper_file=tmp_path / "pepper")
    assert read_pepper(settings) == b"the one in the file"
    both = settings.model_copy(update={"key_pepper": SecretStr("the one in the settings")})
    assert read_pepper(both) == b"the one in the settings"


def test_a_pepper_that_is_no_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pepper").write_text("short")
    with pytest.raises(SettingsError, match="at least 16 characters"):
        read_pepper(Gateway(key_pepper_file=tmp_path / "pepper"))
    with pytest.raises(SettingsError, match="key_pepper_file"):
        read_pepper(Gateway(key_pepper_file=tmp_path))


def test_peppers_are_told_apart_without_telling_them() -> None:
    assert pepper_id(PEPPER) != pepper_id(b"another pepper, long")
    assert PEPPER.hex() not in pepper_id(PEPPER)
