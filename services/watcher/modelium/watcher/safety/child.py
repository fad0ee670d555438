"""The process that analyses one candidate: `python -m modelium.watcher.safety.child`.

Reads a `Request` from stdin, gives up what it does not need, and writes an `Answer` to stdout. The
analysis and its libraries are imported after that, so that nothing they do is outside of it.
"""

import os
import sys

from modelium.common.errors import InvalidModel
from modelium.watcher.safety.confinement import Bounds, confine
from modelium.watcher.safety.places import libraries
from modelium.watcher.safety.request import Answer, Request


def main() -> None:
    """Answer one request; whatever fails in another way ends the process."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    request = Request.model_validate_json(sys.stdin.buffer.read())
    readable = [path for path in request.readable if path.exists()]
    confine([*libraries(), *readable], Bounds(request.seconds, request.memory_bytes))
    answers.write(_answer(request).model_dump_json(exclude_none=True).encode())
    answers.flush()
    os._exit(0)  # nothing is left to tidy up, and libraries may be slow to end


def _answer(request: Request) -> Answer:
    if request.candidate is None:
        from modelium.watcher.safety.probe import try_everything

        return Answer(confined=try_everything())
    from modelium.watcher.safety.inspection import inspect

    try:
        return Answer(descriptor=inspect(request.candidate, request))
    except InvalidModel as error:
        return Answer(invalid=error.reason or "it cannot be served")
    except MemoryError:
        needs = f"reading it takes more than {request.memory_bytes >> 20} MiB"
        return Answer(invalid=f"{needs}, which honest models do not")


if __name__ == "__main__":
    main()
