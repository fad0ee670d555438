"""Serves one model until SIGTERM; see README.md for the exit codes."""

import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from modelium.model_host.options import Options, parse
from modelium.model_host.ray_environment import ray_environment
from modelium.model_host.ray_folder import ray_folder


def main() -> NoReturn:
    """Run the host that the command line describes."""
    options = parse(sys.argv[1:])
    form = "%(asctime)s %(levelname)s %(name)s %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, stream=sys.stderr)
    failure = _run_on_ray(options) if options.mode == "ray" else _run_solo(options)
    leave(1 if failure else 0, failure)


def _run_solo(options: Options) -> str:
    from modelium.model_host import solo

    return solo.run(options)


def _run_on_ray(options: Options) -> str:
    # Short, wherever TMPDIR is: paths of sockets in it have at most 107 characters.
    place = "/tmp" if os.access("/tmp", os.W_OK) else tempfile.gettempdir()
    with ray_folder(Path(place)) as shut:
        # Ray lets everybody write to its folder, and HAProxy anybody command it by a socket there;
        # the one around it is this user's alone.
        folder = f"{shut}/r"
        os.environ.update(ray_environment(folder, options.threads))
        from modelium.model_host import ray_serve

        return ray_serve.run(options, folder)


def leave(code: int, last_line: str) -> NoReturn:
    """End at once: a load cannot be interrupted, and native libraries may hang on the way out."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(2)
    # Threads of libraries that still write shall not have the last word.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    if last_line:
        os.write(kept, (" ".join(last_line.split()) + "\n").encode())
    os._exit(code)


if __name__ == "__main__":
    main()
