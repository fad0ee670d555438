"""What vLLM is asked over HTTP, and what its answers are taken for."""

from pathlib import Path

import pytest

from modelium.common.records import DeviceKind
from modelium.common.settings import Vllm
from modelium.runtime_agent.engine_http import EngineHttp
from modelium.runtime_agent.launcher import record_of
from modelium.runtime_agent.runtime import CannotSleep, NotServing, Work
from modelium.runtime_agent.runtimes.vllm import VllmRuntime, work_of
from modelium.runtime_agent.runtimes.vllm_canary import CANARY_TOKENS
from tests.agent_fakes import Answers
from tests.agent_kit import a_load, a_record


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ((200, b'{"version": "0.33.0"}'), "vllm-0.33.0"),
        ((404, b"not found"), "vllm"),  # an image of one's own: it serves all the same
        ((200, b"{}"), "vllm"),
    ],
)
async def test_an_engine_is_known_by_its_kind_and_version(
    said: tuple[int, bytes], expected: str
) -> None:
    answers = {"/v1/models": (200, b'{"data": [{"id": "qwen"}]}'), "/version": said}
    runtime = VllmRuntime(Vllm(), Answers(answers))
    proof = await runtime.prove("http://e", record_of(a_load(Path("/m")), DeviceKind.CPU))
    assert proof.engine == expected


@pytest.mark.parametrize(
    ("level", "asked"),
    [
        (1, ["/sleep?level=1&mode=wait", "/wake_up"]),
        # Without tags it would go on before its weights are read again.
        (
            2,
            [
                "/sleep?level=2&mode=wait",
                "/wake_up?tags=weights",
                "/collective_rpc",
                "/wake_up?tags=kv_cache",
            ],
        ),
    ],
)
async def test_each_level_has_its_own_way_to_sleep_and_to_wake(
    level: int, asked: list[str]
) -> None:
    http = Answers({"/is_sleeping": (200, b'{"is_sleeping": true}')})
    runtime = VllmRuntime(Vllm(), http)
    await runtime.sleep("http://e", level)
    http.answers["/is_sleeping"] = (200, b'{"is_sleeping": false}')
    await runtime.wake("http://e", level)
    assert [path for path in http.asked if path != "/is_sleeping"] == asked
    assert http.bodies.get("/collective_rpc") in (None, {"method": "reload_weights"})


@pytest.mark.parametrize(
    ("answers", "error", "reason"),
    [
        ({"/sleep?level=1&mode=wait": (404, b"{}")}, CannotSleep, "without sleep mode"),
        ({"/sleep?level=1&mode=wait": (500, b"no")}, NotServing, "/sleep was answered 500: no"),
        ({"/is_sleeping": (200, b'{"is_sleeping": false}')}, NotServing, "says False"),
        ({"/is_sleeping": (200, b"yes")}, NotServing, "no JSON"),
    ],
)
async def test_an_engine_that_does_not_do_as_told_is_not_taken_for_asleep(
    answers: dict[str, tuple[int, bytes]], error: type[NotServing], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        await VllmRuntime(Vllm(), Answers(answers)).sleep("http://e", 1)


@pytest.mark.parametrize(
    ("choice", "answer"),
    [
        ('{"text": " a b", "token_ids": [4, 5], "finish_reason": "length"}', "4 5"),
        ('{"text": " a b", "finish_reason": "length"}', " a b"),  # an older engine
        ("{}", ""),
    ],
)
async def test_the_canarys_answer_is_its_tokens(choice: str, answer: str) -> None:
    said = {
        "/v1/models": (200, b'{"data": [{"id": "qwen"}]}'),
        "/v1/completions": (200, f'{{"choices": [{choice}]}}'.encode()),
    }
    http = Answers(said)
    can_sleep = a_record().model_copy(update={"can_sleep": True})
    proof = await VllmRuntime(Vllm(), http).prove("http://e", can_sleep)
    assert proof.answer == answer
    body = http.bodies["/v1/completions"]
    assert (body["temperature"], body["seed"], body["ignore_eos"]) == (0, 0, True)
    assert body["max_tokens"] == CANARY_TOKENS


METRICS = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a} b"} 2.0
vllm:num_requests_waiting{engine="0",model_name="a} b"} 1.0
vllm:kv_cache_usage_perc{engine="0",model_name="a} b"} 0.25
vllm:prompt_tokens_total{engine="0",model_name="a} b"} 30.0
vllm:generation_tokens_total{engine="0",model_name="a} b"} 7.0
vllm:request_success_total{engine="0",finished_reason="abort",model_name="a} b"} 4.0
process_cpu_seconds_total 12.5
"""


def test_progress_is_what_the_core_computes_not_what_the_server_counts() -> None:
    seen = work_of(METRICS)
    assert seen == Work(3, "0.25 30.0 7.0")
    assert work_of(METRICS.replace("} 4.0", "} 5.0").replace("12.5", "13.0")) == seen
    for moved in (" 7.0", " 30.0", " 0.25"):
        assert work_of(METRICS.replace(moved, " 31.5")) != seen


def test_metrics_that_say_nothing_of_requests_are_no_work() -> None:
    assert work_of("") == work_of('{"detail":"Not Found"}') == Work(0, "")


async def test_an_engine_whose_metrics_are_not_answered_says_nothing_of_its_work() -> None:
    http = EngineHttp()
    assert await VllmRuntime(Vllm(), http).work("http://127.0.0.1:9") == Work(0, "")
    await http.close()
