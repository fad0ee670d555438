"""The agent and a real model host, in an interpreter that lacks what the model needs."""

from pathlib import Path

from modelium.common.descriptor import RuntimeKind, Task
from modelium.common.events import RuntimeFailed
from modelium.common.records import FailureKind
from modelium.common.testing import a_descriptor
from tests.agent_kit import a_load
from tests.integration.agents import a_clean_agent


async def test_a_host_that_cannot_load_its_model_is_announced_with_what_is_missing(
    tmp_path: Path,
) -> None:
    model = tmp_path / "net.pt"
    model.write_bytes(b"PK")
    about = a_descriptor(format="torchscript", task=Task.TENSOR, runtime=RuntimeKind.RAY_SERVE)
    async with a_clean_agent(tmp_path) as agent:
        await agent.send(a_load(model, model="net", descriptor=about, kv_cache_bytes=0))
        failed = await agent.heard(RuntimeFailed)
        assert failed.kind is FailureKind.START_FAILED
        assert "torch is not installed for the configured interpreter" in failed.reason
        assert "ray_serve.python" in failed.reason
        assert failed.memory is not None
        assert failed.memory.engine == "ray_serve"
        assert agent.processes() == []
