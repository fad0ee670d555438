"""What code that had taken over the analysis would try; run in its place, as text.

Tells what it achieved, as JSON, in the place where the analysis says why it refuses a model. Alone
(`python intruder.py`) it is not shut in, so that a test can see that each attempt works at all.
"""

import ctypes
import json
import mmap
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def connect(kind: socket.SocketKind, port: int) -> None:
    with socket.socket(socket.AF_INET, kind) as opened:
        opened.connect(("127.0.0.1", port))
        opened.send(b"secret")


def fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def raise_own_limit() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard + 1, hard + 1))


def share_memory() -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.shmget(0, 4096, 0o1600) < 0:
        raise OSError(ctypes.get_errno(), "shmget")


Attempt = Callable[[], object]


def attempts(folder: Path, parent: int, port: int) -> dict[str, Attempt]:
    """Each raises when it is refused."""
    secret, model = folder / "secret", folder / "models" / "qwen"
    config = model / "config.json"
    return {
        "read a file beside the model": secret.read_bytes,
        "read another model": (folder / "models" / "other" / "config.json").read_bytes,
        "read a file of the system": Path("/etc/passwd").read_bytes,
        "read the parent's environment": Path(f"/proc/{parent}/environ").read_bytes,
        "list the folder": lambda: list(folder.iterdir()),
        "connect by TCP": lambda: connect(socket.SOCK_STREAM, port),
        "send by UDP": lambda: connect(socket.SOCK_DGRAM, port),
        "open a pair of sockets": socket.socketpair,
        "start a program": lambda: subprocess.run(["/bin/true"], check=True),
        "spawn a program": lambda: os.posix_spawn("/bin/true", ["true"], {}),
        "fork": fork,
        "signal the parent": lambda: os.kill(parent, 0),
        "open the model to write": lambda: config.open("ab").close(),
        "add a file to the model": (model / "new").touch,
        "write a file": lambda: (folder / "new").write_bytes(b"x"),
        "make a folder": (folder / "made").mkdir,
        "change a file's mode": lambda: config.chmod(0o666),
        "change a file's times": lambda: os.utime(config),
        "make a link": lambda: (folder / "link").symlink_to(secret),
        "rename a file": lambda: secret.rename(folder / "renamed"),
        "keep a file in memory": lambda: os.memfd_create("x"),
        "share memory": share_memory,
        "take memory that is not counted": lambda: mmap.mmap(-1, 1 << 20),
        "raise its limits": raise_own_limit,
    }


def achieved(folder: Path, parent: int, port: int) -> list[str]:
    done = []
    for name, attempt in attempts(folder, parent, port).items():
        try:
            attempt()
        except (OSError, ValueError, subprocess.SubprocessError):
            continue
        done.append(name)
    return done


def shut_in() -> None:
    """As `safety/child.py` begins."""
    from modelium.watcher.safety.confinement import Bounds, confine
    from modelium.watcher.safety.places import libraries
    from modelium.watcher.safety.request import Request

    request = Request.model_validate_json(sys.stdin.buffer.read())
    readable = [path for path in request.readable if path.exists()]
    confine([*libraries(), *readable], Bounds(request.seconds, request.memory_bytes))


if __name__ == "__main__":
    where, told, number, *alone = sys.argv[1:]
    if not alone:
        shut_in()
    model = Path(where) / "models" / "qwen"
    result = {
        "reads": json.loads((model / "config.json").read_bytes())["architectures"],
        "achieved": achieved(Path(where), int(told), int(number)),
        "environment": sorted(os.environ),
    }
    print(json.dumps({"invalid": json.dumps(result)}))
