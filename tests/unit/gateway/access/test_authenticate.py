"""Who asks, by the headers: keys that count and keys that do not."""

import asyncio
from datetime import timedelta

import pytest

from modelium.common.api_keys import Scope
from modelium.common.errors import DependencyUnavailable
from modelium.common.settings_gateway import QuotaSettings
from modelium.common.testing import FakeClock
from modelium.gateway.access.authenticate import credential_in
from modelium.gateway.access.key_table import LOOKS, LOOKS_PER_S
from modelium.gateway.edge.call import Headers
from modelium.gateway.edge.errors_http import ApiError
from tests.access_kit import World


@pytest.fixture
def closed(clock: FakeClock) -> World:
    """Every request needs a key."""
    return World(clock, authentication="keys")


@pytest.fixture
def open_(clock: FakeClock) -> World:
    """A loopback address, as it is by default."""
    return World(clock)


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([], None),
        ([(b"authorization", b"Bearer abc")], b"abc"),
        ([(b"authorization", b"bearer  abc ")], b"abc"),
        ([(b"authorization", b"Basic abc")], None),
        ([(b"x-api-key", b"abc")], b"abc"),
        ([(b"x-api-key", b"abc"), (b"authorization", b"Bearer def")], b"def"),
        ([(b"authorization", b"Basic eA=="), (b"x-api-key", b"abc")], b"abc"),
    ],
)
def test_where_a_key_is_looked_for(headers: Headers, found: bytes | None) -> None:
    assert credential_in(headers) == found


async def test_a_good_key_stands_for_its_organisation_scopes_and_models(closed: World) -> None:
    minted = await closed.key(models=("qwen*", "llama-8b"))
    principal = closed.ask(minted.text)
    assert principal is not None
    assert principal.organization == "acme"
    assert principal.key_id == minted.record.key_id
    assert principal.scopes == {Scope.INFERENCE, Scope.READ}
    assert [principal.may_use(m) for m in ("qwen-2", "llama-8b", "phi")] == [True, True, False]


async def test_admin_includes_the_other_scopes_and_no_models_means_all(closed: World) -> None:
    minted = await closed.key(scopes=(Scope.ADMIN,))
    principal = closed.ask(minted.text, Scope.INFERENCE)
    assert principal is not None
    assert principal.scopes == set(Scope)
    assert principal.may_use("anything")


async def test_no_key_is_refused_with_a_challenge(closed: World) -> None:
    with pytest.raises(ApiError) as refused:
        closed.ask(None)
    assert (refused.value.status, refused.value.code) == (401, "invalid_api_key")
    assert (b"www-authenticate", b"Bearer") in refused.value.headers()


async def test_a_wrong_secret_a_foreign_text_and_an_empty_one_are_refused(closed: World) -> None:
    minted = await closed.key()
    for text in (minted.text[:-1], minted.text + "x", "sk-openai", "mk-", "mk-é-x", "", "a.b.c"):
        with pytest.raises(ApiError) as refused:
            closed.ask(text)
        assert refused.value.status == 401


async def test_a_key_without_the_scope_is_refused(closed: World) -> None:
    minted = await closed.key(scopes=(Scope.READ,))
    with pytest.raises(ApiError, match="scope inference") as refused:
        closed.ask(minted.text)
    assert (refused.value.status, refused.value.code) == (403, "insufficient_scope")


async def test_a_key_ends_at_its_time_without_anything_being_read(
    closed: World, clock: FakeClock
) -> None:
    minted = await closed.key(expires_at=clock.now() + timedelta(seconds=60))
    assert closed.ask(minted.text) is not None
    await clock.advance(60)
    with pytest.raises(ApiError, match="expired on 2026-01-01"):
        closed.ask(minted.text)


async def test_a_revoked_key_is_refused_at_once_where_it_was_revoked(
    closed: World, clock: FakeClock
) -> None:
    minted = await closed.key()
    [stored] = await closed.around.store.api_keys.all()
    revoked = stored.model_copy(update={"revoked_at": clock.now()})
    closed.access.keys.apply(await closed.around.store.api_keys.save(revoked))
    with pytest.raises(ApiError, match="was revoked"):
        closed.ask(minted.text)


async def test_a_key_made_elsewhere_just_now_is_looked_for_once(closed: World) -> None:
    minted = await closed.key(read=False)
    assert closed.ask(minted.text) is None
    assert (await closed.ask_slowly(minted.text)).organization == "acme"
    assert closed.ask(minted.text) is not None


