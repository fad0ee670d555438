"""The main job from end to end: real NATS, Redis and services, and the stub engine.

`test_vllm.py` runs the same story with real engines.
"""

import asyncio
import json
import shutil
import subprocess
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import nats
import pytest

from modelium.cli.sample import write_sample_model
from modelium.common.settings import MIB
from tests.system import System, running, server_binary, stub_python, wait_until

ENGINE_SETTINGS = {"vllm": {"overhead_bytes": 300 * MIB, "kv_cache_bytes": 100 * MIB}}
ENGINE = ("--resident-mib", "400")
ONE_ENGINE = 700 * MIB
"""A slot's memory that holds one such engine and not two."""


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """Memory for one engine."""
    with running(
        tmp_path,
        engine_python=stub_python(tmp_path, *ENGINE),
        slot_bytes=ONE_ENGINE,
        settings=ENGINE_SETTINGS,
    ) as started:
        yield started


def drop(system: System, *names: str) -> None:
    """Put sample models into the folder as a user would, and wait until they are known."""
    for name in names:
        write_sample_model(system.folder / "made" / name)
        shutil.copytree(system.folder / "made" / name, system.models / name)
    for name in names:
        system_knows(system, name)


def system_knows(system: System, name: str) -> None:
    wait_until(f"{name} is known", lambda: (system.model(name) or {}).get("state") == "unloaded")


def test_a_dropped_model_answers_its_first_request_and_is_forgotten_with_its_folder(
    system: System,
) -> None:
    drop(system, "tiny")
    answer = system.chat("tiny")
    assert answer["choices"][0]["message"]["content"]
    assert system.model("tiny")["state"] == "loaded"
    shutil.rmtree(system.models / "tiny")
    wait_until("tiny is forgotten", lambda: system.model("tiny") is None)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        system.chat("tiny")
    wait_until("its engine has gone", lambda: not system.engines())


def test_two_models_in_one_slot_take_turns_and_every_request_is_answered(system: System) -> None:
    drop(system, "a", "b")
    for name in ("a", "b", "a"):
        assert system.chat(name)["model"] == name
    assert system.model("a")["state"] == "loaded"
    assert system.model("b")["state"] == "unloaded"


def test_a_busy_model_is_drained_before_it_makes_room(tmp_path: Path) -> None:
    engine = stub_python(tmp_path, *ENGINE, "--chunk-delay", "0.2")
    with running(
        tmp_path, engine_python=engine, slot_bytes=ONE_ENGINE, settings=ENGINE_SETTINGS
    ) as system:
        drop(system, "a", "b")
        system.chat("a")

        async def both() -> tuple[object, object]:
            slow = asyncio.to_thread(system.chat, "a", max_tokens=20)
            return await asyncio.gather(slow, asyncio.to_thread(system.chat, "b"))

        slow, quick = asyncio.run(both())
        assert slow["model"] == "a"
        assert quick["model"] == "b"


def test_an_idle_model_is_unloaded_and_a_pinned_one_is_not(tmp_path: Path) -> None:
    policies = {
        "evict_after_idle_seconds": 2.0,
        "evict_idle_always": True,
        "always_loaded": ["pinned"],
    }
    settings = {**ENGINE_SETTINGS, "orchestration": {"policies": policies}}
    with running(
        tmp_path,
        engine_python=stub_python(tmp_path, *ENGINE),
        slot_bytes=2 * ONE_ENGINE,
        settings=settings,
    ) as system:
        drop(system, "idle")
        write_sample_model(system.models / "pinned")
        system.wait_for_state("pinned", "loaded")
        system.chat("idle")
        system.wait_for_state("idle", "unloaded", 30)
        assert system.model("pinned")["state"] == "loaded"


def test_a_model_that_never_fits_beside_a_pinned_one_is_refused_and_told_why(
    tmp_path: Path,
) -> None:
    policies = {"always_loaded": ["pinned"]}
    with running(
        tmp_path,
        engine_python=stub_python(tmp_path, *ENGINE),
        slot_bytes=ONE_ENGINE,
        settings={**ENGINE_SETTINGS, "orchestration": {"policies": policies}},
    ) as system:
        write_sample_model(system.models / "pinned")
        system.wait_for_state("pinned", "loaded")
        drop(system, "other")
        with pytest.raises(urllib.error.HTTPError, match="503") as refused:
            system.chat("other")
        told = json.loads(refused.value.read())["error"]
        assert told["code"] == "capacity_exceeded"
        assert "beside pinned, which is always loaded" in told["message"]


