"""Every error Modelium raises on purpose.

ModeliumError
├── IllegalTransition      an event that the lifecycle does not allow in this state
├── Conflict               a record was saved by somebody else in between
├── SettingsError          a setting is unknown or wrong; names file, key and what was expected
├── DependencyUnavailable  NATS, Redis, Docker or an engine binary is not there; names the remedy
├── InvalidModel           a folder or file that cannot be served; the reason is for people
│   └── Incomplete         so far: something of it is missing, and may still come
└── Outcome of a message handler (bus.py)
    ├── RetryLater         deliver this message again after `delay_s`
    └── Reject             never again: dead letter with the reason
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every Modelium process (after sysexits.h)."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    UNAVAILABLE = 69
    INTERNAL = 70
    TEMPORARY = 75
    PERMISSION = 77
    CONFIG = 78


class ModeliumError(Exception):
    """Base of all; `exit_code` is what a command ends with when nobody handles it."""

    exit_code: ExitCode = ExitCode.FAILURE


class IllegalTransition(ModeliumError):
    """`event` is not allowed in `state`."""

    def __init__(self, state: str | None, event: str) -> None:
        super().__init__(f"{event} is not allowed in state {state or 'none'}")
        self.state = state
        self.event = event


class Conflict(ModeliumError):
    """The record's version moved on; read it again and decide again."""

    def __init__(self, key: str, expected_version: int) -> None:
        super().__init__(f"{key} is no longer at version {expected_version}")
        self.key = key
        self.expected_version = expected_version


class SettingsError(ModeliumError):
    """One or more settings are wrong; `problems` has one sentence each."""

    exit_code = ExitCode.CONFIG

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class DependencyUnavailable(ModeliumError):
    """Something Modelium needs is not there; `remedy` is what the user can do."""

    exit_code = ExitCode.UNAVAILABLE

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}. {remedy}")
        self.what = what
        self.remedy = remedy


class PermissionMissing(DependencyUnavailable):
    """The user may not read, write or connect to something Modelium needs."""

    exit_code = ExitCode.PERMISSION


class InvalidModel(ModeliumError):
    """These files cannot be served; `reason` goes to the user as it is."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Incomplete(InvalidModel):
    """Something of these files is not there, or not whole, and may still come."""


class RetryLater(ModeliumError):
    """Handler outcome: deliver the message again in `delay_s` seconds."""

    def __init__(self, reason: str, *, delay_s: float = 1.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.delay_s = delay_s


class Reject(ModeliumError):
    """Handler outcome: the message can never be handled; keep it as a dead letter."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
