"""The commands that pages show to people: where they are, and what is wrong with one unrun."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer
import yaml
from pydantic import ValidationError

from modelium.cli.commands import app
from modelium.common.events import MESSAGES, Message
from modelium.common.subjects import subject_for
from modelium.gateway.edge.paths import RULES
from tests.house import ROOT

URL = "http://127.0.0.1:8000"
FENCED = re.compile(r"^```(?:sh|console|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:(?<=\n\n)|\A)((?:    .+\n)+)")
ASSIGNMENT = re.compile(r"[A-Z_]+=.*", re.DOTALL)
OTHERS = (
    "cat cd cp echo eval export git grep helm kubectl ls nginx openssl pip prometheus python "
    "redis-cli set sudo sysctl tar"
)
OTHERS_ARE_FOR_PEOPLE = frozenset(OTHERS.split())
"""Programs of which nothing is known here; those that cannot be run fail where they are run."""
_PROGRAM = re.compile(r"[a-z./][\w./-]*")


@dataclass(frozen=True)
class Block:
    """Commands that belong together, in the order of the page."""

    page: str
    line: int
    commands: tuple[str, ...]


def pages() -> list[Path]:
    """The pages for people."""
    folders = ("docs", "examples", "deploy")
    found = [page for folder in folders for page in sorted((ROOT / folder).rglob("*.md"))]
    return [ROOT / "README.md", *found]


def blocks() -> Iterator[Block]:
    """All of them; indented ones as far as they are commands."""
    for page in pages():
        text = page.read_text()
        found = [(m, m[1]) for m in FENCED.finditer(text)]
        prose = FENCED.sub(lambda m: "\n" * m[0].count("\n"), text)
        indented = (
            (m, re.sub(r"^    ", "", m[1], flags=re.MULTILINE)) for m in INDENTED.finditer(prose)
        )
        found += [
            (m, code) for m, code in indented if _PROGRAM.match(code.split()[0]) or "=" in code
        ]
        for match, code in found:
            commands = tuple(_commands(code))
            if commands and (match.re is FENCED or all(map(_is_known, commands))):
                line = text[: match.start()].count("\n") + 1 if match.re is FENCED else 0
                yield Block(str(page.relative_to(ROOT)), line, commands)


def _commands(code: str) -> Iterator[str]:
    """Logical lines: those that a quote, a backslash or a here-document leaves open go on."""
    text = ""
    for line in code.splitlines():
        text = f"{text}\n{line}" if text else line.removeprefix("$ ")
        document = re.search(r"<<-?'?(\w+)'?", text)
        if text.endswith("\\") or (document and (line.strip() != document[1])):
            continue
        try:
            words = [document] if document else shlex.split(text, comments=True)
        except ValueError:
            continue
        if words:
            yield text
        text = ""


def words_of(command: str) -> list[list[str]]:
    """The words of each program that it starts, without variables that are set for one."""
    command = command.partition("<<")[0]  # what it reads is no shell's
    inner = re.findall(r"\$\((.*?)\)", command, re.DOTALL)
    lexed = shlex.shlex(
        re.sub(r"\$\(.*?\)", "X", command, flags=re.DOTALL), posix=True, punctuation_chars=";&|>"
    )
    lexed.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in lexed:
        if word in (";", "&&", "||", "|"):
            found.append([])
        elif word in (">", ">>"):
            found.append(["redirection"])
        elif found[-1] or not ASSIGNMENT.fullmatch(word):
            found[-1].append(word)
    outer = [words for words in found if words and words[0] != "redirection"]
    return outer + [words for text in inner for words in words_of(text)]


def _is_known(command: str) -> bool:
    programs = [words[0] for words in words_of(command)]
    return all(name in CHECKS or name in OTHERS_ARE_FOR_PEOPLE or "/" in name for name in programs)


def problems(command: str) -> Iterator[str]:
    """What is wrong with it: a word, an option, a route or a subject that there is not."""
    for name, *words in words_of(command):
        if check := CHECKS.get(name.removeprefix(".venv/bin/")):
            yield from check(words)
        elif name.startswith(("scripts/", "examples/")) and not (ROOT / name).exists():
            yield f"there is no {name}"
        elif "/" not in name and name not in OTHERS_ARE_FOR_PEOPLE:
            yield f"the program {name} is not known to tests/documented.py"


def _modelium(words: list[str]) -> Iterator[str]:
    command: Any = typer.main.get_command(app)
    words = list(words)
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        name = words.pop(0)
        if name not in command.commands:
            yield f"there is no `modelium {name}`"
            return
        command = command.commands[name]
    context = command.context_class(command, info_name="modelium")
    known = {option for param in command.get_params(context) for option in param.opts}
    if unknown := [w for w in words if re.match(r"--?[a-z]", w) and w.split("=")[0] not in known]:
        yield f"`modelium {command.name}` has no option {unknown[0]}"


@cache
def _targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def _make(words: list[str]) -> Iterator[str]:
    for word in words:
        name, is_variable, _ = word.partition("=")
        if is_variable and f"\n{name} ?=" not in (ROOT / "Makefile").read_text():
            yield f"the Makefile has no variable {name}"
        elif not is_variable and word not in _targets():
            yield f"there is no `make {word}`"


@cache
def _routes() -> list[tuple[re.Pattern[str], frozenset[str]]]:
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    documented = [
        (re.compile(re.sub(r"\{\w+(:path)?\}", "[^/]+", path)), frozenset(map(str.upper, methods)))
        for path, methods in paths.items()
    ]
    return documented + [(re.compile(re.escape(path)), frozenset({"POST"})) for path in RULES]


def _curl(words: list[str]) -> Iterator[str]:
    [url] = [word for word in words if word.startswith(("http://", "https://"))] or [""]
    if not url.startswith(URL):
        return
    path = url.removeprefix(URL).partition("?")[0]
    if path and not any(pattern.fullmatch(path) for pattern, _ in _routes()):
        yield f"the gateway has no route {path}"


def kind_of(subject: str) -> type[Message] | None:
    """The class of what is said on a subject."""
    return next((kind for kind in MESSAGES if fnmatchcase(subject, subject_for(kind))), None)


def _nats(words: list[str]) -> Iterator[str]:
    if words[0] not in ("pub", "request"):
        return
    kind = kind_of(words[1])
    if kind is None:
        yield f"there is no subject {words[1]}"
        return
    said = json.loads(words[2])
    if unknown := said.keys() - kind.model_fields.keys():
        yield f"{words[1]} has no member {', '.join(unknown)}"
    try:
        kind.model_validate(said)
    except ValidationError as wrong:
        yield f"{words[1]}: {wrong}"


def _docker(words: list[str]) -> Iterator[str]:
    if words[:1] == ["build"]:
        file = words[words.index("-f") + 1]
        if not (ROOT / file).exists():
            yield f"there is no {file}"
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    profiles = {name for service in compose.values() for name in service.get("profiles", ())}
    for option, value in pairwise(words):
        if option == "--profile" and value not in profiles:
            yield f"docker-compose.yml has no profile {value}"
        if option == "--scale" and value.partition("=")[0] not in compose:
            yield f"docker-compose.yml has no service {value}"
        if option == "exec" and value not in compose:
            yield f"docker-compose.yml has no service {value}"
    if "exec" in words:
        yield from problems(shlex.join(words[words.index("exec") + 2 :]))


CHECKS = {"modelium": _modelium, "make": _make, "curl": _curl, "nats": _nats}
CHECKS |= {"docker": _docker, "docker-compose": _docker}


def run(script: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Give it to a shell that ends at the first command that fails."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