def test_another_system_may_announce_and_request_models_over_nats(system: System) -> None:
    outside = system.folder / "elsewhere" / "far"
    write_sample_model(outside)

    async def publish(subject: str, payload: dict[str, str]) -> None:
        client = await nats.connect(f"nats://127.0.0.1:{system.ports['nats']}")
        await client.publish(subject, json.dumps(payload).encode())
        await client.drain()

    asyncio.run(publish("model.discovered", {"path": str(outside)}))
    system_knows(system, "far")
    asyncio.run(publish("model.requested", {"model": "far"}))
    system.wait_for_state("far", "loaded")


def test_redis_shows_a_model_as_a_person_would_write_it(system: System) -> None:
    drop(system, "tiny")
    system.chat("tiny")
    cli = [server_binary("redis-cli"), "-p", str(system.ports["redis"])]
    lines = subprocess.run(
        [*cli, "hgetall", "modelium:model:tiny"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    shown = dict(zip(lines[::2], lines[1::2], strict=True))
    assert shown["state"] == "loaded"
    assert shown["descriptor.architecture"] == "Qwen2ForCausalLM"
    assert shown["endpoint"].startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    "victim", ["watcher", "registry", "brain", "orchestrator", "runtime_agent", "redis", "nats"]
)
def test_a_killed_process_comes_back_and_the_engine_is_kept(system: System, victim: str) -> None:
    drop(system, "tiny")
    system.chat("tiny")
    engine = system.model("tiny")["generation"]
    system.kill(victim)
    assert system.chat("tiny")["model"] == "tiny"
    system.start(victim)
    drop(system, "later")
    assert system.model("tiny")["generation"] == engine
    assert system.chat("later")["model"] == "later"


def test_a_redis_and_a_nats_that_come_back_empty_are_filled_again(system: System) -> None:
    drop(system, "tiny", "other")
    system.chat("tiny")
    engine = system.model("tiny")["generation"]
    for server in ("redis", "nats"):
        system.kill(server)
        shutil.rmtree(system.folder / server)
        system.start(server)
    wait_until("the registry knows both again", lambda: _stored(system) == {"tiny", "other"}, 60)
    wait_until("its engine is known again", lambda: _serves(system, "tiny", engine))
    assert system.chat("other")["model"] == "other"


def _serves(system: System, model: str, generation: int) -> bool:
    record = system.model(model)
    return (record["state"], record["generation"]) == ("loaded", generation)


def _stored(system: System) -> set[str]:
    cli = [server_binary("redis-cli"), "-p", str(system.ports["redis"])]
    answer = subprocess.run(
        [*cli, "smembers", "modelium:models"], capture_output=True, text=True, check=False
    )
    return set(answer.stdout.split())


def test_a_request_that_waits_while_the_orchestrator_dies_is_answered(tmp_path: Path) -> None:
    engine = stub_python(tmp_path, *ENGINE, "--startup-delay", "4")
    with running(
        tmp_path, engine_python=engine, slot_bytes=ONE_ENGINE, settings=ENGINE_SETTINGS
    ) as system:
        drop(system, "tiny")

        async def ask_while_killing() -> object:
            asking = asyncio.create_task(asyncio.to_thread(system.chat, "tiny"))
            await asyncio.to_thread(system.wait_for_state, "tiny", "loading")
            for victim in ("orchestrator", "runtime_agent", "registry"):
                await asyncio.to_thread(system.kill, victim)
                await asyncio.to_thread(system.start, victim)
            return await asking

        assert asyncio.run(ask_while_killing())["model"] == "tiny"
        assert system.model("tiny")["generation"] == 1


def test_an_engine_that_cannot_start_says_why_and_heals_when_asked_again(tmp_path: Path) -> None:
    marker = tmp_path / "broken"
    marker.touch()
    engine = tmp_path / "sometimes"
    stub = stub_python(tmp_path, *ENGINE)
    engine.write_text(
        f"#!/bin/sh\n[ -e {marker} ] && echo 'RuntimeError: no luck' && exit 1\n"
        f'exec {stub} "$@"\n'
    )
    engine.chmod(0o755)
    with running(
        tmp_path / "system", engine_python=engine, slot_bytes=ONE_ENGINE, settings=ENGINE_SETTINGS
    ) as system:
        drop(system, "tiny")
        with pytest.raises(urllib.error.HTTPError) as refusal:
            system.chat("tiny")
        assert refusal.value.code == 503
        assert "no luck" in system.model("tiny")["reason"]
        marker.unlink()
        system.wait_for_state("tiny", "loaded", 60)
