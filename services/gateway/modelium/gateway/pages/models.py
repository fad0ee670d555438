"""Lists of models: as OpenAI and as Anthropic shape them, and for people."""

from typing import Annotated

from fastapi import APIRouter, Header, Query

from modelium.gateway.pages.bodies import AnthropicErrorBody, ErrorBody, errors
from modelium.gateway.pages.documents import (
    AnthropicCard,
    AnthropicCards,
    ModelCard,
    ModelCards,
    ModelPage,
    ModelPages,
)
from modelium.gateway.pages.parts import ModelPath, SeenModels
from modelium.gateway.pages.views import anthropic_card, anthropic_page, model_card

router = APIRouter(tags=["models"])

AnthropicVersion = Annotated[
    str | None, Header(description="given: the answer has Anthropic's shape")
]
Limit = Annotated[int, Query(ge=1, le=1000, description="models per page, of Anthropic's shape")]
Cursor = Annotated[str | None, Query(description="of Anthropic's shape")]
_BODIES = ErrorBody | AnthropicErrorBody


@router.get("/v1/models", responses=errors(400, body=_BODIES))
async def list_models(
    seen: SeenModels,
    anthropic_version: AnthropicVersion = None,
    limit: Limit = 20,
    after_id: Cursor = None,
    before_id: Cursor = None,
) -> ModelCards | AnthropicCards:
    """Models, loaded or not, in OpenAI's or Anthropic's form with a `modelium` object each.

    Those whose files cannot be served are shown by `/models` only.
    """
    if anthropic_version is None:
        return ModelCards(data=[model_card(*entry) for entry in seen.servable()])
    cards = [anthropic_card(*entry) for entry in seen.servable()]
    return anthropic_page(cards, limit=limit, after=after_id, before=before_id)


@router.get("/v1/models/{model}", responses=errors(404, 503, body=_BODIES))
async def get_model(
    model: ModelPath, seen: SeenModels, anthropic_version: AnthropicVersion = None
) -> ModelCard | AnthropicCard:
    """One model in OpenAI's or Anthropic's form."""
    entry = seen.record(model)
    return model_card(*entry) if anthropic_version is None else anthropic_card(*entry)


@router.get("/models")
async def show_models(seen: SeenModels) -> ModelPages:
    """All models for people."""
    return ModelPages(models=seen.pages())


@router.get("/models/{model}", responses=errors(404, 503))
async def show_model(model: ModelPath, seen: SeenModels) -> ModelPage:
    """One model for people; the status URL of a load or an unload."""
    return seen.page(model)
