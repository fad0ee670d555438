"""Whether an engine's user could read a model."""

from pathlib import Path

import pytest

from modelium.runtime_agent.model_files import readable_by, unreadable


@pytest.mark.parametrize(
    ("mode", "owner", "group", "readable"),
    [
        (0o600, 1000, 1000, False),  # as transformers' save_pretrained leaves weights
        (0o644, 1000, 1000, True),
        (0o640, 1000, 0, True),  # by its group
        (0o604, 1000, 0, False),  # its group may not, and "others" does not mean it
        (0o400, 2000, 1000, True),
        (0o044, 2000, 1000, False),  # the owner may not
    ],
)
def test_modes_are_read_as_the_kernel_reads_them(
    mode: int, owner: int, group: int, readable: bool
) -> None:
    assert readable_by(mode, owner, group, uid=2000, gids=frozenset({0})) is readable


def test_root_reads_everything() -> None:
    assert readable_by(0, 1000, 1000, uid=0, gids=frozenset())


def _others(mode: int, uid: int, gid: int) -> bool:
    return readable_by(mode, uid, gid, uid=54321, gids=frozenset({54321}))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "qwen"
    path.mkdir(mode=0o755)
    for name in ("config.json", "model.safetensors", ".hidden"):
        (path / name).write_text("{}")
        (path / name).chmod(0o644)
    path.chmod(0o755)
    return path


def test_a_readable_model_has_no_problem(model: Path) -> None:
    (model / ".hidden").chmod(0o600)
    assert unreadable(model, _others) is None


def test_weights_that_only_their_owner_may_read_are_named_with_the_remedy(model: Path) -> None:
    weights = model / "model.safetensors"
    weights.chmod(0o600)
    problem = unreadable(model, _others)
    assert problem is not None
    assert f"chmod a+r {weights}" in problem


def test_a_folder_that_may_not_be_entered_is_named(model: Path) -> None:
    model.chmod(0o744)
    problem = unreadable(model, _others)
    assert problem is not None
    assert f"chmod a+rx {model}" in problem


def test_a_model_that_is_gone_is_told(tmp_path: Path) -> None:
    problem = unreadable(tmp_path / "gone", _others)
    assert problem is not None
    assert "no model at" in problem


def test_a_link_to_nowhere_is_told(model: Path) -> None:
    (model / "tokenizer.json").symlink_to(model / "nowhere")
    problem = unreadable(model, _others)
    assert problem is not None
    assert "tokenizer.json cannot be read" in problem
