"""The rules of the house that a machine can check."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

from modelium.common import keys
from modelium.common.events import MESSAGES
from modelium.common.subjects import STREAMS, subject_for
from tests.house import (
    ALONE,
    HOMES,
    LONGEST_FILE,
    LONGEST_FUNCTION,
    OWNERS,
    PURE_COMMON,
    REPLAYING,
    ROOT,
    SERVICES,
    STANDARD_FOR_PURE,
    Module,
    each,
    modules,
    python_files,
)

USAGE = keys.USAGE_ORGANIZATIONS.removesuffix("organizations")


def of_modelium(module: Module) -> Iterator[str]:
    return (name for name in module.imports() if name.startswith("modelium."))


def calls(module: Module) -> Iterator[str]:
    """Every `a.b(...)` as text."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            yield ast.unparse(node.func)


def test_every_package_is_looked_at() -> None:
    assert {module.package for module in modules()} == set(HOMES)


@pytest.mark.parametrize("module", each(*SERVICES), ids=repr)
def test_a_service_imports_itself_common_and_core(module: Module) -> None:
    shared = ("common", "core", *REPLAYING.get(module.package, ()))
    allowed = tuple(f"modelium.{name}" for name in (module.package, *shared))
    assert not [name for name in of_modelium(module) if not name.startswith(allowed)]


@pytest.mark.parametrize("module", each("common", "cli", "replay"), ids=repr)
def test_libraries_import_no_service(module: Module) -> None:
    services = tuple(f"modelium.{name}" for name in (*SERVICES, *ALONE))
    assert not [name for name in of_modelium(module) if name.startswith(services)]


@pytest.mark.parametrize("module", each(*ALONE), ids=repr)
def test_what_runs_in_the_engines_environment_imports_itself_only(module: Module) -> None:
    assert not [n for n in of_modelium(module) if not n.startswith(f"modelium.{module.package}")]


@pytest.mark.parametrize("module", each("core"), ids=repr)
def test_core_imports_only_pure_modules(module: Module) -> None:
    assert not impure(module, (*PURE_COMMON, "modelium.core"))


@pytest.mark.parametrize("module", each("replay"), ids=repr)
def test_replays_are_made_of_what_is_pure(module: Module) -> None:
    allowed = (*PURE_COMMON, "modelium.core", "modelium.replay")
    assert not [name for name in of_modelium(module) if not name.startswith(allowed)]


@pytest.mark.parametrize("module", [m for m in each("common") if m.name in PURE_COMMON], ids=repr)
def test_pure_modules_of_common_import_only_each_other(module: Module) -> None:
    if module.name == "modelium.common.clock":
        return  # the one that reads the time
    assert not impure(module, tuple(PURE_COMMON))


def impure(module: Module, allowed: tuple[str, ...]) -> list[str]:
    return [
        name
        for name in module.imports()
        if not name.startswith((*allowed, "pydantic"))
        and name != "modelium.common"
        and name.partition(".")[0] not in STANDARD_FOR_PURE
    ]


@pytest.mark.parametrize("module", each(), ids=repr)
def test_a_client_library_is_imported_by_its_adapter_only(module: Module) -> None:
    for name in module.imports():
        owners = OWNERS.get(name.partition(".")[0])
        assert owners is None or module.name.startswith(owners), name


@pytest.mark.parametrize("service", SERVICES)
def test_handlers_do_not_import_adapters_libraries(service: str) -> None:
    [handlers] = [m for m in each(service) if m.name == f"modelium.{service}.handlers"]
    libraries = {name.partition(".")[0] for name in handlers.imports()}
    assert not libraries & {"nats", "redis", "docker", "pynvml", "aiohttp", "uvicorn", "fastapi"}


@pytest.mark.parametrize("service", (*SERVICES, *ALONE))
def test_a_service_has_a_page_about_itself(service: str) -> None:
    assert (HOMES[service].parents[1] / "README.md").is_file()


@pytest.mark.parametrize("module", each(), ids=repr)
def test_a_module_says_what_it_is(module: Module) -> None:
    assert ast.get_docstring(module.tree), f"{module.path} has no docstring"


