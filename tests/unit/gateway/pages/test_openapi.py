"""The committed OpenAPI document is the generated one, and tells of everything."""

import json
import re
from pathlib import Path

import pytest

from modelium.common.health import HEALTH_PATHS
from modelium.gateway.edge.paths import INFER, INFER_VERSION, PREDICT, RULES
from modelium.gateway.pages.__main__ import render

COMMITTED = Path(__file__).resolve().parents[4] / "docs" / "openapi.json"
DOCUMENT = json.loads(render())
OPERATIONS = [
    (f"{method.upper()} {path}", operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
]


def test_the_committed_document_is_the_generated_one() -> None:
    assert COMMITTED.read_text() == render(), "run `make docs`"


def test_every_reference_leads_somewhere() -> None:
    references = set(re.findall(r'"\$ref": "#/([^"]+)"', render()))
    assert references
    for reference in references:
        found = DOCUMENT
        for step in reference.split("/"):
            assert step in found, reference
            found = found[step]


def test_every_route_of_the_hot_path_is_told_of() -> None:
    hot = {*RULES, INFER.path, INFER_VERSION.path, PREDICT}
    assert hot | HEALTH_PATHS <= set(DOCUMENT["paths"])
    assert all("post" in DOCUMENT["paths"][path] for path in hot)


def test_operations_have_names_of_their_own() -> None:
    names = [operation.get("operationId", title) for title, operation in OPERATIONS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("title", "operation"), OPERATIONS, ids=[t for t, _ in OPERATIONS])
def test_an_operation_tells_its_answers_and_its_errors(title: str, operation: dict) -> None:
    answers = operation["responses"]
    assert {"200", "201", "202", "204"} & set(answers)
    assert "422" not in answers or title.startswith("POST")  # the engines' own
    if operation.get("security") != []:
        assert {"401", "403"} <= set(answers)
