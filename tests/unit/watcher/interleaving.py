"""One run of the watcher while files come in several ways at once, and what must be true of it."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random

from modelium.common import events as ev
from modelium.common.descriptor import Descriptor, RuntimeKind
from modelium.common.records import ModelRecord, ModelState
from modelium.common.settings import ModelDiscovery
from modelium.common.testing import FakeClock, InMemoryBus, a_descriptor, in_memory_store
from modelium.registry.news import FilesEvent, is_news
from modelium.registry.projection import apply
from modelium.watcher.filesystem import ModelFolders
from modelium.watcher.handlers import on_model_discovered
from modelium.watcher.in_hand import InHand
from modelium.watcher.listing import Candidate
from modelium.watcher.watch import Watch

from . import transfers as by
from .transfers import Contents, Disk, Pause, Steps

SETTINGS = ModelDiscovery()
FRESH = {
    "cp": by.one_by_one(by.grown),
    "cp, preallocating": by.one_by_one(by.preallocated),
    "rsync": by.one_by_one(by.rsync),
    "browser": by.one_by_one(by.browser),
    "aria2": by.one_by_one(by.aria2),
    "pages in any order": by.one_by_one(by.scattered),
    "several files at once": by.at_once,
}
FRESH_FOLDER = FRESH | {"mv": by.moved, "git clone": by.clone, "huggingface_hub": by.hub}
OVER = {
    "cp over it": by.one_by_one(by.grown),
    "rsync over it": by.one_by_one(by.rsync),
    "mv over it": by.moved,
    "rsync --inplace over it": by.one_by_one(by.in_place),
}


class Careless:
    """An analyst to whom all is well: what a whole model is, is not the matter here."""

    asks_for_signature = False

    async def analyse(self, candidate: Candidate, supported: Sequence[str]) -> Descriptor:
        return a_descriptor()

    def terms(self, path: str) -> str:
        return ""


@dataclass
class Model:
    """What is to become of one path."""

    path: Path
    target: Path
    """Where its files' names start: its folder, or the watch directory."""
    wanted: Contents
    """Its last whole contents; empty: it is to be gone."""
    versions: list[Contents]
    how: str
    whole: bool = True
    """Whether the last transfer ends as it should."""
    promoted: int = 0

    def now(self) -> Mapping[str, bytes]:
        names = {name for version in self.versions for name in version}
        there = {name: self.target / name for name in names}
        return {name: path.read_bytes() for name, path in there.items() if path.is_file()}

    def is_whole(self) -> bool:
        return self.now() in self.versions

    def is_mixed(self) -> bool:
        """Every file is one of a version, but not all of the same: nothing tells."""
        now = self.now()
        each = all(any(v.get(name) == text for v in self.versions) for name, text in now.items())
        return each and len(now) == len(self.versions[0]) and now not in self.versions


