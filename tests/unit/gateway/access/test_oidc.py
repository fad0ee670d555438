"""Tokens of an identity provider: what is accepted, what is not, and how often keys are fetched."""

from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from modelium.common.api_keys import Scope
from modelium.common.clock import utc_now
from modelium.common.errors import DependencyUnavailable, SettingsError
from modelium.common.settings_gateway import Oidc, QuotaSettings
from modelium.common.testing import FakeClock
from modelium.gateway.access.jwks import FETCH_AGAIN_S, MAX_AGE_S, Jwks
from modelium.gateway.access.oidc import Tokens
from modelium.gateway.edge.errors_http import ApiError
from tests.access_kit import World as AccessWorld

ISSUER = "https://login.example"


class Provider:
    """An identity provider: signs tokens, publishes keys, can be away."""

    def __init__(self) -> None:
        self.keys = {"first": ec.generate_private_key(ec.SECP256R1())}
        self.fetched = 0
        self.answers = True

    async def fetch(self) -> dict[str, Any]:
        self.fetched += 1
        if not self.answers:
            raise DependencyUnavailable("The provider is away", "Wait")
        algorithm = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256)
        return {
            "keys": [
                algorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid, "alg": "ES256"}
                for kid, key in self.keys.items()
            ]
        }

    def token(self, kid: str = "first", **claims: Any) -> bytes:
        now = utc_now()
        given: dict[str, Any] = {
            "iss": ISSUER,
            "aud": "modelium",
            "exp": now + timedelta(hours=1),
            "sub": "ann",
            "organization": "acme",
            "scope": "inference read other",
        }
        kept = {name: value for name, value in (given | claims).items() if value is not None}
        return jwt.encode(kept, self.keys[kid], "ES256", headers={"kid": kid}).encode()


class World:
    def __init__(self, clock: FakeClock, remembered: int = 10) -> None:
        self.provider = Provider()
        self.clock = clock
        self.tokens = Tokens(
            settings=Oidc(issuer=ISSUER, jwks_url="http://127.0.0.1:1/"),
            keys=Jwks(self.provider.fetch, clock),
            accounts_of=lambda organization: (),
            clock=clock,
            remembered=remembered,
        )

    async def refused(self, token: bytes) -> ApiError:
        with pytest.raises(ApiError) as refused:
            await self.tokens.verify(token)
        assert self.tokens.known(token) is None
        return refused.value


@pytest.fixture
def world() -> World:
    return World(FakeClock(utc_now()))


async def test_a_good_token_is_verified_once_and_then_known(world: World) -> None:
    token = world.provider.token(models=["qwen*"])
    assert world.tokens.known(token) is None
    principal = await world.tokens.verify(token)
    assert principal.organization == "acme"
    assert principal.key_id == "oidc:ann"
    assert principal.scopes == {Scope.INFERENCE, Scope.READ}
    assert principal.models == ("qwen*",)
    assert world.tokens.known(token) is principal


async def test_a_known_token_ends_when_it_expires(world: World) -> None:
    token = world.provider.token()
    await world.tokens.verify(token)
    await world.clock.advance(3601)
    assert world.tokens.known(token) is None


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": utc_now() - timedelta(seconds=1)}, "expired"),
        ({"exp": None}, "exp"),
        ({"aud": "somebody"}, "audience"),
        ({"aud": None}, '"aud"'),
        ({"iss": "https://evil.example"}, "issuer"),
        ({"iss": None}, "iss"),
        ({"nbf": utc_now() + timedelta(hours=1)}, "not yet valid"),
        ({"organization": None}, "organization"),
        ({"organization": "a/b"}, "organization"),
        ({"organization": 7}, "organization"),
    ],
)
async def test_a_token_that_is_not_meant_for_us_is_refused(
    world: World, claims: dict[str, Any], reason: str
) -> None:
    refused = await world.refused(world.provider.token(**claims))
    assert refused.status == 401
    assert reason in refused.message.lower()


async def test_a_token_of_another_signer_is_refused(world: World) -> None:
    stranger = Provider()
    refused = await world.refused(stranger.token())
    assert "ignature" in refused.message


async def test_a_token_without_a_signature_or_with_another_algorithm_is_refused(
    world: World,
) -> None:
    claims = {"iss": ISSUER, "aud": "modelium", "exp": utc_now() + timedelta(hours=1)}
    unsigned = jwt.encode(claims, None, "none", headers={"kid": "first"}).encode()
    assert (await world.refused(unsigned)).status == 401
    key = rsa.generate_private_key(65537, 2048)
    other = jwt.encode(claims, key, "RS512", headers={"kid": "first"}).encode()
    assert (await world.refused(other)).status == 401
    shared = jwt.encode(claims, "x" * 32, "HS256", headers={"kid": "first"}).encode()
    assert (await world.refused(shared)).status == 401


