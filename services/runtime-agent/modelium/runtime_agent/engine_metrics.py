"""The engines' own metrics, all on one page of their agent, each with the engine's labels.

Engines are on a network of their own that nothing else is on, so Prometheus asks their agents,
which reach them wherever they run. What an engine says is not trusted: only names of those kinds of
engines are passed on, up to a size, and its labels cannot take the place of ours.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from modelium.common.records import Instance
from modelium.runtime_agent.engine_http import EngineHttp, NoAnswer
from modelium.runtime_agent.supervisor import Supervisor

PATH: Final = "/metrics/engines"
TIMEOUT_S: Final = 5.0
MOST_BYTES: Final = 4 << 20
MOST_SAMPLES: Final = 5000
KINDS: Final = ("vllm:", "modelium_host_", "ray_serve_", "process_")
"""Other names of an engine are its libraries' own."""


class EngineMetrics:
    """Asks all engines that serve when somebody asks for the page."""

    def __init__(self, supervisor: Supervisor, http: EngineHttp) -> None:
        self._supervisor = supervisor
        self._http = http

    async def page(self) -> tuple[str, bytes]:
        """Its type and text."""
        serving = [engine for engine in self._supervisor.instances() if engine.endpoint]
        said = await asyncio.gather(*(self._ask(engine) for engine in serving))
        page = _Page(list(zip(serving, said, strict=True)))
        return CONTENT_TYPE_LATEST, await asyncio.to_thread(generate_latest, page)

    async def _ask(self, engine: Instance) -> str | None:
        url = f"{engine.endpoint}/metrics"
        try:
            answer = await self._http.ask("GET", url, timeout_s=TIMEOUT_S, most_bytes=MOST_BYTES)
        except NoAnswer:
            return None
        return answer.body.decode(errors="replace") if answer.status == 200 else None


class _Page(Collector):
    """The engines' families, each once, with the samples of all engines."""

    def __init__(self, said: Sequence[tuple[Instance, str | None]]) -> None:
        self._said = said

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        up = GaugeMetricFamily(
            "modelium_engine_metrics_up",
            "Whether the engine told its metrics.",
            labels=["model", "instance_id", "agent"],
        )
        families: dict[str, Metric] = {}
        for engine, text in self._said:
            told = None if text is None else read(text)
            up.add_metric([engine.model, engine.instance_id, engine.agent_id], told is not None)
            for family in told or ():
                _add(families, family, _labels(engine))
        yield up
        yield from families.values()


def read(text: str) -> list[Metric] | None:
    """The families of an engine that are passed on; None: it does not speak Prometheus' format."""
    try:
        return list(_within_bounds(text_string_to_metric_families(text)))
    except ValueError:
        return None


def _within_bounds(families: Iterable[Metric]) -> Iterator[Metric]:
    left = MOST_SAMPLES
    for family in families:
        if family.name.startswith(KINDS) and not family.name.endswith("_created"):
            family.samples = [s for s in family.samples if not s.name.endswith("_created")][:left]
            left -= len(family.samples)
            yield family


def _labels(engine: Instance) -> dict[str, str]:
    return {
        "model": engine.model,
        "instance_id": engine.instance_id,
        "agent": engine.agent_id,
    }


def _add(families: dict[str, Metric], family: Metric, labels: dict[str, str]) -> None:
    known = families.setdefault(
        family.name, Metric(family.name, family.documentation, family.type, family.unit)
    )
    if known.type != family.type:
        return  # two engines that do not agree: the first one counts
    seen = set()
    for sample in family.samples:
        every = {**sample.labels, **labels}
        key = (sample.name, frozenset(every.items()))
        if key not in seen:
            seen.add(key)
            known.add_sample(sample.name, every, sample.value)
