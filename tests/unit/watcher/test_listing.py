"""Names and fingerprints."""

import re

import pytest

from modelium.common.records import MODEL_NAME_PATTERN
from modelium.watcher.listing import File, fingerprint, served_name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/models/qwen", "qwen"),
        ("/models/Qwen2.5-0.5B_it", "Qwen2.5-0.5B_it"),
        ("/models/my model (v2)", "my-model--v2-"),
        ("/models/x.safetensors", "x"),
        ("/models/x.y.onnx", "x.y"),
        ("/models/x.pt2", "x"),
        ("/models/_private", "private"),
        ("/models/模型", "model"),
        ("/models/" + "a" * 200, "a" * 128),
    ],
)
def test_the_served_name_is_the_folder_s_made_fit_for_clients(path: str, name: str) -> None:
    assert served_name(path) == name
    assert re.fullmatch(MODEL_NAME_PATTERN, name)


BASE = (File("config.json", 10, 1), File("model.safetensors", 100, 2))


@pytest.mark.parametrize(
    ("files", "config"),
    [
        ((BASE[0], File("model.safetensors", 101, 2)), b"{}"),
        ((BASE[0], File("model.safetensors", 100, 3)), b"{}"),
        ((BASE[0], File("other.safetensors", 100, 2)), b"{}"),
        ((BASE[0], File("model.safetensors", 100, 2, readable=False)), b"{}"),
        (BASE[:1], b"{}"),
        (BASE, b"{ }"),
    ],
)
def test_any_change_of_the_files_changes_the_fingerprint(
    files: tuple[File, ...], config: bytes
) -> None:
    assert fingerprint(files, config) != fingerprint(BASE, b"{}")


def test_the_order_of_the_files_does_not_matter() -> None:
    assert fingerprint(BASE[::-1], b"{}") == fingerprint(BASE, b"{}")
