"""Stands in for the interpreter with a local language model; `--model` says how it behaves.

good    answers every question with its user text
broken  cannot be loaded
dies    ends as soon as it is asked
babbles says what is no JSON
counts  says JSON that is no answer
hangs   is ready, and says nothing more
slow    answers the last question when an empty line comes
"""

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

NO_ANSWERS = {"babbles": "As a language model", "counts": "42"}


def interpreter(folder: Path) -> Path:
    """A program that runs this file, whatever it is told to run."""
    program = folder / "python"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E "{__file__}" "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def say(**message: Any) -> None:
    print(json.dumps(message), flush=True)


def answer(question: dict[str, Any]) -> None:
    say(id=question["id"], text=question["user"], tokens=9, passes=2, read_tokens=5, cpu_s=0.1)


def main(behaviour: str) -> None:
    if behaviour == "broken":
        return say(cannot_load="there is no folder /nowhere")
    say(ready={"device": "cpu", "parameters": 1, "size_bytes": 4, "took_s": 0.1})
    last: dict[str, Any] = {}
    for line in sys.stdin:
        match behaviour:
            case "good":
                answer(json.loads(line))
            case "dies":
                os._exit(3)
            case "babbles" | "counts":
                print(NO_ANSWERS[behaviour], flush=True)
            case "slow" if line.strip():
                last = json.loads(line)
            case "slow":
                answer(last)
    return None


if __name__ == "__main__":
    main(sys.argv[sys.argv.index("--model") + 1])
