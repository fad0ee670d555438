"""What `modelium doctor` says of names in the settings that are no model's."""

import json
from typing import Any

from modelium.cli.gateway_client import GatewayClient
from modelium.cli.misnamed import nobodys
from modelium.common.load_settings import Settings
from tests.unit.cli.test_gateway_client import gateway

SYSTEM = {
    "models": [{"model": "sample", "aliases": ["small"]}],
    "always_loaded_missing": ["samplee", "zzz"],
}


def found(system: Any, status: int = 200, **brain: Any) -> list[str]:
    with gateway(json.dumps(system), status) as (client, _):
        said = {"endpoint": f"{client.url}/v1", "backend": "openai", **brain}
        findings = nobodys(client, Settings.model_validate({"modelium_brain": said}))
        return [f"{finding.text} {finding.remedy.partition(': ')[2]}" for finding in findings]


def test_names_of_no_model_are_found_with_what_may_have_been_meant() -> None:
    assert found(SYSTEM, model_name="smal") == [
        "no model is named 'samplee' (orchestration.policies.always_loaded) did you mean 'sample'?",
        "no model is named 'zzz' (orchestration.policies.always_loaded) "
        "`modelium models` lists them",
        "no model is named 'smal' (modelium_brain.model_name) did you mean 'small'?",
    ]


def test_names_and_aliases_of_models_are_right() -> None:
    system = {**SYSTEM, "always_loaded_missing": []}
    assert found(system, model_name="sample") == found(system, model_name="small") == []


def test_a_language_model_of_others_is_not_looked_for() -> None:
    system = {**SYSTEM, "always_loaded_missing": []}
    assert found(system, model_name="x", endpoint="http://elsewhere:1/v1") == []
    assert found(system, model_name="x", backend="rules") == []


def test_nothing_is_said_where_nobody_can_be_asked() -> None:
    assert found({"error": {"code": "forbidden", "message": "no"}}, status=403) == []
    assert list(nobodys(GatewayClient("http://127.0.0.1:1"), Settings())) == []
