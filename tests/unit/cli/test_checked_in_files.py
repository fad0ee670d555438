"""Files that are made from others are what would be made now."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from modelium.cli.settings_list import page, settings_list
from modelium.common.load_settings import Settings, load_with_origins

ROOT = Path(__file__).resolve().parents[3]
LOCKS = {"services.txt": [], "local.txt": ["local"], "dev.txt": ["local", "dev"]}
SERVICE_EXTRAS = ["watcher", "registry", "brain", "orchestrator", "gateway", "runtime-agent"]


def test_the_page_of_settings_is_up_to_date() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == page(), "run `make docs`"


def test_every_setting_has_a_description_and_a_variable() -> None:
    for setting in settings_list():
        assert setting.description.endswith("."), setting.key
        assert setting.variable.startswith("MODELIUM_")


def test_the_settings_file_of_the_repository_changes_nothing() -> None:
    assert load_with_origins(ROOT / "modelium.example.yaml").origins.keys() == set()


def test_the_lines_of_the_settings_file_show_the_defaults() -> None:
    text = (ROOT / "modelium.example.yaml").read_text()
    head, _, body = text.partition("\norganization:")
    uncommented = re.sub(r"^(\s*)# (\w+:)", r"\1\2", "organization:" + body, flags=re.MULTILINE)
    shown = Settings.model_validate(yaml.safe_load(uncommented))
    assert head.startswith("#")
    assert shown == Settings()


def names_in(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", line)[0].lower().replace("_", "-") for line in requirements}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_every_dependency_with_hashes_and_names_no_place(lock: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = names_in(project["dependencies"])
    for extra in [*SERVICE_EXTRAS, *LOCKS[lock]]:
        wanted |= names_in(project["optional-dependencies"][extra])
    text = (ROOT / "requirements" / lock).read_text()
    pinned = re.findall(r"^([a-z0-9.-]+)(?:\[[^\]]*\])?==(\S+)", text, flags=re.MULTILINE)
    assert wanted <= {name for name, _ in pinned}, "run `make lock`"
    assert "hatchling" in {name for name, _ in pinned}
    assert text.count("==") <= text.count("--hash=sha256:")
    assert "://" not in text
    assert not text.startswith("#")


def test_the_locks_agree_on_every_version() -> None:
    versions: dict[str, set[str]] = {}
    for lock in LOCKS:
        for line in (ROOT / "requirements" / lock).read_text().splitlines():
            if "==" in line:
                name, _, rest = line.partition("==")
                versions.setdefault(f"{name};{rest.partition(';')[2]}", set()).add(rest.split()[0])
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_what_make_starts_takes_its_place_so_that_signals_reach_it() -> None:
    recipes = [
        line.removeprefix("\t@")
        for line in (ROOT / "Makefile").read_text().splitlines()
        if line.startswith("\t") and "awk" not in line
    ]
    assert recipes
    assert all(re.match(r"(exec |if .*then exec )", recipe) for recipe in recipes)
