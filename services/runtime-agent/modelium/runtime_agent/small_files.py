"""Files that a later agent reads: replaced as a whole, and never worth an engine.

A disk that is full or cannot be written does not end the agent that runs: what it knows, it still
knows. Only the next one would know less.
"""

import asyncio
from pathlib import Path
from uuid import uuid4

import structlog

from modelium.runtime_agent.waiting import to_the_end

log = structlog.get_logger()


def write_whole(path: Path, text: str) -> None:
    """Replace the file, so that nobody reads half of it; blocking.

    Raises:
        OSError: it could not; the file is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(f".{uuid4().hex}.part")
    try:
        written.write_text(text)
        written.replace(path)
    except OSError:
        written.unlink(missing_ok=True)
        raise


async def note(path: Path, text: str) -> None:
    """Replace the file if that is possible; a write that was begun is never cut short."""
    try:
        await to_the_end(asyncio.to_thread(write_whole, path, text))
    except OSError as wrong:
        log.warning("file.not_written", path=str(path), reason=wrong.strerror or str(wrong))
