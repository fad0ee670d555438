"""What an engine's last lines are taken to mean."""

import pytest

from modelium.common.records import FailureKind
from modelium.runtime_agent.failures import Failure, classify

GENERIC = (
    "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}"
)
CORE = "(EngineCore pid=12) ERROR 11-23 12:00:00 [core.py:1100] "


def _start(*log: str, exit_code: int | None = 1, oom_killed: bool = False) -> Failure:
    return classify(log, exit_code=exit_code, oom_killed=oom_killed, was_ready=False)


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        (
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
            FailureKind.OUT_OF_MEMORY,
            "the GPU ran out of memory",
        ),
        (
            "ValueError: Free memory on device cuda:0 (3.1/139.8 GiB) on startup is less than"
            " desired GPU memory utilization (0.5, 69.9 GiB).",
            FailureKind.OUT_OF_MEMORY,
            "only 3.1 of 139.8 GiB free",
        ),
        (
            "ValueError: Available memory on node 0 (0.42/1.66 GiB) on kv cache allocation is less",
            FailureKind.OUT_OF_MEMORY,
            "only 0.42 of 1.66 GiB",
        ),
        (
            "ValueError: To serve at least one request with the model's max seq len (512), 4 GiB KV"
            " cache is needed. Based on the available memory, the estimated maximum model length"
            " is 352.",
            FailureKind.START_FAILED,
            "352 tokens would fit",
        ),
        (
            "ValueError: No available memory for the cache blocks.",
            FailureKind.OUT_OF_MEMORY,
            "no room for a key-value cache",
        ),
        (
            "AssertionError: Error in memory profiling. Initial free memory 3, current 4.",
            FailureKind.START_FAILED,
            "another program released",
        ),
        (
            "RuntimeError: Insufficient space in /dev/shm: 160 MiB required, 64 MiB free",
            FailureKind.START_FAILED,
            "vllm.shm_bytes",
        ),
        (
            "PermissionError: [Errno 13] Permission denied: '/models/qwen/model.safetensors'",
            FailureKind.START_FAILED,
            "may not read /models/qwen/model.safetensors",
        ),
        (
            "huggingface_hub.errors.HFValidationError: Repo id must be in the form 'repo_name'",
            FailureKind.START_FAILED,
            "finds no model",
        ),
        (
            "ValueError: The repository contains custom code. Please pass trust_remote_code=True",
            FailureKind.START_FAILED,
            "code of its own",
        ),
        (
            "OSError: [Errno 98] Address already in use",
            FailureKind.START_FAILED,
            "port was taken",
        ),
        (
            "ValueError: Model architectures ['Foo'] are not supported for now.",
            FailureKind.START_FAILED,
            "['Foo']",
        ),
        (
            "/opt/python: Error while finding module: No module named 'vllm'",
            FailureKind.START_FAILED,
            "vllm.python",
        ),
    ],
)
def test_known_causes_get_our_words(line: str, kind: FailureKind, words: str) -> None:
    found = _start("INFO loading", CORE + line, GENERIC)
    assert found.kind is kind
    assert words in found.reason
    assert "Engine core initialization failed" not in found.reason


def test_an_unknown_cause_is_the_last_exception_before_the_engines_summary() -> None:
    found = _start(
        "ValueError: an earlier one",
        CORE + "KeyError: 'model.layers.0'",
        "(APIServer pid=1) Traceback (most recent call last):",
        "(APIServer pid=1) " + GENERIC,
        "(APIServer pid=1) SystemError: a later one",
    )
    assert found.reason == "The engine did not start: KeyError: 'model.layers.0'"


def test_the_summary_alone_is_never_the_cause() -> None:
    found = _start("INFO loading", GENERIC)
    assert found.reason == "The engine did not start (exit code 1); it last said: INFO loading"