@dataclass
class Run:
    """A watcher, a registry that only keeps records, and the transfers under way."""

    seed: int
    folder: Path
    pool: Mapping[str, list[Contents]]
    models: list[Model] = field(default_factory=list)
    premature: list[str] = field(default_factory=list)
    looks: int = 0

    async def prepare(self) -> None:
        self.random = Random(self.seed)
        self.clock = FakeClock()
        self.root = self.folder / "models"
        for made in (self.root, self.folder / "elsewhere"):
            made.mkdir(parents=True)
        self.disk = Disk(self.clock, self.random, self.folder / "elsewhere")
        self.bus = InMemoryBus(clock=self.clock)
        self.store = await in_memory_store(clock=self.clock)
        self.in_hand = InHand(self.clock)
        self.folders = ModelFolders(
            [self.root],
            supported=SETTINGS.supported_extensions,
            read_by_others=False,
            analyst=Careless(),
        )
        self.watch = Watch(
            folders=self.folders,
            store=self.store,
            bus=self.bus,
            clock=self.clock,
            settings=SETTINGS,
        )
        self.heard = 0
        self.next_look_s = 0.0
        self.events = self.random.random() < 0.7

    async def play(self) -> None:
        """Several transfers at once, then more than the longest wait of quiet."""
        await self.prepare()
        order = count()
        agenda = [(self._pause(Pause.SHORT), next(order), it) for it in self._transfers()]
        heapq.heapify(agenda)
        while agenda:
            at_s, _, (model, steps) = heapq.heappop(agenda)
            await self._until(at_s)
            pause = next(steps, None)
            if self.events:
                await self._look()
            if pause is None:
                continue
            if pause is Pause.ANY and model.is_mixed():
                pause = Pause.SHORT
            next_s = self.clock.monotonic() + self._pause(pause)
            heapq.heappush(agenda, (next_s, next(order), (model, steps)))
        await self._until(self.clock.monotonic() + SETTINGS.doubtful_after_seconds + 15)

    def _pause(self, pause: Pause) -> float:
        hangs = self.random.random() if pause is Pause.ANY else 0.0
        if hangs < 0.8:
            return self.random.uniform(0.01, 0.4)
        return self.random.uniform(0.5, 3) if hangs < 0.95 else self.random.uniform(3, 20)

    async def _until(self, at_s: float) -> None:
        while self.next_look_s <= at_s:
            self.clock.jump(max(self.next_look_s - self.clock.monotonic(), 0))
            await self._look()
        self.clock.jump(at_s - self.clock.monotonic())

    async def _look(self) -> None:
        pause_s = await self.watch.look()
        self.looks += 1
        self.next_look_s = self.clock.monotonic() + max(pause_s, 0.01)
        while self.heard < len(self.bus.published):
            message = self.bus.published[self.heard]
            self.heard += 1
            await self._hear(message)

    async def _hear(self, message: ev.Message) -> None:
        """As the registry does, and the watcher's own handler."""
        assert isinstance(message, FilesEvent)
        assert message.model is not None
        record = await self.store.models.get(message.model)
        if is_news(record, message):
            changed = apply(record, message, self.clock.now())
            if changed is None:
                await self.store.models.delete(message.model)
            else:
                await self.store.models.save(changed)
        if isinstance(message, ev.ModelDiscovered):
            needs = {"store": self.store, "bus": self.bus, "clock": self.clock}
            needs |= {"enabled": frozenset(RuntimeKind), "in_hand": self.in_hand}
            await on_model_discovered(message, files=self.folders, **needs)
        if isinstance(message, ev.ModelAnalyzed):
            self._promoted(next(it for it in self.models if str(it.path) == message.path))

    def _promoted(self, model: Model) -> None:
        model.promoted += 1
        changed_ns = max((model.target / name).stat().st_mtime_ns for name in model.now())
        quiet_s = self.clock.monotonic() - changed_ns / 1e9 + 0.001
        given_up = not model.whole and quiet_s >= SETTINGS.doubtful_after_seconds
        if not (model.is_whole() or given_up):
            sizes = {name: len(text) for name, text in model.now().items()}
            self.premature.append(f"seed {self.seed}: {model.how}: {sizes}")

    async def missed(self) -> list[str]:
        """The models of which the last word is not what it should be."""
        records = {record.path: record for record in await self.store.models.all()}
        wrong: list[str] = []
        for model in self.models:
            record = records.get(str(model.path))
            state = record.state if record else None
            expected = {ModelState.UNLOADED} if model.wanted else {None}
            if not model.whole:
                expected = {ModelState.REJECTED, ModelState.UNLOADED, None}
            known = state in expected and await self._is_up_to_date(model, record)
            if not known or (model.whole and model.wanted and not model.promoted):
                reason = record.reason if record else "not known"
                wrong.append(f"seed {self.seed}: {model.how}: {state} ({reason})")
        return wrong

    async def _is_up_to_date(self, model: Model, record: ModelRecord | None) -> bool:
        if record is None:
            return True
        return (await self.folders.look(str(model.path))).fingerprint == record.fingerprint

    def _transfers(self) -> Iterator[tuple[Model, Steps]]:
        for number in range(self.random.randint(1, 3)):
            kind = self.random.choice(sorted(self.pool))
            first, second = self.random.sample(self.pool[kind], 2)
            model = self._model(number, kind, first, second)
            self.models.append(model)
            yield model, self._steps(model)

    def _model(self, number: int, kind: str, first: Contents, second: Contents) -> Model:
        if not kind.startswith("file "):
            target = self.root / f"m{number}"
            return Model(target, target, first, [first, second], kind)
        named = [{f"m{number}{name}": text for name, text in it.items()} for it in (first, second)]
        path = self.root / f"m{number}{kind.removeprefix('file ')}"
        return Model(path, self.root, named[0], named, kind)

    def _steps(self, model: Model) -> Steps:
        """A first transfer, and perhaps another one over it, or its end."""
        is_file = model.target == self.root
        ways = FRESH if is_file else FRESH_FOLDER
        way = self.random.choice(sorted(ways))
        fate = self.random.random()
        if fate < 0.2:
            model.how += ", cut"
            yield from self._cut(model)
            return
        model.how += f", {way}"
        yield from ways[way](self.disk, model.target, model.wanted)
        if fate < 0.5:
            yield Pause.ANY
            yield from self._again(model, is_file=is_file)

    def _again(self, model: Model, *, is_file: bool) -> Steps:
        over = sorted(set(OVER) - ({"mv over it"} if is_file else set()))
        way = self.random.choice([*over, *(() if is_file else ("rm",))])
        model.how += f", {way}"
        if way == "rm":
            contents, model.wanted = model.wanted, {}
            yield from by.removed(self.disk, model.target, contents)
            return
        model.wanted = model.versions[1]
        model.promoted = 0
        yield from OVER[way](self.disk, model.target, model.wanted)

    def _cut(self, model: Model) -> Steps:
        """All of it but the end of one file, for ever."""
        model.whole = False
        cut = self.random.choice(sorted(model.wanted))
        names = self.random.sample(sorted(model.wanted), len(model.wanted))
        for name in names:
            content = model.wanted[name]
            writer = self.random.choice([by.grown, by.preallocated])
            upto = self.random.randrange(max(len(content) - 8, 1)) if name == cut else None
            yield from writer(self.disk, model.target / name, content, upto=upto)
