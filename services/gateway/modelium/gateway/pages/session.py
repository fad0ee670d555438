"""`/session`: who a key is, and what it may do here; what a page asks first."""

from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from modelium.common.api_keys import Scope
from modelium.common.settings_gateway import Authentication
from modelium.gateway.access.address import is_open
from modelium.gateway.access.assembly import Access
from modelium.gateway.access.http import access_of, needs
from modelium.gateway.access.principal import ANONYMOUS, Principal

router = APIRouter(tags=["pages"])


class Features(BaseModel):
    """What the settings of this gateway allow beside what is always there."""

    upload: bool = Field(description="whether models can be uploaded")


class Session(BaseModel):
    """Who asks, and where."""

    organization: str
    key_id: str | None = Field(description="null: no key is needed, and none was given")
    name: str = Field(description="the key's; empty: it has none")
    scopes: list[Scope]
    models: list[str] = Field(description="patterns of the models it is for; none: all")
    authentication: Authentication = Field(description="none: no key is needed")
    version: str
    features: Features


@router.get("/session")
async def show_session(
    who: Annotated[Principal, Depends(needs(Scope.READ))],
    access: Annotated[Access, Depends(access_of)],
) -> Session:
    """Who asks, what they may do, and what there is."""
    settings = access.settings.gateway
    return Session(
        organization=who.organization,
        key_id=None if who.key_id == ANONYMOUS else who.key_id,
        name=access.keys.name_of(who.key_id),
        scopes=sorted(who.scopes),
        models=list(who.models),
        authentication=Authentication.NONE if is_open(settings) else Authentication.KEYS,
        version=version("modelium"),
        features=Features(upload=settings.uploads.enabled),
    )
