"""Where settings come from, which one wins, and what is said when one is wrong."""

from pathlib import Path

import pytest

from modelium.common.errors import ExitCode, SettingsError
from modelium.common.load_settings import Settings, load, load_with_origins


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No file, no variables."""
    import os

    for name in [name for name in os.environ if name.startswith("MODELIUM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def problems(config: Path | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as wrong:
        load(config)
    assert wrong.value.exit_code is ExitCode.CONFIG
    return wrong.value.problems


def test_without_file_and_variables_there_are_defaults() -> None:
    assert load().gateway.port == Settings().gateway.port


def test_the_environment_wins_over_the_file_and_the_file_over_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write(tmp_path / "modelium.yaml", "gateway: {port: 1, host: '::1'}\n")
    monkeypatch.setenv("MODELIUM_GATEWAY__PORT", "2")
    loaded = load_with_origins()
    assert (loaded.settings.gateway.port, loaded.settings.gateway.host) == (2, "::1")
    assert loaded.origins == {
        "gateway.port": "MODELIUM_GATEWAY__PORT",
        "gateway.host": str(config),
    }


def test_the_first_file_in_the_order_of_search_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "user" / "modelium" / "modelium.yaml", "gateway: {port: 4}\n")
    assert load().gateway.port == 4
    write(tmp_path / "modelium.yaml", "gateway: {port: 3}\n")
    assert load().gateway.port == 3
    write(tmp_path / "b.yaml", "gateway: {port: 2}\n")
    monkeypatch.setenv("MODELIUM_CONFIG", "b.yaml")
    assert load().gateway.port == 2
    assert load(write(tmp_path / "a.yaml", "gateway: {port: 1}\n")).gateway.port == 1


@pytest.mark.parametrize("text", ["", "# nothing\n", "gpu:\n  # enabled: false\n"])
def test_an_empty_file_or_section_sets_nothing(tmp_path: Path, text: str) -> None:
    write(tmp_path / "modelium.yaml", text)
    loaded = load_with_origins()
    assert loaded.origins == {}
    assert loaded.settings.gpu == Settings().gpu


def test_relative_paths_start_at_the_file_and_others_at_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "orchestration: {model_discovery: {watch_directories: [m, /x]}}\nvllm: {python: bin/p}\n"
    settings = load(write(tmp_path / "etc" / "c.yaml", text))
    folders = settings.orchestration.model_discovery.watch_directories
    assert folders == (tmp_path / "etc" / "m", Path("/x"))
    assert settings.vllm.python == tmp_path / "etc" / "bin" / "p"
    assert settings.runtime_agent.state_directory == tmp_path / ".modelium" / "agent"
    monkeypatch.setenv("MODELIUM_VLLM__PYTHON", "bin/q")
    assert load().vllm.python == tmp_path / "bin" / "q"


def test_the_link_of_a_virtual_environment_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to("/usr/bin/env")
    config = write(tmp_path / "c.yaml", "vllm: {python: python}\n")
    assert load(config).vllm.python == tmp_path / "python"


@pytest.mark.parametrize("value", ["a,b", '["a", "b"]', " a , b "])
def test_a_list_in_a_variable_is_json_or_has_commas(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("MODELIUM_GPU__DEVICES", value)
    assert load().gpu.devices == ("a", "b")


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELIUM_NATS__URL", "")
    assert load_with_origins().origins == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gateway: {prt: 1}", "gateway.prt is not a setting (did you mean gateway.port?)"),
        ("vlm: {}", "vlm is not a setting (did you mean vllm?)"),
        ("xyzzy: 1", "xyzzy is not a setting"),
        ("gateway: {port: abc}", "gateway.port: expected a valid integer, not 'abc'"),
        ("gateway: {port: 70000}", "gateway.port: expected less than or equal to 65535, not 70000"),
        ("gpu: 3", "gpu: expected a section with keys, not 3"),
        ("gpu: {devices: a}", "gpu.devices: expected a list, not 'a'"),
        ("orchestration: {mode: fast}", "orchestration.mode: expected 'intelligent' or 'simple', "),
    ],
)
def test_a_wrong_key_or_value_is_named_with_file_key_and_expectation(
    tmp_path: Path, text: str, expected: str
) -> None:
    config = write(tmp_path / "modelium.yaml", text)
    (problem,) = problems()
    assert problem.startswith(f"{config}: {expected}")


def test_all_problems_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "modelium.yaml", "gateway: {port: abc}\nvlm: {}\n")
    monkeypatch.setenv("MODELIUM_HEALTH__BRAIN_PORT", "x")
    assert len(problems()) == 3


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MODELIUM_GATEWAY__PRT", "MODELIUM_GATEWAY__PORT"),
        ("MODELIUM_GATEWAY_PORT", "MODELIUM_GATEWAY__PORT"),
        ("MODELIUM_NTS__URL", "MODELIUM_NATS__URL"),
    ],
)
def test_a_variable_that_is_nearly_a_setting_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "1")
    assert problems() == (f"{name}: is not a setting (did you mean {meant}?)",)


def test_a_wrong_variable_is_named_and_not_the_file_that_it_overrides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "modelium.yaml", "gateway: {port: 1}")
    monkeypatch.setenv("MODELIUM_GATEWAY__PORT", "x")
    (problem,) = problems()
    assert problem.startswith("MODELIUM_GATEWAY__PORT: gateway.port: expected a valid integer")


def test_variables_that_are_for_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MODELIUM_URL", "MODELIUM_RUN", "MODELIUM_VLLM_PYTHON"):
        monkeypatch.setenv(name, "x")
    assert load_with_origins().origins == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: [\n", "line 3"),
        ("gpu: {}\ngpu: {}\n", "line 2, column 1: the key gpu is there twice"),
        ("- a\n", "expected sections with keys, not list"),
    ],
)
def test_what_is_no_settings_file_is_refused_with_its_line(
    tmp_path: Path, text: str, expected: str
) -> None:
    config = write(tmp_path / "modelium.yaml", text)
    (problem,) = problems()
    assert problem.startswith(str(config))
    assert expected in problem


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    assert problems(tmp_path / "none.yaml") == (f"{tmp_path / 'none.yaml'}: there is no such file",)