@pytest.mark.parametrize("module", each(), ids=repr)
def test_only_the_boundary_catches_everything(module: Module) -> None:
    if module.name == "modelium.common.boundary":
        return
    swallowing = [
        ast.unparse(node)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler)
        and set(caught(node)) & {"Exception", "BaseException"}
        and not (isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None)
    ]
    assert not swallowing


def caught(handler: ast.ExceptHandler) -> list[str]:
    if handler.type is None:
        return ["BaseException"]
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return [ast.unparse(kind) for kind in kinds]


@pytest.mark.parametrize("module", each(), ids=repr)
def test_time_is_read_and_waited_for_by_the_clock_only(module: Module) -> None:
    if module.name in {f"modelium.{name}.clock" for name in ("common", *ALONE)}:
        return
    wrong = {"time.time", "time.monotonic", "time.sleep", "time.perf_counter", "asyncio.sleep"}
    wrong |= {"datetime.now", "datetime.utcnow", "datetime.datetime.now"}
    assert not wrong & set(calls(module))


@pytest.mark.parametrize("module", each(), ids=repr)
def test_no_task_is_started_and_forgotten(module: Module) -> None:
    forgotten = [
        ast.unparse(node)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) in ("asyncio.create_task", "asyncio.ensure_future")
    ]
    assert not forgotten


@pytest.mark.parametrize("module", each(*SERVICES, "common", "core"), ids=repr)
def test_subjects_streams_and_keys_are_spelled_in_one_place(module: Module) -> None:
    if module.name in {
        f"modelium.common.{name}"
        for name in ("subjects", "events", "reports", "advice", "wishes", "keys")
    }:
        return
    subjects = {subject_for(kind) for kind in MESSAGES}
    spelled = subjects | {stream.name for stream in STREAMS}
    prefix = keys.model("")
    for text in literals(module.tree):
        assert text not in spelled
        assert not text.startswith(("command.", "dead.", prefix, keys.instance(""), keys.agent("")))
        assert text not in {
            keys.MODELS,
            keys.INSTANCES,
            keys.AGENTS,
            keys.MEMORY,
            keys.API_KEYS,
            keys.ADVISORS,
            keys.GATEWAYS,
            keys.REQUESTS,
        }
        assert not text.startswith((keys.DECISIONS, keys.decision(""), keys.request("")))
        assert not text.startswith((keys.api_key(""), keys.slots(""), keys.LIMITS, USAGE))
        assert not text.startswith((keys.memory(""), keys.advisor("")))


def literals(tree: ast.Module) -> Iterator[str]:
    """All strings that are neither documentation nor the name of a log line."""
    passed_over = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    } | {id(node.args[0]) for node in ast.walk(tree) if is_log_line(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in passed_over:
            yield str(node.value)


def is_log_line(node: ast.AST) -> TypeGuard[ast.Call]:
    """The names of log lines read like subjects, and are not."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("debug", "info", "warning", "error")
        and bool(node.args)
    )


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= LONGEST_FILE
    functions = (
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    long = [node.name for node in functions if lines(node) > LONGEST_FUNCTION]
    assert not long


PAGE_SOURCES = sorted((ROOT / "ui" / "src").rglob("*.ts*"))


@pytest.mark.parametrize("path", PAGE_SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_of_the_page_are_short(path: Path) -> None:
    assert path.read_text().count("\n") <= LONGEST_FILE


def test_the_pages_packages_are_locked_by_hash_from_any_registry() -> None:
    lock = json.loads((ROOT / "ui" / "package-lock.json").read_text())
    # What comes inside another package has that package's hash.
    packages = [p for name, p in lock["packages"].items() if name and not p.get("inBundle")]
    assert packages
    assert not [p for p in packages if "integrity" not in p or "resolved" in p]


def lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_the_namespace_has_no_init() -> None:
    assert not [home.parent / "__init__.py" for home in HOMES.values() if inits(home.parent)]


def inits(folder: Path) -> bool:
    return (folder / "__init__.py").exists()


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_path_of_a_machine_is_written_down(path: Path) -> None:
    homes = re.compile(r"/(?:root|home/\w+|Users/\w+|work)/")
    assert not homes.search(path.read_text())


def test_the_handlers_of_all_services_cover_every_message() -> None:
    handled = {
        name
        for service in SERVICES
        for name in re.findall(r"\w+", (HOMES[service] / "handlers.py").read_text())
    }
    assert {kind.__name__ for kind in MESSAGES} <= handled
