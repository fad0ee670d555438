"""The rooms of the house, and what may be imported where: see `test_architecture.py`."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SERVICES = ("watcher", "registry", "brain", "orchestrator", "gateway", "runtime_agent")
HOST = "model_host"
"""Runs in the engine's environment: no service, and nothing else of Modelium is there."""
LOCAL_LLM = "local_llm"
"""The brain's language model, likewise."""
ALONE = (HOST, LOCAL_LLM)
HOMES = {
    name: (ROOT / "services" / name.replace("_", "-") / "modelium" / name) for name in SERVICES
} | {
    HOST: ROOT / "services" / "model-host" / "modelium" / HOST,
    LOCAL_LLM: ROOT / "services" / "brain" / "modelium" / LOCAL_LLM,
}
HOMES |= {
    name: ROOT / "libs" / "common" / "modelium" / name
    for name in ("common", "core", "cli", "replay")
}

REPLAYING = {"brain": ("replay",)}
"""It tries policies on the recent demand."""

LONGEST_FILE = 300
LONGEST_FUNCTION = 60

PURE_COMMON = frozenset(
    f"modelium.common.{name}"
    for name in (
        "advice",
        "clock",
        "descriptor",
        "engine_log",
        "errors",
        "events",
        "figures",
        "frozen",
        "history",
        "lifecycle",
        "message",
        "ongoing_requests",
        "origins",
        "plans",
        "policies",
        "records",
        "reports",
        "settings",
        "settings_base",
        "settings_brain",
        "settings_gateway",
        "settings_security",
        "usage",
        "wishes",
    )
)
# What the pure parts of common and all of core may import beside those.
STANDARD_FOR_PURE = frozenset(
    {
        "bisect",
        "collections",
        "contextlib",
        "dataclasses",
        "datetime",
        "enum",
        "functools",
        "hashlib",
    }
    | {"heapq", "itertools", "json", "math", "operator", "pathlib", "re", "types", "typing", "uuid"}
)
OWNERS = {
    "nats": ("modelium.common.nats_",),
    "redis": ("modelium.common.redis_store",),
    "docker": ("modelium.runtime_agent.",),
    "pynvml": ("modelium.runtime_agent.",),
    "msgspec": ("modelium.gateway.edge.members", "modelium.gateway.engines.tokens"),
    "httptools": ("modelium.common.http_protocol", "modelium.gateway.engines.connection"),
    "python_multipart": ("modelium.gateway.edge.multipart",),
    "uvicorn": ("modelium.common.http_", "modelium.model_host.solo"),
    "ray": ("modelium.model_host.ray_serve",),
    "torch": ("modelium.model_host.models.", "modelium.local_llm."),
    "transformers": ("modelium.model_host.models.", "modelium.local_llm."),
    "llguidance": ("modelium.local_llm.decoding",),
    "onnxruntime": ("modelium.model_host.models.onnx",),
    "supervisor": ("modelium.cli.",),
    "opentelemetry": ("modelium.common.tracing_otel",),
    "limits": ("modelium.gateway.access.windows",),
    "jwt": ("modelium.gateway.access.",),
    "landlockpy": ("modelium.watcher.safety.confinement",),
    "pyseccomp": ("modelium.watcher.safety.confinement",),
    "picklescan": ("modelium.watcher.safety.pickles",),
    "model_signing": ("modelium.common.signatures",),
}


class Module:
    """One source file and what it imports."""

    def __init__(self, path: Path, package: str) -> None:
        self.path = path
        self.package = package
        self.text = path.read_text()
        self.tree = ast.parse(self.text)
        inside = path.relative_to(HOMES[package]).with_suffix("").parts
        self.name = ".".join(("modelium", package, *inside)).removesuffix(".__init__")

    def imports(self) -> set[str]:
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        return found

    def __repr__(self) -> str:
        return self.name


@cache
def modules() -> tuple[Module, ...]:
    return tuple(
        Module(path, package)
        for package, home in HOMES.items()
        for path in sorted(home.rglob("*.py"))
    )


def each(*packages: str) -> list[Module]:
    return [module for module in modules() if not packages or module.package in packages]


def python_files() -> list[Path]:
    folders = ("libs", "services", "tests", "benchmarks", "scripts", "examples")
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