async def test_guessed_ids_do_not_reach_the_store_each_time(
    closed: World, clock: FakeClock
) -> None:
    minted = await closed.key(read=False)
    for number in range(LOOKS):
        with pytest.raises(ApiError):
            await closed.ask_slowly(f"mk-guessed{number}-x")
    with pytest.raises(ApiError):
        await closed.ask_slowly(minted.text)
    await clock.advance(1 / LOOKS_PER_S)
    assert await closed.ask_slowly(minted.text)


async def test_keys_are_read_when_one_has_changed_and_every_ten_seconds(
    closed: World, clock: FakeClock
) -> None:
    keys = closed.access.keys
    async with asyncio.TaskGroup() as group:
        running = group.create_task(keys.run())
        first = await closed.key(read=False)
        await clock.advance(0)
        keys.read_soon()
        await clock.advance(0)
        assert closed.ask(first.text) is not None
        second = await closed.key(read=False)
        await clock.advance(10)
        assert closed.ask(second.text) is not None
        running.cancel()


async def test_a_key_of_another_pepper_does_not_count(closed: World) -> None:
    minted = await closed.key(pepper=b"another pepper, longer")
    with pytest.raises(ApiError):
        await closed.ask_slowly(minted.text)


async def test_while_the_store_is_away_an_unknown_key_gets_503(closed: World) -> None:
    class Away:
        async def get(self, record_id: str) -> None:
            raise DependencyUnavailable("Redis does not answer", "Start it")

    closed.access.keys._keys = Away()  # type: ignore[assignment]
    with pytest.raises(ApiError) as refused:
        await closed.ask_slowly("mk-abc-def")
    assert refused.value.status == 503


async def test_on_loopback_everybody_else_is_anonymous(open_: World) -> None:
    for text in (None, "sk-anything", "a.b.c"):
        principal = open_.ask(text)
        assert principal is not None
        assert (principal.organization, principal.key_id) == ("default", "anonymous")
        assert principal.scopes == set(Scope)
        assert await open_.ask_slowly(text or "") == principal


async def test_on_loopback_too_a_key_of_ours_that_does_not_count_is_refused(
    open_: World, clock: FakeClock
) -> None:
    assert open_.ask("mk-unknown-x") is None
    with pytest.raises(ApiError, match="is wrong"):
        await open_.ask_slowly("mk-unknown-x")
    minted = await open_.key(expires_at=clock.now() + timedelta(seconds=60))
    with pytest.raises(ApiError, match="is wrong"):
        open_.ask(minted.text[:-1])
    await clock.advance(60)
    with pytest.raises(ApiError, match="expired"):
        open_.ask(minted.text)


async def test_on_loopback_a_good_key_counts_for_its_organisation_and_its_scopes(
    open_: World,
) -> None:
    minted = await open_.key(scopes=(Scope.READ,))
    principal = open_.ask(minted.text, Scope.READ)
    assert principal is not None
    assert principal.organization == "acme"
    with pytest.raises(ApiError, match="scope inference"):
        open_.ask(minted.text, Scope.INFERENCE)


async def test_limits_are_those_of_the_organisation_and_of_the_key(clock: FakeClock) -> None:
    world = World(
        clock,
        authentication="keys",
        limits=QuotaSettings(requests_per_minute=5),
        organizations={"free": QuotaSettings()},
    )
    limited = await world.key(concurrent_requests=2)
    sibling = await world.key()
    unlimited = await world.key(organization="free")
    first, second, third = (world.ask(k.text) for k in (limited, sibling, unlimited))
    assert first is not None and second is not None and third is not None
    assert [a.name for a in first.accounts] == [
        f"key/{limited.record.key_id}",
        "organization/acme",
    ]
    assert first.accounts[1] is second.accounts[0]
    assert third.accounts == ()


async def test_a_key_whose_record_changes_keeps_its_account(closed: World) -> None:
    minted = await closed.key(concurrent_requests=2)
    before = closed.ask(minted.text)
    [stored] = await closed.around.store.api_keys.all()
    await closed.around.store.api_keys.save(stored)
    await closed.access.keys.read()
    after = closed.ask(minted.text)
    assert before is not None and after is not None
    assert before.accounts[0] is after.accounts[0]