async def test_what_is_no_token_is_refused(world: World) -> None:
    for text in (b"a.b.c", b"..", b"\xff.\xff.\xff"):
        assert (await world.refused(text)).status == 401


async def test_a_new_key_of_the_provider_is_fetched_but_not_more_than_every_ten_seconds(
    world: World,
) -> None:
    await world.tokens.verify(world.provider.token())
    assert world.provider.fetched == 1
    world.provider.keys["second"] = ec.generate_private_key(ec.SECP256R1())
    token = world.provider.token("second")
    assert "nobody knows" in (await world.refused(token)).message
    assert world.provider.fetched == 1
    await world.clock.advance(FETCH_AGAIN_S)
    assert (await world.tokens.verify(token)).organization == "acme"
    assert world.provider.fetched == 2


async def test_a_key_that_the_provider_withdrew_verifies_nothing_more_after_an_hour(
    world: World,
) -> None:
    await world.tokens.verify(world.provider.token())
    token = world.provider.token(jti="another")
    world.provider.keys = {"second": ec.generate_private_key(ec.SECP256R1())}
    await world.clock.advance(MAX_AGE_S)
    assert (await world.refused(token)).status == 401


async def test_while_the_provider_is_away_known_keys_go_on_and_others_get_503(
    world: World,
) -> None:
    world.provider.answers = False
    assert (await world.refused(world.provider.token())).status == 503
    world.provider.answers = True
    await world.clock.advance(FETCH_AGAIN_S)
    await world.tokens.verify(world.provider.token())
    world.provider.answers = False
    await world.clock.advance(MAX_AGE_S)
    fresh = world.provider.token(exp=utc_now() + timedelta(hours=3))
    assert (await world.tokens.verify(fresh)).organization == "acme"


async def test_an_outage_reads_as_one_to_everybody_and_not_as_a_bad_token(world: World) -> None:
    world.provider.answers = False
    token = world.provider.token()
    for _ in range(3):
        assert (await world.refused(token)).status == 503
    assert world.provider.fetched == 1
    world.provider.answers = True
    assert (await world.refused(token)).status == 503  # nobody has asked it again yet
    await world.clock.advance(FETCH_AGAIN_S)
    assert (await world.tokens.verify(token)).organization == "acme"
    world.provider.keys["second"] = ec.generate_private_key(ec.SECP256R1())
    assert (await world.refused(world.provider.token("second"))).status == 401


async def test_a_token_that_was_verified_outlives_its_key(world: World) -> None:
    token = world.provider.token(exp=utc_now() + timedelta(hours=3))
    await world.tokens.verify(token)
    world.provider.keys = {"second": ec.generate_private_key(ec.SECP256R1())}
    await world.clock.advance(MAX_AGE_S)
    assert (await world.tokens.verify(token)).organization == "acme"


async def test_no_more_than_so_many_tokens_are_remembered() -> None:
    world = World(FakeClock(utc_now()), remembered=2)
    tokens = [world.provider.token(jti=str(number)) for number in range(3)]
    for token in tokens:
        await world.tokens.verify(token)
    assert [world.tokens.known(token) is not None for token in tokens] == [False, True, True]


def test_an_issuer_without_the_place_of_its_keys_is_refused(clock: FakeClock) -> None:
    with pytest.raises(SettingsError, match=r"gateway\.oidc\.jwks_url"):
        AccessWorld(clock, oidc=Oidc(issuer=ISSUER))


async def test_a_token_and_a_key_are_accepted_side_by_side(world: World) -> None:
    oidc = Oidc(issuer=ISSUER, jwks_url="http://127.0.0.1:1/")
    access = AccessWorld(
        world.clock,
        authentication="keys",
        oidc=oidc,
        signing_keys=Jwks(world.provider.fetch, world.clock),
        limits=QuotaSettings(requests_per_minute=5),
    )
    token = world.provider.token().decode()
    assert access.ask(token) is None
    principal = await access.ask_slowly(token)
    assert access.ask(token) is principal
    key = access.ask((await access.key()).text)
    assert key is not None
    assert key.accounts == principal.accounts
    assert len(principal.accounts) == 1
