"""Log lines of every process: structlog, JSON on stdout, or for people on a terminal.

The event name is a constant (`bus.connected`), data are fields. What libraries log through the
standard library comes out the same way.
"""

import logging
import os
import sys
from typing import Final

import structlog

from modelium.common.envelope import TRACEPARENT
from modelium.common.settings import LogFormat, Logging

# What libraries say below a warning is about their own life, not ours.
_QUIET: Final = ("asyncio", "nats", "redis", "uvicorn", "aiohttp", "docker", "urllib3", "watchdog")


def _add_trace(
    _: structlog.typing.WrappedLogger, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """The trace that this is part of, from version-trace-span-flags."""
    if traceparent := TRACEPARENT.get():
        _version, event["trace_id"], event["span_id"], *_flags = f"{traceparent}--".split("-")
    return event


_SHARED: Final[tuple[structlog.typing.Processor, ...]] = (
    structlog.contextvars.merge_contextvars,
    _add_trace,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
    structlog.processors.UnicodeDecoder(),
)


def configure(settings: Logging, *, service: str, instance: str) -> None:
    """Set up logging of this process; every line says which service and instance it is from."""
    console = settings.format is LogFormat.CONSOLE or (
        settings.format is LogFormat.AUTO and sys.stdout.isatty()
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_formatter(console))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service, instance=instance)


def for_a_command() -> None:
    """Set up logging of a command, whose stdout is its result: errors only, on stderr."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _formatter(console: bool) -> logging.Formatter:
    last: list[structlog.typing.Processor]
    if console:
        last = [
            structlog.dev.ConsoleRenderer(
                colors=not os.environ.get("NO_COLOR"),
                timestamp_key="ts",
                # Others show the values of variables: prompts and keys.
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    else:
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
