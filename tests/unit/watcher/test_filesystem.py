"""Real folders: what is listed, what is complete, and what models are."""

import asyncio
import json
import os
import shlex
import struct
import subprocess
from pathlib import Path

import pytest

from modelium.common.descriptor import Descriptor, RuntimeKind, Task
from modelium.common.errors import InvalidModel
from modelium.watcher.filesystem import ModelFolders
from modelium.watcher.listing import Candidate
from modelium.watcher.notify import Notifier

from . import models
from .analysts import InThisProcess
from .transfers import tells_writers

EMPTY_GGUF = b"GGUF" + struct.pack("<IQQ", 3, 0, 0)
FIRST_SHARD = "model-00001-of-00002.safetensors"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    watched = tmp_path / "models"
    watched.mkdir()
    return watched


def folders(*roots: Path, read_by_others: bool = False) -> ModelFolders:
    return ModelFolders(
        roots,
        supported=(".safetensors",),
        read_by_others=read_by_others,
        analyst=InThisProcess(),
    )


async def listed(root: Path, *, read_by_others: bool = False) -> dict[str, Candidate]:
    found = await folders(root, read_by_others=read_by_others).listing()
    return {Path(path).name: candidate for path, candidate in found.candidates.items()}


async def missing(root: Path, name: str = "qwen") -> str | None:
    return (await folders(root).inspect((await listed(root))[name])).missing


async def described(root: Path, name: str = "qwen") -> Descriptor:
    return await folders(root).analyse((await listed(root))[name])


async def reason(root: Path, name: str = "qwen", *, read_by_others: bool = False) -> str:
    candidate = (await listed(root, read_by_others=read_by_others))[name]
    with pytest.raises(InvalidModel) as rejection:
        await folders(root).analyse(candidate)
    return rejection.value.reason


async def test_folders_and_supported_files_are_listed_and_others_are_not(root: Path) -> None:
    models.write_model(root / "qwen")
    for hidden in (".cache", "llama.part", "phi.incomplete"):
        models.write_model(root / hidden)
    (root / "notes.txt").write_text("not a model")
    (root / "x.safetensors").write_bytes(models.safetensors(models.TENSORS))
    (root / os.fsdecode(b"caf\xe9")).mkdir()
    assert sorted(await listed(root)) == ["qwen", "x.safetensors"]


async def test_a_folder_with_an_unfinished_file_is_unfinished(root: Path) -> None:
    models.write_model(root / "qwen")
    (root / "qwen" / "model.safetensors.part").write_bytes(b"half")
    assert (await listed(root))["qwen"].unfinished


async def test_a_download_of_the_hub_is_unfinished_until_its_parts_are_moved(root: Path) -> None:
    models.write_model(root / "qwen")
    cache = root / "qwen" / ".cache" / "huggingface" / "download"
    cache.mkdir(parents=True)
    (cache / "model.safetensors.lock").touch()
    assert not (await listed(root))["qwen"].unfinished
    (cache / "abc.incomplete").touch()
    assert (await listed(root))["qwen"].unfinished
    assert [f.path for f in (await listed(root))["qwen"].files] == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


async def test_a_directory_that_cannot_be_read_is_left_out(root: Path, tmp_path: Path) -> None:
    found = await folders(root, tmp_path / "unmounted").listing()
    assert found.roots == (str(root),)


async def test_a_directory_made_by_the_watcher_says_nothing_until_it_held_something(
    tmp_path: Path,
) -> None:
    fresh = tmp_path / "deep" / "models"
    watched = folders(fresh)
    await watched.prepare()
    assert (await watched.listing()).roots == ()
    models.write_model(fresh / "qwen")
    assert (await watched.listing()).roots == (str(fresh),)


async def test_a_complete_model_lacks_nothing(root: Path) -> None:
    models.write_model(root / "one")
    models.write_sharded_model(root / "two")
    assert [await missing(root, name) for name in ("one", "two")] == [None, None]