def test_without_a_known_cause_the_last_lines_are_told_shortened() -> None:
    found = _start("INFO first", "INFO a", "", "INFO  b", "c" * 400)
    assert found.reason.startswith("The engine did not start (exit code 1); it last said: ccc")
    assert len(found.reason) < 400
    few = _start("INFO first", "INFO a", "", "INFO  b", "c")
    assert few.reason.endswith("; it last said: INFO a | INFO b | c")


def test_an_engine_that_said_nothing_is_told_by_its_exit_code() -> None:
    assert _start().reason == "The engine did not start (exit code 1)"


def test_the_kernels_kill_is_out_of_memory_whatever_the_exit_code_says() -> None:
    assert _start(exit_code=0, oom_killed=True).kind is FailureKind.OUT_OF_MEMORY


def test_exit_code_0_of_a_loaded_engine_is_a_crash() -> None:
    found = classify(("INFO fine",), exit_code=0, oom_killed=False, was_ready=True)
    reason = "The engine broke down (exit code 0); it last said: INFO fine"
    assert found == Failure(FailureKind.CRASHED, reason)


def test_a_signal_is_told_by_its_number() -> None:
    assert "signal 9" in _start(exit_code=-9).reason


def test_out_of_memory_while_serving_stays_out_of_memory() -> None:
    log = ("torch.OutOfMemoryError: CUDA out of memory.",)
    found = classify(log, exit_code=0, oom_killed=False, was_ready=True)
    assert found.kind is FailureKind.OUT_OF_MEMORY


def test_what_was_seen_from_outside_is_told_when_the_log_says_nothing() -> None:
    found = classify(
        ("INFO fine",), exit_code=None, oom_killed=False, was_ready=False, symptom="no answer"
    )
    assert found.reason == "The engine did not start: no answer; it last said: INFO fine"


WARNED = (
    "(APIServer pid=7) WARNING 11-26 14:35:41 [system_utils.py:255] Found ulimit of 20000. This can"
    " cause fd limit errors like `OSError: [Errno 24] Too many open files`. Consider increasing"
)
REFUSED = "/v1/completions was answered 400: the model has no tokenizer"


@pytest.mark.parametrize(
    ("last", "told"),
    [
        ("INFO:     Application startup complete.", "; it last said: "),
        ("INFO 11-26 14:35:41 RuntimeError: a thing of the past", "; it last said: "),
        (CORE + "KeyError: 'vocab'", "; its log says: KeyError: 'vocab'"),
    ],
)
def test_an_engine_that_answers_wrongly_has_no_warning_for_a_reason(last: str, told: str) -> None:
    log = (WARNED, "INFO: loading", last)
    found = classify(log, exit_code=None, oom_killed=False, was_ready=False, symptom=REFUSED)
    assert found.reason.startswith(f"The engine did not start: {REFUSED}{told}")


@pytest.mark.parametrize("trusted", [True, False])
def test_a_setting_that_is_printed_at_every_start_is_no_reason(trusted: bool) -> None:
    config = f"Initializing a V1 LLM engine with config: trust_remote_code={trusted}, seed=0"
    log = ("(EngineCore pid=12) INFO 11-26 14:35:42 [core.py:112] " + config,)
    found = classify(log, exit_code=None, oom_killed=False, was_ready=True)
    assert "code of its own" not in found.reason


REASON = "weights.bin is not there"


@pytest.mark.parametrize(
    ("log", "exit_code", "reason"),
    [
        (
            ("Traceback", "ValueError: old news", REASON, ""),
            1,
            f"The engine did not start: {REASON}",
        ),
        ((REASON,), 137, f"The engine did not start (exit code 137); it last said: {REASON}"),
        (("ModuleNotFoundError: No module named 'onnxruntime'",), 1, "ray_serve.python"),
        (("python3: No module named modelium.model_host",), 1, "lacks a part of the model host"),
    ],
)
def test_an_engine_that_says_why_it_cannot_load_is_believed(
    log: tuple[str, ...], exit_code: int, reason: str
) -> None:
    found = classify(
        log, exit_code=exit_code, oom_killed=False, was_ready=False, last_line_says_why=True
    )
    assert reason in found.reason
