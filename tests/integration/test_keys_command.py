"""`modelium keys` with a real Redis and NATS: before there is a gateway, and beside one."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelium.common.api_keys import Scope
from modelium.common.bus import bind
from modelium.common.clock import SystemClock
from modelium.common.errors import ExitCode
from modelium.common.events import KeyChanged
from modelium.common.key_pepper import read_pepper
from modelium.common.load_settings import Settings
from modelium.common.nats_bus import NatsBus
from modelium.common.redis_store import RedisStore
from modelium.common.settings import Gateway
from modelium.gateway.access.assembly import assemble_access
from modelium.gateway.edge.errors_http import ApiError
from tests.access_kit import Around, bearer
from tests.servers import Server
from tests.system import free_port
from tests.windows import MemoryWindows


class Command:
    """`modelium`, in a folder of its own, with the servers of the test."""

    def __init__(self, folder: Path, redis: Server, nats_url: str) -> None:
        self.folder = folder
        self._environment = os.environ | {
            "MODELIUM_REDIS__URL": redis.url,
            "MODELIUM_NATS__URL": nats_url,
        }

    def run(self, *words: str, expect: int = ExitCode.OK) -> str:
        """Its stdout; what it says beside it is in `said`."""
        command = (sys.executable, "-m", "modelium.cli.main", *words)
        ended = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=30,
        )
        self.said = ended.stderr
        assert ended.returncode == expect, ended.stderr
        return ended.stdout

    def complete(self, *words: str) -> list[str]:
        """What a shell offers for these words, of which the last is begun."""
        asked = {
            "_MODELIUM_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(("modelium", *words)),
            "COMP_CWORD": str(len(words)),
        }
        ended = subprocess.run(
            [Path(sys.executable).parent / "modelium"],  # completion goes by the program's name
            cwd=self.folder,
            env=self._environment | asked,
            capture_output=True,
            text=True,
            timeout=30,
        )
        return ended.stdout.split()


@pytest.fixture
def command(tmp_path: Path, own_redis: Server, nats: Server) -> Iterator[Command]:
    yield Command(tmp_path, own_redis, nats.url)


def test_a_key_is_printed_once_and_listed_without_its_secret(command: Command) -> None:
    text = command.run(
        *("keys", "create", "--name", "ci", "-o", "acme", "--model", "qwen*"),
        *("--expires", "90d", "--requests-per-minute", "60"),
    ).strip()
    assert text.startswith("mk-")
    assert "shown this once" in command.said
    listed = command.run("keys", "list")
    assert text[: len("mk-0123456789ab")] in listed
    assert text not in listed
    for word in ("acme", "ci", "inference,read", "qwen*", "60 requests/min", "ends on"):
        assert word in listed
    [key] = json.loads(command.run("keys", "list", "--json"))
    assert key["organization"] == "acme"
    assert not {"digest", "pepper_id"} & key.keys()
    pepper = command.folder / ".modelium" / "key-pepper"
    assert pepper.stat().st_mode & 0o777 == 0o600
    assert pepper.read_text().strip() not in command.run("config", "show")


def test_a_key_can_be_revoked_by_its_id_or_itself(command: Command) -> None:
    for named in ("key_id", "key"):
        made = json.loads(command.run("keys", "create", "--scope", "admin", "--json"))
        name = made[named]
        assert json.loads(command.run("keys", "revoke", name, "--json"))["revoked_at"]
    assert command.run("keys", "list").count("revoked on") == 2


def test_a_shell_completes_the_keys_there_are(command: Command) -> None:
    kept, ended = (json.loads(command.run("keys", "create", "--json")) for _ in range(2))
    command.run("keys", "revoke", ended["key_id"])
    assert command.complete("keys", "revoke", "mk-") == [kept["key_id"]]
    known = {kept["key_id"], ended["key_id"]}
    assert set(command.complete("usage", "--key", "")) == known


def test_what_makes_no_sense_is_refused_and_makes_nothing(command: Command) -> None:
    for wrong, why in (
        (("--expires", "yesterday"), "--expires yesterday: expected 30m, 12h, 90d"),
        (("--expires", "2020-01-01"), "a day to come"),
        (("--expires", "999999w"), "--expires 999999w: expected 30m, 12h, 90d"),
        (("--scope", "everything"), "'inference', 'read' or 'admin'"),
        (("--organization", "a/b"), "organization"),
    ):
        command.run("keys", "create", *wrong, expect=ExitCode.USAGE)
        assert why in command.said
    command.run("keys", "revoke", "nobody", expect=ExitCode.FAILURE)
    assert "There is no API key 'nobody'" in command.said
    assert command.run("keys", "list").startswith("There are no keys")
    assert not (command.folder / ".modelium").exists()


def test_a_lost_pepper_is_not_replaced_while_keys_need_it(command: Command) -> None:
    made = json.loads(command.run("keys", "create", "--json"))
    (command.folder / ".modelium" / "key-pepper").unlink()
    command.run("keys", "create", expect=ExitCode.CONFIG)
    assert "key_pepper_file" in command.said
    command.run("keys", "revoke", made["key_id"])
    command.run("keys", "create")


def test_without_redis_it_says_so(tmp_path: Path, own_redis: Server) -> None:
    own_redis.kill()
    command = Command(tmp_path, own_redis, "nats://127.0.0.1:1")
    command.run("keys", "list", expect=ExitCode.UNAVAILABLE)
    assert "redis.url" in command.said


def test_without_nats_a_key_is_made_and_the_delay_told(tmp_path: Path, own_redis: Server) -> None:
    command = Command(tmp_path, own_redis, f"nats://127.0.0.1:{free_port()}")
    assert command.run("keys", "create").startswith("mk-")
    assert "within ten seconds" in command.said


async def test_gateways_hear_of_a_key_and_of_its_end(command: Command, own_redis: Server) -> None:
    clock, store = SystemClock(), RedisStore(own_redis.url)
    bus = NatsBus(command._environment["MODELIUM_NATS__URL"], source="gateway-test")
    await bus.open()
    gateway = Gateway(
        authentication="keys", key_pepper_file=command.folder / ".modelium" / "key-pepper"
    )
    assert read_pepper(gateway) is None
    around = Around(clock, store, bus)
    access = assemble_access(around, Settings(gateway=gateway), MemoryWindows(clock))
    heard = asyncio.Event()

    async def on_key_changed(message: KeyChanged) -> None:
        await access.keys.read()
        heard.set()

    ready = asyncio.Event()

    async def on_gap() -> None:
        ready.set()

    async with asyncio.TaskGroup() as group:
        following = group.create_task(bus.follow(bind({KeyChanged: on_key_changed}), on_gap=on_gap))
        await ready.wait()
        made = await asyncio.to_thread(command.run, "keys", "create", "--json")
        await heard.wait()
        headers = bearer(json.loads(made)["key"])
        principal = access.authenticator.authenticate(headers, Scope.READ)
        assert principal is not None
        heard.clear()
        await asyncio.to_thread(command.run, "keys", "revoke", json.loads(made)["key_id"])
        await heard.wait()
        with pytest.raises(ApiError, match="was revoked"):
            access.authenticator.authenticate(headers, Scope.READ)
        following.cancel()
    await bus.close()
    await store.close()