async def test_what_is_missing_is_named(root: Path) -> None:
    folder = models.write_model(root / "qwen")
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-1])
    assert "model.safetensors is incomplete" in str(await missing(root))
    (folder / "model.safetensors").write_bytes(b"")
    assert "model.safetensors is incomplete" in str(await missing(root))
    (folder / "model.safetensors").unlink()
    assert await missing(root) == (
        "it has no weight file (.safetensors, .gguf, .onnx, .pt, .pth, .pt2)"
    )
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "config.json").write_text('{"architectures": ["Qwen2')
    assert await missing(root) == ("config.json is incomplete or damaged: it ends in the middle")
    (folder / "config.json").unlink()
    assert await missing(root) == "config.json is missing"


async def test_every_weight_file_of_the_index_is_waited_for(root: Path) -> None:
    models.write_sharded_model(root / "qwen", without=FIRST_SHARD)
    expected = f"{FIRST_SHARD} is missing (1 of 2 weight files): copy it as well"
    assert await missing(root) == expected


@pytest.mark.parametrize("index", ["[]", "{", '{"weight_map": 1}', '{"weight_map": {"a": ["b"]}}'])
async def test_a_broken_index_is_no_reason_to_fail(root: Path, index: str) -> None:
    folder = models.write_model(root / "qwen")
    (folder / "model.safetensors.index.json").write_text(index)
    assert await missing(root) is not None


async def test_a_chat_model_is_described_from_its_headers(root: Path) -> None:
    folder = models.write_model(root / "qwen")
    found = await described(root)
    assert found == Descriptor(
        format="huggingface",
        framework="transformers",
        architecture="Qwen2ForCausalLM",
        task=Task.CHAT,
        runtime=RuntimeKind.VLLM,
        dtype="BF16",
        parameters=10 * 64 + 64,
        weight_bytes=(folder / "model.safetensors").stat().st_size,
        weight_bytes_by_dtype={"BF16": 1280, "F32": 256},
        context_length=2048,
        kv_bytes_per_token=256,
        attention_heads=4,
        kv_heads=2,
        has_chat_template=True,
        content_fingerprint=found.content_fingerprint,
    )


async def test_a_model_in_shards_is_counted_once_and_whole(root: Path) -> None:
    folder = models.write_sharded_model(root / "qwen")
    (folder / "consolidated.safetensors").write_bytes(models.safetensors(models.TENSORS))
    assert (await described(root)).parameters == 10 * 64 + 64


async def test_a_model_without_a_chat_template_completes(root: Path) -> None:
    folder = models.write_model(root / "qwen")
    (folder / "tokenizer_config.json").unlink()
    assert (await described(root)).task is Task.COMPLETION
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert (await described(root)).task is Task.CHAT


async def test_a_model_with_code_of_its_own_is_rejected(root: Path) -> None:
    models.write_model(root / "qwen", config={"auto_map": {"AutoModel": "modeling.M"}})
    assert "code of its own" in await reason(root)


async def test_a_gguf_beside_a_model_changes_nothing(root: Path) -> None:
    models.write_model(root / "y")
    (root / "y" / "q4.gguf").write_bytes(EMPTY_GGUF)
    assert await missing(root, "y") is None
    assert (await described(root, "y")).format == "huggingface"


async def test_weights_that_engines_may_not_read_are_rejected_with_the_remedy(root: Path) -> None:
    folder = models.write_model(root / "qwen")
    (folder / "model.safetensors").chmod(0o600)
    assert f"chmod -R a+rX {folder}" in await reason(root, read_by_others=True)


async def test_a_folder_that_engines_may_not_enter_is_rejected(root: Path) -> None:
    models.write_model(root / "qwen").chmod(0o700)
    assert "chmod" in await reason(root, read_by_others=True)


