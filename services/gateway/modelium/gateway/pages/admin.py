"""`/admin/keys` and `/admin/usage`: API keys, and what was used.

A key of scope `admin` sees and changes everything; one of scope `read` sees the usage of its own
organisation.
"""

from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints

from modelium.common.api_keys import MODEL_PATTERN, ApiKey, OrganizationId, Scope
from modelium.common.errors import Conflict, DependencyUnavailable, SettingsError
from modelium.common.events import KeyChanged
from modelium.common.key_keeping import NoSuchKey, create_key, revoke_key
from modelium.common.usage import By, Figures, Usage, grouped, total
from modelium.gateway.access.assembly import Access
from modelium.gateway.access.http import access_of, needs
from modelium.gateway.access.principal import Principal
from modelium.gateway.edge import errors_http as errors
from modelium.gateway.pages.bodies import errors as answers

DEFAULT_DAYS: Final = 30
MOST_DAYS: Final = 400

Parts = Annotated[Access, Depends(access_of)]
Reader = Annotated[Principal, Depends(needs(Scope.READ))]
Admin = Annotated[Principal, Depends(needs(Scope.ADMIN))]
router = APIRouter(prefix="/admin", tags=["admin"])


class Key(BaseModel):
    """An API key, as far as it may be shown."""

    model_config = ConfigDict(from_attributes=True)

    key_id: str = Field(description="the key's beginning")
    organization: str
    name: str
    scopes: tuple[Scope, ...]
    models: tuple[str, ...] = Field(description="patterns; none: all models")
    requests_per_minute: int | None
    tokens_per_minute: int | None
    concurrent_requests: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKey(Key):
    """An API key that was just made."""

    key: str = Field(description="the key itself; it cannot be shown again")


class Keys(BaseModel):
    """All keys there are."""

    keys: list[Key]


class KeyWanted(BaseModel):
    """What a new key is to be."""

    model_config = ConfigDict(extra="forbid")

    organization: OrganizationId | None = Field(
        default=None, description="left out: that of the key that asks"
    )
    name: str = Field(default="", max_length=200)
    scopes: tuple[Scope, ...] = Field(default=(Scope.INFERENCE, Scope.READ), min_length=1)
    models: tuple[Annotated[str, StringConstraints(pattern=MODEL_PATTERN)], ...] = ()
    requests_per_minute: PositiveInt | None = None
    tokens_per_minute: PositiveInt | None = None
    concurrent_requests: PositiveInt | None = None
    expires_at: datetime | None = Field(default=None, description="with its time zone")


class UsageOf(BaseModel):
    """Figures of one group; what the groups do not tell apart is null."""

    organization: str | None = None
    day: date | None = None
    key_id: str | None = None
    model: str | None = None
    requests: int
    prompt_tokens: int
    completion_tokens: int
    device_seconds: float
    load_seconds: float


class UsageReport(BaseModel):
    """What was used from the first to the last day, both included, in UTC."""

    first: date
    last: date
    usage: list[UsageOf]
    total: UsageOf


@router.get("/keys", responses=answers(503))
async def list_keys(_: Admin, access: Parts) -> Keys:
    """The API keys, revoked and expired ones included."""
    try:
        keys = await access.store.api_keys.all()
    except DependencyUnavailable as error:
        raise errors.unavailable(str(error)) from error
    return Keys(keys=[Key.model_validate(key) for key in keys])


@router.post("/keys", status_code=201, responses=answers(503))
async def make_key(wanted: KeyWanted, who: Admin, access: Parts) -> NewKey:
    """Make an API key; the answer is the only place where it can be read."""
    if wanted.expires_at is not None and wanted.expires_at.tzinfo is None:
        raise errors.invalid_request("expires_at needs a time zone.", param="expires_at")
    fields = wanted.model_dump() | {"organization": wanted.organization or who.organization}
    now = access.clock.now()
    try:
        minted = await create_key(access.store.api_keys, access.settings.gateway, now, **fields)
    except (SettingsError, DependencyUnavailable) as error:
        raise errors.unavailable(str(error)) from error
    await _changed(access, minted.record)
    return NewKey(key=minted.text, **Key.model_validate(minted.record).model_dump())


@router.delete("/keys/{key}", responses=answers(404, 503))
async def end_key(key: Annotated[str, Path(description="its id")], _: Admin, access: Parts) -> Key:
    """Revoke an API key; here it ends at once, at other gateways as soon as they hear of it."""
    try:
        revoked = await revoke_key(access.store.api_keys, key, access.clock.now())
    except NoSuchKey as error:
        raise errors.not_found(str(error)) from error
    except (Conflict, DependencyUnavailable) as error:
        raise errors.unavailable(str(error)) from error
    await _changed(access, revoked)
    return Key.model_validate(revoked)


async def _changed(access: Access, key: ApiKey) -> None:
    access.keys.apply(key)
    await access.bus.publish(KeyChanged(key_id=key.key_id))


class UsageQuery(BaseModel):
    """Which usage, and how it is told apart."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    organization: OrganizationId | None = Field(
        default=None, description="left out: all that the key may see"
    )
    key_id: str | None = None
    model: str | None = None
    first: date | None = Field(default=None, alias="from", description="left out: 30 days")
    last: date | None = Field(default=None, alias="to", description="left out: today")
    group_by: list[By] = Field(default=[By.ORGANIZATION, By.KEY, By.MODEL])


@router.get("/usage", responses=answers(503))
async def show_usage(
    query: Annotated[UsageQuery, Query()], who: Reader, access: Parts
) -> UsageReport:
    """What was used, by organisation, key and model, or as `group_by` says (repeat it)."""
    last = query.last or access.clock.now().date()
    first = query.first or last - timedelta(days=DEFAULT_DAYS - 1)
    if not first <= last <= first + timedelta(days=MOST_DAYS):
        text = f"`from` must be before `to`, and not more than {MOST_DAYS} days."
        raise errors.invalid_request(text, param="from")
    try:
        rows = await access.store.usage.of(_organization(query, who), first, last)
    except DependencyUnavailable as error:
        raise errors.unavailable(str(error)) from error
    return _report([row for row in rows if _asked_for(row, query)], query.group_by, first, last)


def _organization(query: UsageQuery, who: Principal) -> str | None:
    """Whose usage to show; None is everybody's."""
    if Scope.ADMIN in who.scopes:
        return query.organization
    if query.organization not in (None, who.organization):
        raise errors.insufficient_scope("Usage of other organisations needs the scope admin.")
    return who.organization


def _asked_for(row: Usage, query: UsageQuery) -> bool:
    return query.key_id in (None, row.key_id) and query.model in (None, row.model)


def _report(rows: list[Usage], by: list[By], first: date, last: date) -> UsageReport:
    groups = [
        _figures(figures, dict(zip(by, names, strict=True)))
        for names, figures in grouped(rows, by).items()
    ]
    return UsageReport(first=first, last=last, usage=groups, total=_figures(total(rows), {}))


def _figures(figures: Figures, names: dict[Any, str]) -> UsageOf:
    rounded = {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in asdict(figures).items()
    }
    return UsageOf.model_validate({str(by): name for by, name in names.items()} | rounded)
