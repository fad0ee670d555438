"""What is shown of models: the lists of OpenAI and Anthropic, and the pages for people.

Pure: values in, documents out.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from modelium.common.descriptor import TensorSpec
from modelium.common.figures import GatewayModelStats
from modelium.common.records import (
    LIVE_STATES,
    AgentRecord,
    InstanceState,
    ModelRecord,
    ModelState,
)
from modelium.gateway.edge.paths import routes_of
from modelium.gateway.pages.documents import (
    AnthropicCard,
    AnthropicCards,
    EnginePage,
    GatewayStatus,
    ModelCard,
    ModelInfo,
    ModelPage,
    OipModel,
    OipModelReady,
    OipTensor,
    Status,
)
from modelium.gateway.pages.tensors import tensors_of

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_VERSION: Final = "1"
"""Files that change are a new load of the same model: there is one version at a time."""


def model_info(record: ModelRecord, eta_s: int | None) -> ModelInfo:
    """What every list shows beside its own form."""
    about = record.descriptor
    return ModelInfo(
        state=record.state,
        reason=record.reason,
        eta_s=eta_s,
        wait_bound_s=None if record.wait_bound_s is None else round(record.wait_bound_s),
        generation=record.generation,
        runtime=about.runtime if about and record.state is not ModelState.REJECTED else None,
        context_length=about.wanted_context_length if about else None,
        task=about.task if about else None,
        capabilities=() if record.state is ModelState.REJECTED else routes_of(about),
    )


def _created(record: ModelRecord) -> datetime:
    """The same however often it is loaded, as clients of OpenAI's expect."""
    return record.discovered_at or _EPOCH


def model_card(record: ModelRecord, eta_s: int | None) -> ModelCard:
    """One entry of `/v1/models`, loaded or not."""
    return ModelCard(
        id=record.model,
        created=int(_created(record).timestamp()),
        modelium=model_info(record, eta_s),
    )


def anthropic_card(record: ModelRecord, eta_s: int | None) -> AnthropicCard:
    """The same for a client of Anthropic's."""
    info = model_info(record, eta_s)
    return AnthropicCard(
        id=record.model,
        display_name=record.model,
        created_at=_created(record),
        max_input_tokens=info.context_length or None,
        modelium=info,
    )


def anthropic_page(
    cards: Sequence[AnthropicCard], *, limit: int, after: str | None, before: str | None
) -> AnthropicCards:
    """At most `limit` of the cards, sorted by id: the first behind `after` or the last `before`."""
    inside = [
        card
        for card in cards
        if (after is None or card.id > after) and (before is None or card.id < before)
    ]
    data = inside[-limit:] if before is not None and after is None else inside[:limit]
    return AnthropicCards(
        data=data,
        has_more=len(inside) > limit,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
    )


def oip_model(record: ModelRecord, eta_s: int | None) -> OipModel:
    """One model's metadata by the Open Inference Protocol."""
    info, about = model_info(record, eta_s), record.descriptor
    inputs, outputs = tensors_of(about) if about else ((), ())
    return OipModel(
        name=record.model,
        versions=[_VERSION],
        platform=f"modelium_{info.runtime}" if info.runtime else "",
        inputs=_tensors(inputs),
        outputs=_tensors(outputs),
        modelium=info,
    )


def _tensors(specs: Iterable[TensorSpec]) -> list[OipTensor]:
    return [OipTensor(name=s.name, datatype=s.datatype, shape=[*s.shape]) for s in specs]


def oip_ready(record: ModelRecord, eta_s: int | None) -> OipModelReady:
    """Whether the model is loaded."""
    ready = record.state is ModelState.LOADED
    return OipModelReady(name=record.model, ready=ready, modelium=model_info(record, eta_s))


def _engines(record: ModelRecord, figures: GatewayModelStats | None) -> list[EnginePage]:
    """The one that the record tells of, and those beside it."""
    copies = [
        (c.instance_id, c.generation, c.state, c.agent_id, c.device_ids) for c in record.copies
    ]
    first = (
        record.instance_id,
        record.generation,
        record.state,
        record.agent_id,
        record.device_ids,
    )
    shown = [first, *copies] if record.state in LIVE_STATES else []
    in_flight = figures.in_flight_generations if figures else {}
    return [
        EnginePage(
            instance_id=instance_id or "",
            state=InstanceState(state.value),
            agent_id=agent_id or "",
            device_ids=device_ids,
            in_flight=in_flight.get(generation, 0),
        )
        for instance_id, generation, state, agent_id, device_ids in shown
    ]


def model_page(
    record: ModelRecord,
    eta_s: int | None,
    figures: GatewayModelStats | None,
    *,
    pinned: bool = False,
) -> ModelPage:
    """One entry of `/models`."""
    info, about = model_info(record, eta_s), record.descriptor
    return ModelPage(
        model=record.model,
        state=info.state,
        reason=info.reason,
        eta_s=eta_s,
        runtime=info.runtime,
        runtime_reason=about.runtime_reason if about else "",
        context_length=info.context_length,
        task=info.task,
        capabilities=info.capabilities,
        aliases=about.overrides.aliases if about and about.overrides else (),
        about=about,
        pinned=pinned,
        size_bytes=record.size_bytes,
        resident_bytes=record.resident_bytes,
        agent_id=record.agent_id,
        device_ids=record.device_ids,
        engines=_engines(record, figures),
        generation=record.generation,
        load_s=record.load_s,
        failures=record.failures,
        retry_at=record.retry_at,
        loaded_at=record.loaded_at,
        in_flight=figures.in_flight if figures else 0,
        waiting=figures.waiting if figures else 0,
        oldest_wait_s=round(figures.oldest_wait_s, 1) if figures else 0.0,
    )


def status_page(
    models: list[ModelPage],
    agents: list[AgentRecord] | None,
    gateway: GatewayStatus,
    *,
    missing: list[str],
) -> Status:
    """`/status`; `agents` is None when the store does not answer."""
    states = [model.state for model in models]
    return Status(
        status="ok" if agents is not None else "degraded",
        gateway=gateway,
        models_by_state={s: states.count(s) for s in ModelState if s in states},
        models=models,
        always_loaded_missing=missing,
        agents=agents,
    )
