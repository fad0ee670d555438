"""Logs of engines, in parts and bounded."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from modelium.common.engine_log import LINE_CHARS, LOG_BYTES, EngineLog, bounded
from modelium.common.events import EngineLogAsked
from modelium.runtime_agent.handlers import on_engine_log_asked
from modelium.runtime_agent.kept_logs import TAIL_BYTES, KeptLogs
from tests.agent_fakes import FakeLauncher


@pytest.fixture
def logs(tmp_path: Path) -> KeptLogs:
    return KeptLogs(tmp_path / "logs")


def part(logs: KeptLogs, after: str = "", lines: int = 100) -> EngineLog:
    told = logs.part("qwen.1", after, lines)
    assert told is not None
    return told


def test_what_is_written_meanwhile_is_told_once_and_in_whole_lines(logs: KeptLogs) -> None:
    with logs.begin("qwen.1", is_needed=lambda _: True) as log:
        log.write(b"one\ntw")
        log.flush()
        first = part(logs)
        assert first.lines == ("one", "tw")
        log.write(b"o\nthr")
        log.flush()
        second = part(logs, first.mark)
        assert second.lines == ("o",)
        log.write(b"ee\n")
        log.flush()
        assert part(logs, second.mark).lines == ("three",)


def test_a_place_that_the_log_does_not_have_begins_at_its_end(logs: KeptLogs) -> None:
    logs.keep("qwen.1", ["one"])
    assert part(logs, "999") == EngineLog(known=True, mark="4")


def test_of_a_long_log_only_the_end_is_read(logs: KeptLogs) -> None:
    logs.keep("qwen.1", (str(number) for number in range(TAIL_BYTES)))
    told = part(logs, lines=2000)
    assert told.lines[-1] == str(TAIL_BYTES - 1)
    assert len(told.lines) == 2000
    assert part(logs, "0", lines=1).lines == told.lines[-1:]


def test_what_is_told_is_bounded_in_every_direction() -> None:
    assert bounded(["x" * 9999], 5) == ("x" * LINE_CHARS,)
    many = bounded(["x" * 999] * 9999, 9999)
    assert sum(map(len, many)) <= LOG_BYTES < sum(map(len, many)) + 999
    assert bounded(["a", "b"], 1) == ("b",)


def test_there_is_no_log_of_an_engine_that_nobody_knows(logs: KeptLogs) -> None:
    assert logs.part("qwen.2", "", 5) is None
    assert logs.tail("qwen.2", 5) == ()


async def test_an_agent_says_when_it_has_no_log_of_an_engine() -> None:
    question = EngineLogAsked(agent_id="local", instance_id="qwen.1")
    answer = await on_engine_log_asked(question, launcher=FakeLauncher())
    assert answer == EngineLog(known=False)


@pytest.mark.parametrize("instance", ["../../etc/passwd.1", "qwen", "qwen.x", ".1", "a/b.1"])
def test_an_instance_that_could_be_another_file_cannot_be_asked_about(instance: str) -> None:
    with pytest.raises(ValidationError):
        EngineLogAsked(agent_id="local", instance_id=instance)
