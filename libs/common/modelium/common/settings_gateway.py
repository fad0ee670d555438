"""The settings of the gateway: address, bounds, keys, limits."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr

from modelium.common.settings_base import GIB, KIB, MIB, Section


class Authentication(StrEnum):
    """Who may ask."""

    AUTO = "auto"
    KEYS = "keys"
    NONE = "none"


class QuotaSettings(Section):
    """How much one organisation may ask; empty means without a limit."""

    requests_per_minute: PositiveInt | None = Field(
        default=None, description="Requests in any 60 seconds; more get 429."
    )
    tokens_per_minute: PositiveInt | None = Field(
        default=None, description="Prompt and completion tokens in any 60 seconds; more get 429."
    )
    concurrent_requests: PositiveInt | None = Field(
        default=None, description="Requests at a time, waiting ones included; more get 429."
    )


class Oidc(Section):
    """Tokens of an identity provider (JWT), accepted beside keys."""

    issuer: str = Field(default="", description="The `iss` of accepted tokens; empty: no tokens.")
    audience: str = Field(default="modelium", description="The `aud` of accepted tokens.")
    jwks_url: str = Field(default="", description="Where the provider publishes its keys (JWKS).")
    algorithms: tuple[str, ...] = Field(
        default=("RS256", "ES256"), min_length=1, description="Accepted signature algorithms."
    )
    organization_claim: str = Field(
        default="organization", description="Claim that names the organisation."
    )
    scope_claim: str = Field(
        default="scope", description="Claim with the scopes, separated by spaces."
    )
    models_claim: str = Field(
        default="models", description="Claim with the allowed models; without it, all of them."
    )


class UploadSettings(Section):
    """Models that operators upload over HTTP."""

    enabled: bool = Field(
        default=False, description="Whether keys of scope admin may upload models."
    )
    directory: Path = Field(
        default=Path("models"),
        description="Where they go, as the gateway sees it; one of the watch directories.",
    )
    max_bytes: PositiveInt = Field(
        default=256 * GIB, description="Largest file; a larger one gets 413."
    )
    keep_unfinished_seconds: PositiveFloat = Field(
        default=7 * 86400.0,
        description="Seconds without a new byte after which an unfinished upload is thrown away.",
    )


class Gateway(Section):
    """The HTTP side."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on.")
    workers: PositiveInt = Field(
        default=1, description="Processes that serve the port, one for each core to use."
    )
    # Less than the 60 s after which nginx and others cut off an answer that has not begun.
    queue_timeout_seconds: PositiveFloat = Field(
        default=50.0, description="Seconds a plain request waits for its model before 503."
    )
    stream_queue_timeout_seconds: PositiveFloat = Field(
        default=600.0,
        description="Seconds a stream, which shows that it waits, does so before its error event.",
    )
    max_queue_per_model: PositiveInt = Field(
        default=1000, description="Requests that may wait for one model; more get 429."
    )
    max_queue_bytes: PositiveInt = Field(
        default=256 * MIB, description="Bytes of bodies that may wait altogether; more get 429."
    )
    max_in_flight_per_instance: PositiveInt = Field(
        default=256,
        description="Requests one engine gets at a time; others wait, shared out fairly.",
    )
    max_body_bytes: PositiveInt = Field(
        default=32 * MIB, description="Largest request body; more gets 413."
    )
    max_held_bytes: PositiveInt = Field(
        default=1024 * MIB,
        description=(
            "Bytes of the bodies of all requests inside, waiting or served; an organisation that "
            "would hold more than is left gets 429."
        ),
    )
    max_connections: NonNegativeInt = Field(
        default=0,
        description=(
            "Connections of clients to one worker; more get 503. 0: nearly half of the files it "
            "may have open, as each may need an engine's."
        ),
    )
    max_header_bytes: PositiveInt = Field(
        default=64 * KIB, description="Largest request line and headers together; more gets 431."
    )
    header_timeout_seconds: PositiveFloat = Field(
        default=10.0, description="Seconds a client gets to send its headers."
    )
    body_timeout_seconds: PositiveFloat = Field(
        default=60.0, description="Seconds a client gets for every 4 KiB of its body; then 408."
    )
    idle_timeout_seconds: PositiveInt = Field(
        default=75, description="Seconds a connection without a request is kept open."
    )
    write_timeout_seconds: PositiveFloat = Field(
        default=300.0,
        description="Seconds a client may read nothing of an answer that waits for it.",
    )
    shutdown_grace_seconds: NonNegativeFloat = Field(
        default=30.0, description="Seconds requests in flight get to end on shutdown."
    )
    authentication: Authentication = Field(
        default=Authentication.AUTO,
        description="keys: every request needs one; none; auto: none on loopback, else keys.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description="Names with a dot that clients may use where no key is needed; "
        "addresses, host and names without a dot they may always.",
    )
    allowed_origins: tuple[str, ...] = Field(
        default=(),
        description="Sites whose pages may use the gateway from a browser (CORS), such as "
        "https://app.example; * for all, only where keys are asked for.",
    )
    key_pepper: SecretStr | None = Field(
        default=None, description="Secret that key digests are made with; empty: from the file."
    )
    key_pepper_file: Path = Field(
        default=Path(".modelium/key-pepper"),
        description="File with that secret; made with the first key.",
    )
    organizations: dict[str, QuotaSettings] = Field(
        default={}, description="Limits of single organisations, instead of `limits`."
    )
    limits: QuotaSettings = QuotaSettings()
    oidc: Oidc = Oidc()
    uploads: UploadSettings = UploadSettings()
