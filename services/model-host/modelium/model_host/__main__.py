"""Serves one model until SIGTERM; see README.md for the exit codes."""

import logging
import os
import sys
from typing import NoReturn

from modelium.model_host import solo
from modelium.model_host.options import parse


def main() -> NoReturn:
    """Run the host that the command line describes."""
    options = parse(sys.argv[1:])
    form = "%(asctime)s %(levelname)s %(name)s %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, stream=sys.stderr)
    failure = solo.run(options)
    leave(1 if failure else 0, failure)


def leave(code: int, last_line: str) -> NoReturn:
    """End at once: a load cannot be interrupted, and native libraries may hang on the way out."""
    logging.shutdown()
    if last_line:
        sys.stderr.write(" ".join(last_line.split()) + "\n")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
