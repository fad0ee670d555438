"""/metrics of a gateway with several workers: whichever of them answers, the sum over all.

Every worker writes its numbers into a folder each second, and adds up what the others wrote when it
is asked. Counters of a worker that died stay in the sum; kill -9 loses its last second. Gauges are
added too, except facts such as `…_info` and times of a start.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from modelium.common.clock import Clock

WRITE_EVERY_S: Final = 1.0
_ENDED: Final = ".ended"
_COUNTING: Final = frozenset({"counter", "histogram", "summary"})


def retire(folder: Path, number: int) -> None:
    """The worker has ended: from now on only what it counted is added."""
    written = folder / f"{number}.json"
    if written.exists():
        written.rename(written.with_suffix(_ENDED))


class SharedMetrics:
    """One worker's part; `number` names it among the others."""

    def __init__(self, folder: Path, number: int, registry: Collector, clock: Clock) -> None:
        self._folder = folder
        self._own = folder / f"{number}.json"
        self._registry = registry
        self._clock = clock

    async def run(self) -> None:
        """Write for ever."""
        while True:
            self.write()
            await self._clock.sleep(WRITE_EVERY_S)

    def write(self) -> None:
        """Leave the numbers of now to the others."""
        families = [[*_facts(metric), _samples(metric)] for metric in self._registry.collect()]
        unfinished = self._own.with_suffix(".new")
        unfinished.write_text(json.dumps(families))
        unfinished.replace(self._own)

    def exposition(self) -> bytes:
        """The sum, as Prometheus reads it."""
        return generate_latest(_Fixed([*self._registry.collect(), *self._of_others()]))

    def _of_others(self) -> Iterator[Metric]:
        written = {path.stem for path in self._folder.iterdir() if path.suffix in (".json", _ENDED)}
        for number in written - {self._own.stem}:
            yield from _read(self._folder / f"{number}.json")


class _Fixed(Collector):
    """The families, each once, with its samples added up."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._sums: dict[str, tuple[Metric, dict[tuple[str, frozenset[Any]], float]]] = {}
        for metric in metrics:
            self._add(metric)

    def _add(self, metric: Metric) -> None:
        family = Metric(*_facts(metric))
        _, sums = self._sums.setdefault(metric.name, (family, {}))
        for name, labels, value in _samples(metric):
            key = (name, frozenset(labels.items()))
            sums[key] = _together(name, sums[key], value) if key in sums else value

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        for family, sums in self._sums.values():
            for (name, labels), value in sums.items():
                family.add_sample(name, dict(labels), value)
            yield family


def _together(sample: str, one: float, other: float) -> float:
    if sample.endswith(("_info", "oldest_wait_seconds")):
        return max(one, other)
    if sample.endswith(("_created", "_start_time_seconds")):
        return min(one, other)
    return one + other


def _facts(metric: Metric) -> tuple[str, str, str]:
    return metric.name, metric.documentation, metric.type


def _samples(metric: Metric) -> list[tuple[str, dict[str, str], float]]:
    return [(sample.name, sample.labels, sample.value) for sample in metric.samples]


def _read(path: Path) -> Iterator[Metric]:
    ended = False
    try:
        text = path.read_text()
    except FileNotFoundError:
        text, ended = path.with_suffix(_ENDED).read_text(), True
    for name, documentation, kind, samples in json.loads(text):
        if ended and kind not in _COUNTING:
            continue
        metric = Metric(name, documentation, kind)
        for sample, labels, value in samples:
            metric.add_sample(sample, labels, value)
        yield metric
