"""What this agent has begun, on disk: the next one carries on where it was killed.

The launchers know which engines run; the journal knows what was being done with each. Without it
(an empty folder) engines are still adopted, only what was under way is forgotten.
"""

import asyncio
from pathlib import Path

from pydantic import ValidationError

from modelium.common.events import Command, SleepModel, UnloadModel, WakeModel
from modelium.common.frozen import Frozen
from modelium.common.records import InstanceState
from modelium.runtime_agent.launcher import EngineRecord
from modelium.runtime_agent.small_files import note


class Entry(Frozen):
    """One engine, from the command to load it until its end is announced."""

    record: EngineRecord
    state: InstanceState
    served: bool
    """Whether it has been ready at some time."""
    load_s: float | None = None
    resident_bytes: int = 0
    sleep_s: float | None = None
    wake_s: float | None = None
    sleep_level: int = 0
    """From before it is put to sleep until it is awake again."""
    engine: str = ""
    """Its kind and version, once it has said them."""
    answer: str = ""
    """To its test request, when it was first proved."""
    unload: UnloadModel | None = None

    @property
    def leaves_for(self) -> str:
        """Why it leaves its memory, if it does."""
        return self.unload.reason if self.unload else "it is put to sleep"

    def can_be_told(self, order: Command) -> bool:
        """Whether there is anything to do for the order in this state."""
        sensible = {
            SleepModel: self.state is InstanceState.LOADED,
            WakeModel: self.state is InstanceState.SLEEPING,
            UnloadModel: self.unload is None,
        }
        return sensible.get(type(order), False)


class Journal:
    """One small file per engine, replaced as a whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def write(self, entry: Entry) -> None:
        """Add or replace an engine's entry; one that was begun is never overtaken by the next.

        On a full disk the entry stays as it was: a later agent then knows less of the engine.
        """
        await note(self._path(entry.record.instance_id), entry.model_dump_json())

    async def remove(self, instance_id: str) -> None:
        """The engine is gone and everybody was told."""
        await asyncio.to_thread(self._path(instance_id).unlink, missing_ok=True)

    async def entries(self) -> list[Entry]:
        """All of them; a file that was damaged is removed."""
        return await asyncio.to_thread(self._read_all)

    def _path(self, instance_id: str) -> Path:
        return self._folder / f"{instance_id}.json"

    def _read_all(self) -> list[Entry]:
        for left_over in self._folder.glob("*.part"):
            left_over.unlink()
        found = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                found.append(Entry.model_validate_json(path.read_text()))
            except ValidationError:
                path.unlink()
        return found
