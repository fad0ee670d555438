"""The documents of messages and keys say what the code says."""

import importlib
import re
from pathlib import Path

import pytest

from modelium.common import asyncapi, keys
from modelium.common.events import MESSAGES, Message
from modelium.common.subjects import STREAMS, subject_for

DOCS = Path(__file__).parents[3] / "docs"
SERVICES = ("watcher", "registry", "brain", "orchestrator", "gateway", "runtime_agent")
ROW = re.compile(r"^\| `([^`]+)` \| [^|]+ \| ([^|]+) \| ([^|]+) \| (yes|no) \|$", re.MULTILINE)


def written() -> dict[str, tuple[set[str], set[str], bool]]:
    """Publishers, consumers and whether it is stored, by subject, as docs/events.md says."""
    rows = ROW.findall((DOCS / "events.md").read_text())
    return {
        subject.replace("<agent>", "*"): (names(by), names(to), stored == "yes")
        for subject, by, to, stored in rows
    }


def names(cell: str) -> set[str]:
    return {name.strip() for name in cell.split(",")} - {"you"}


def test_every_message_is_listed_and_nothing_else() -> None:
    assert set(written()) == {subject_for(kind) for kind in MESSAGES}


@pytest.mark.parametrize("kind", MESSAGES)
def test_stored_is_listed_as_it_is(kind: type[Message]) -> None:
    assert written()[subject_for(kind)][2] is kind.stored


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_handles_what_is_listed(service: str) -> None:
    handlers = importlib.import_module(f"modelium.{service}.handlers").HANDLERS
    listed = {subject for subject, (_, to, _) in written().items() if service in to}
    assert {subject_for(kind) for kind in handlers} == listed


@pytest.mark.parametrize("kind", MESSAGES)
def test_every_message_has_a_publisher_and_a_consumer(kind: type[Message]) -> None:
    publishers, consumers, _ = written()[subject_for(kind)]
    assert publishers <= set(SERVICES)
    assert publishers
    assert consumers


def test_every_stream_and_what_it_keeps_is_listed() -> None:
    text = (DOCS / "events.md").read_text()
    for stream in STREAMS:
        kept = ", ".join(f"`{subject}`" for subject in stream.subjects)
        assert f"| `{stream.name}` | {kept} |" in text


def test_every_key_is_listed_and_nothing_else() -> None:
    listed = set(re.findall(r"^\| `(modelium:[^`]+)` \|", (DOCS / "events.md").read_text(), re.M))
    assert listed == {
        keys.MODELS,
        keys.INSTANCES,
        keys.AGENTS,
        keys.model("<name>"),
        keys.instance("<id>"),
        keys.agent("<id>"),
        keys.MEMORY,
        keys.memory("<files>:<engine>:<kind>"),
        keys.API_KEYS,
        keys.api_key("<id>"),
        keys.USAGE_ORGANIZATIONS,
        keys.usage("<org>", "<day>"),
        keys.usage_sequence("<gateway>"),
        keys.GATEWAYS,
        keys.slots("<account>"),
        keys.LIMITS,
        keys.ADVISORS,
        keys.advisor("<backend:model>"),
        keys.POLICIES,
        keys.DECISIONS,
        keys.decision("<id>"),
        keys.decisions("<model>"),
        keys.REQUESTS,
        keys.request("<id>"),
    }


def test_the_committed_asyncapi_document_is_the_generated_one() -> None:
    committed = (DOCS / "asyncapi.json").read_text()
    assert committed == asyncapi.render(), "python -m modelium.common.asyncapi > docs/asyncapi.json"


def test_every_reference_in_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi.document()
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', asyncapi.render())):
        found = document
        for part in reference.split("/"):
            assert part in found, reference
            found = found[part]
