"""Finds out why an engine ended, from its last lines and how it exited; pure.

vLLM's own last words ("Engine core initialization failed. See root cause above") are never the
cause: the cause is the last exception before them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from modelium.common.records import FailureKind

CANNOT_LOAD = 1
"""The exit code with which an engine that says why it cannot load its model ends."""
LAST_LINES = 3
LAST_CHARACTERS = 300

_OOM = FailureKind.OUT_OF_MEMORY
_START = FailureKind.START_FAILED


@dataclass(frozen=True)
class Failure:
    """Why an engine ended: one sentence for people."""

    kind: FailureKind
    reason: str


@dataclass(frozen=True)
class _Cause:
    pattern: re.Pattern[str]
    kind: FailureKind
    reason: str


def _cause(pattern: str, kind: FailureKind, reason: str) -> _Cause:
    return _Cause(re.compile(pattern), kind, reason)


_CAUSES = (
    _cause(
        r"torch\.OutOfMemoryError|CUDA out of memory|CUDA Error: out of memory",
        _OOM,
        "the GPU ran out of memory",
    ),
    _cause(
        r"Free memory on device \S+ \(([\d.]+)/([\d.]+) GiB\).*?less than desired",
        _OOM,
        "the GPU has only {0} of {1} GiB free, less than the engine was given",
    ),
    _cause(r"Free memory on device", _OOM, "the GPU has less memory free than the engine needs"),
    _cause(
        r"Available memory on node \S+ \(([\d.]+)/([\d.]+) GiB\)",
        _OOM,
        "the machine has only {0} of {1} GiB of memory free, less than the engine needs",
    ),
    _cause(
        r"[Ee]stimated maximum model length is (\d+)",
        _START,
        "its key-value cache is too small for the context length; {0} tokens would fit",
    ),
    _cause(
        r"No available memory for the cache blocks",
        _OOM,
        "its memory has no room for a key-value cache",
    ),
    _cause(
        r"Error in memory profiling",
        _START,
        "another program released GPU memory while the engine measured it",
    ),
    _cause(
        r"Insufficient space in /dev/shm",
        _START,
        "/dev/shm is too small for the engine (vllm.shm_bytes)",
    ),
    _cause(r"MemoryError|Cannot allocate memory", _OOM, "the machine ran out of memory"),
    _cause(
        r"PermissionError: .*?(?:'([^']+)'|$)",
        _START,
        "the engine may not read {0}; make it readable for its user",
    ),
    _cause(
        r"HFValidationError|is not a local folder|Repo id must",
        _START,
        "the engine finds no model at the path it was given",
    ),
    _cause(
        # vLLM says `trust_remote_code=False` in the settings it prints at every start.
        r"contains? custom code|trust_remote_code=True",
        _START,
        "the model needs code of its own (trust_remote_code), which is not run",
    ),
    _cause(r"[Aa]ddress already in use", _START, "its port was taken by another program"),
    _cause(
        r"Model architectures (\[[^\]]*\]) are not supported",
        _START,
        "vLLM does not support the architecture {0}",
    ),
    _cause(
        r"No module named '?vllm",
        _START,
        "vLLM is not installed for the configured interpreter (vllm.python)",
    ),
    _cause(
        r"No module named '?modelium",
        _START,
        "it lacks a part of the model host; build its image anew (ray_serve.image), or install"
        " modelium anew",
    ),
    _cause(
        r"No module named '?(torch|transformers|onnxruntime|ray|fastapi|uvicorn|PIL)\b",
        _START,
        "{0} is not installed for the configured interpreter (ray_serve.python);"
        " scripts/bootstrap installs it",
    ),
)

_GENERIC = re.compile(
    r"Engine core initialization failed|EngineDeadError|EngineCore encountered an issue"
    r"|See (root cause|stack trace) above|WorkerProc initialization failed"
)
_EXCEPTION = re.compile(r"\b((?:[a-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt)): (.+)$")
_CALM = re.compile(r"(?:\(\S+ pid=\d+\) )?(?:DEBUG|INFO)\b")
"""How a line begins that tells settings and progress, whatever words of ours are in it."""
_WARNING = re.compile(r"(?:\(\S+ pid=\d+\) )?WARNING\b")
"""It may name an exception without one having been raised."""


def classify(
    log: Sequence[str],
    *,
    exit_code: int | None,
    oom_killed: bool,
    was_ready: bool,
    symptom: str = "",
    last_line_says_why: bool = False,
) -> Failure:
    """Why the engine ended without being asked to; its exit code alone proves nothing.

    `symptom` is what was seen of an engine that had to be killed; the log may say more, but the
    exception in it need not have to do with that: both are told. With
    `last_line_says_why` it is one that ends its log with the reason if it cannot load its model.
    """
    fallback = FailureKind.CRASHED if was_ready else FailureKind.START_FAILED
    if oom_killed:
        return Failure(_OOM, f"The engine {_verb(was_ready)}: it used more memory than it may have")
    found = _known_cause(log)
    if found is not None:
        return Failure(
            found.kind if not was_ready or found.kind is _OOM else fallback,
            f"The engine {_verb(was_ready)}: {found.reason}",
        )
    said = last_line_says_why and exit_code == CANNOT_LOAD and not was_ready
    text = (_last_line(log) if said else None) or _last_exception(log)
    if text is not None:
        seen = f"{symptom}; its log says: " if symptom else ""
        return Failure(fallback, f"The engine {_verb(was_ready)}: {seen}{text}")
    how = f": {symptom}" if symptom else f" {_exit(exit_code)}"
    return Failure(fallback, with_last_words(f"The engine {_verb(was_ready)}{how}", log))


def with_last_words(reason: str, log: Sequence[str]) -> str:
    """The reason and the last lines of the log, where nothing in it is known to be the cause."""
    lines = [" ".join(line.split()) for line in log if not _GENERIC.search(line)]
    words = " | ".join([line for line in lines if line][-LAST_LINES:])
    return f"{reason}; it last said: {words[-LAST_CHARACTERS:]}" if words else reason


def _verb(was_ready: bool) -> str:
    return "broke down" if was_ready else "did not start"


def _exit(exit_code: int | None) -> str:
    if exit_code is None:
        return "and left no exit code"
    if exit_code < 0:
        return f"(killed by signal {-exit_code})"
    return f"(exit code {exit_code})"


def _known_cause(log: Sequence[str]) -> Failure | None:
    """The cause nearest to the end of the log that we have words for."""
    for line in reversed([line for line in log if not _CALM.match(line)]):
        for cause in _CAUSES:
            match = cause.pattern.search(line)
            if match:
                groups = [group or "a file of the model" for group in match.groups()]
                return Failure(cause.kind, cause.reason.format(*groups))
    return None


def _last_line(log: Sequence[str]) -> str | None:
    """The last line that says something, shortened."""
    said = (" ".join(line.split()) for line in reversed(log))
    return next((line for line in said if line), "")[:LAST_CHARACTERS] or None


def _last_exception(log: Sequence[str]) -> str | None:
    """The last exception that is not vLLM's summary of another one, shortened."""
    before = next((n for n, line in enumerate(log) if _GENERIC.search(line)), len(log))
    for line in reversed(log[:before]):
        match = _EXCEPTION.search(line)
        if match and not _CALM.match(line) and not _WARNING.match(line):
            return f"{match[1]}: {match[2]}"[:300]
    return None