async def test_private_weights_are_served_where_engines_run_as_ourselves(root: Path) -> None:
    folder = models.write_model(root / "qwen")
    (folder / "model.safetensors").chmod(0o600)
    assert (await described(root)).parameters == 10 * 64 + 64


async def test_making_weights_readable_is_a_change(root: Path) -> None:
    folder = models.write_model(root / "qwen")
    prints = []
    for mode in (0o600, 0o644):
        (folder / "model.safetensors").chmod(mode)
        private = folders(root, read_by_others=True)
        candidate = (await listed(root, read_by_others=True))["qwen"]
        prints.append((await private.inspect(candidate)).fingerprint)
    assert prints[0] != prints[1]


async def test_a_named_path_is_looked_at_wherever_it_lies(root: Path, tmp_path: Path) -> None:
    elsewhere = models.write_model(tmp_path / "elsewhere")
    found = await folders(root).look(str(elsewhere))
    assert found.candidate.path == str(elsewhere)
    assert found.fingerprint


@pytest.mark.parametrize("path", ["models/qwen", "/does/not/exist", "/etc/hostname"])
async def test_a_named_path_without_a_model_is_refused(root: Path, path: str) -> None:
    with pytest.raises(InvalidModel):
        await folders(root).look(path)


async def test_a_path_has_the_same_fingerprint_listed_or_named(root: Path) -> None:
    folder = models.write_model(root / "qwen")
    listed_print = (await folders(root).inspect((await listed(root))["qwen"])).fingerprint
    assert (await folders(root).look(str(folder))).fingerprint == listed_print


def replaced(folder: Path) -> None:
    """Move the folder away and make an empty one in its place."""
    folder.rename(folder.with_name("old"))
    folder.mkdir()


async def test_file_events_wake_at_once_even_after_the_directory_was_replaced(
    root: Path,
) -> None:
    changed = asyncio.Event()
    async with Notifier([root], changed.set) as notifier:
        (root / "a").mkdir()
        await asyncio.wait_for(changed.wait(), 10)
        replaced(root)
        await notifier.renew()
        changed.clear()
        (root / "b").write_text(json.dumps({}))
        await asyncio.wait_for(changed.wait(), 10)


async def test_a_model_in_a_folder_of_its_makers_is_found_one_too_deep(root: Path) -> None:
    models.write_model(root / "org" / "qwen")
    assert await reason(root, "org") == (
        f"its files are one folder too deep: move {root}/org/qwen to {root}, or watch {root}/org"
    )


async def test_a_cache_of_the_hub_is_refused_with_the_command_that_copies_the_model(
    root: Path,
) -> None:
    cache = root / "models--acme--tiny"
    models.write_model(cache / "blobs")
    snapshot = cache / "snapshots" / "0a1b2c"
    snapshot.mkdir(parents=True)
    for file in sorted((cache / "blobs").iterdir()):
        blob = file.rename(file.with_name(f"sha-{file.name}.blob"))
        (snapshot / file.name).symlink_to(f"../../blobs/{blob.name}")
    said = await reason(root, cache.name)
    command = said.partition("are links: ")[2]
    assert command == f"cp -rL {snapshot} {root}/tiny"
    await asyncio.to_thread(subprocess.run, shlex.split(command), check=True)
    assert (await listed(root))["tiny"].leaves is None
    assert await missing(root, "tiny") is None


async def test_what_is_being_written_is_judged_again_only_once_it_is_closed(tmp_path: Path) -> None:
    root = tmp_path / "models"
    folder = models.write_model(root / "qwen")
    if not tells_writers(tmp_path):
        pytest.skip("this kernel does not tell who writes")
    candidate = (await listed(root))["qwen"]
    watched = folders(root)
    with (folder / "model.safetensors").open("ab"):
        first = await watched.inspect(candidate)
        assert first.doubt == "somebody has model.safetensors open for writing"
        assert await watched.inspect(candidate, first) is first
    assert (await watched.inspect(candidate, first)).doubt is None
