"""Discoveries of other systems, and what becomes of discoveries that are repeated or late."""

import json
from pathlib import Path

import pytest

from modelium.common import events as ev
from modelium.common.bus import bind
from modelium.common.descriptor import Overrides
from modelium.common.testing import a_descriptor, a_model_record
from modelium.watcher.handlers import HANDLERS

from . import models
from .system import ANALYSED, System


async def test_another_system_names_only_a_path(system: System, tmp_path: Path) -> None:
    folder = models.write_model(tmp_path / "elsewhere" / "my model")
    system.bus.inject("model.discovered", json.dumps({"path": str(folder)}).encode())
    await system.handled()
    assert system.said == ANALYSED
    completed = system.bus.published[0]
    assert isinstance(completed, ev.ModelDiscovered)
    assert (completed.model, completed.path) == ("my-model", str(folder))


async def test_a_name_that_another_path_has_is_refused_with_both_paths(
    system: System, tmp_path: Path
) -> None:
    await system.start(a_model_record(path="/models/qwen"))
    folder = models.write_model(tmp_path / "elsewhere" / "qwen")
    await system.bus.publish(ev.ModelDiscovered(path=str(folder)))
    await system.handled()
    assert [letter.reason for letter in system.bus.dead_letters] == [
        f"the name qwen belongs to /models/qwen: give {folder} another with `model`"
    ]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"path": "/does/not/exist"}, "no model is at /does/not/exist"),
        ({"path": "models/qwen"}, "not an absolute path"),
    ],
)
async def test_a_path_without_a_model_becomes_a_dead_letter(
    system: System, event: dict[str, str], reason: str
) -> None:
    await system.bus.publish(ev.ModelDiscovered.model_validate(event))
    await system.handled()
    assert [reason in letter.reason for letter in system.bus.dead_letters] == [True]


async def test_the_name_of_another_model_is_refused(system: System, tmp_path: Path) -> None:
    await system.start(a_model_record(path="/models/qwen"))
    folder = models.write_model(tmp_path / "elsewhere")
    await system.bus.publish(ev.ModelDiscovered(path=str(folder), model="qwen"))
    await system.handled()
    assert ["belongs to /models/qwen" in it.reason for it in system.bus.dead_letters] == [True]


async def test_the_alias_of_another_model_is_refused_as_a_name(
    system: System, tmp_path: Path
) -> None:
    aliased = a_descriptor(overrides=Overrides(aliases=("small",)))
    await system.start(a_model_record(path="/models/qwen", descriptor=aliased))
    folder = models.write_model(tmp_path / "elsewhere")
    await system.bus.publish(ev.ModelDiscovered(path=str(folder), model="small"))
    await system.handled()
    assert ["small belongs to /models/qwen" in it.reason for it in system.bus.dead_letters] == [
        True
    ]


async def test_a_model_that_vanished_before_its_analysis_is_rejected(system: System) -> None:
    gone = {"path": str(system.root / "qwen"), "model": "qwen", "fingerprint": "f1"}
    await system.bus.publish(ev.ModelDiscovered.model_validate(gone))
    await system.handled()
    assert system.said == ["model.discovered", "model.rejected"]


async def test_files_that_changed_since_are_left_to_the_next_look(system: System) -> None:
    folder = models.write_model(system.root / "qwen")
    late = {"path": str(folder), "model": "qwen", "fingerprint": "of yesterday"}
    await system.bus.publish(ev.ModelDiscovered.model_validate(late))
    await system.handled()
    assert system.said == ["model.discovered"]


async def test_a_repeated_discovery_is_analysed_under_the_same_ids(system: System) -> None:
    models.write_model(system.root / "qwen")
    await system.look_at(0, 0.5)
    needs = {"files": system.folders, "store": system.store, "bus": system.bus}
    needs |= {"enabled": frozenset(), "in_hand": system.in_hand}
    handler = bind(HANDLERS, **needs, clock=system.clock)[ev.ModelDiscovered]
    await handler(system.bus.published[0])
    ids = [message.message_id for message in system.bus.published]
    assert ids[1:3] == ids[3:5]
