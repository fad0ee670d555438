"""Every format: whole files pass, and no beginning of one does."""

import io
from random import Random

import pytest

from modelium.common.errors import InvalidModel
from modelium.watcher.completeness.archive import check_archive
from modelium.watcher.completeness.effort import Effort
from modelium.watcher.completeness.gguf_header import check_gguf
from modelium.watcher.completeness.headers import (
    check_safetensors,
    has_zero_ends,
    is_closed_json,
    is_lfs_pointer,
)
from modelium.watcher.completeness.onnx_file import Outside, check_onnx, companions

from .. import files

CHECKS = {
    ".safetensors": check_safetensors,
    ".gguf": check_gguf,
    ".onnx": check_onnx,
    ".pt": check_archive,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A file of each format."""
    random = Random(7)
    return {
        ".safetensors": files.safetensors(random),
        ".gguf": files.gguf(random, tmp_path_factory.mktemp("gguf")),
        ".onnx": files.onnx(random),
        ".pt": files.archive(random),
    }


def refusal(ending: str, content: bytes) -> str:
    """Why the file is not whole; empty if it is."""
    try:
        CHECKS[ending](io.BytesIO(content), len(content), Effort())
    except InvalidModel as error:
        return error.reason
    return ""


def passes(ending: str, content: bytes) -> bool:
    """Whether it would be taken at once: whole, and no zeros where they raise doubt."""
    if refusal(ending, content):
        return False
    if ending not in (".safetensors", ".gguf"):
        return True
    extent = CHECKS[ending](io.BytesIO(content), len(content), Effort())
    return not has_zero_ends(io.BytesIO(content), extent)


@pytest.mark.parametrize("ending", CHECKS)
def test_a_whole_file_passes_and_none_of_its_beginnings_does(
    whole: dict[str, bytes], ending: str
) -> None:
    content = whole[ending]
    assert passes(ending, content)
    assert [cut for cut in range(len(content)) if not refusal(ending, content[:cut])] == []


@pytest.mark.parametrize("ending", CHECKS)
def test_a_preallocated_file_does_not_pass_before_its_last_bytes(
    whole: dict[str, bytes], ending: str
) -> None:
    content = whole[ending]
    begun = (content[:cut] + bytes(len(content) - cut) for cut in range(len(content) - 8))
    assert [len(part) for part in begun if passes(ending, part)] == []


@pytest.mark.parametrize("ending", CHECKS)
def test_noise_is_refused_or_passed_but_never_breaks_anything(
    whole: dict[str, bytes], ending: str
) -> None:
    random = Random(11)
    content = whole[ending]
    for _ in range(300):
        noisy = bytearray(content)
        for _ in range(random.randint(1, 8)):
            noisy[random.randrange(min(len(noisy), 400))] = random.randrange(256)
        assert isinstance(refusal(ending, bytes(noisy)), str)


def test_an_archive_without_its_middle_is_refused(whole: dict[str, bytes]) -> None:
    content = whole[".pt"]
    second = content.rindex(b"PK\x03\x04")
    assert "nothing where its entry" in refusal(
        ".pt", content[:second] + bytes(30) + content[second + 30 :]
    )


def test_a_pickle_without_an_archive_is_left_to_the_analysis() -> None:
    assert refusal(".pt", b"\x80\x02}q\x00.") == ""


@pytest.mark.parametrize(
    ("ending", "content", "reason"),
    [
        (".safetensors", (1 << 62).to_bytes(8, "little") + b"{}", "no header of safetensors"),
        (".gguf", b"GGML" + bytes(40), "does not begin as GGUF does"),
        (".gguf", b"GGUF" + b"\x03\0\0\0" + b"\xff" * 16 + bytes(64), "too large"),
        (".gguf", b"GGUF" + b"\x09\0\0\0" + bytes(16), "version"),
        (".onnx", b"\x08\x07", "ends before its graph"),
        (".onnx", bytes(64), "not written yet"),
    ],
)
def test_headers_that_lie_are_refused_at_once(ending: str, content: bytes, reason: str) -> None:
    assert reason in refusal(ending, content)


def test_what_an_onnx_model_keeps_outside_is_found() -> None:
    content = files.onnx(Random(1), location="w.data", length=256)
    outside = check_onnx(io.BytesIO(content), len(content), Effort())
    assert outside == [Outside("w.data", 256)]
    assert companions([*outside, Outside("../up", 1), Outside("/etc/x", 1)]) == {"w.data"}


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        (b'{"a": "}", "b": [1, "\\""]}', True),
        (b"\xef\xbb\xbf [] \n", True),
        (b'{"a": "}', False),
        (b'{"a": {"b": 1}', False),
        (b'{"a": "\\"}', False),
        (b"{}\0\0\0", False),
        (b"", False),
        (b"[" * 100_000, False),
        (b'{"a": "' + b"\\n" * 1_000_000 + b'"}', True),
    ],
)
def test_json_is_closed_or_it_is_a_beginning(text: bytes, closed: bool) -> None:
    assert is_closed_json(text) is closed


def test_a_pointer_of_git_lfs_is_known_by_its_first_line() -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    assert is_lfs_pointer(io.BytesIO(pointer), len(pointer))
    assert not is_lfs_pointer(io.BytesIO(b"{}"), 2)


def test_a_first_row_of_zeros_is_no_doubt_but_a_first_page_is() -> None:
    for zeros, doubtful in ((1536, False), (4096, True)):
        content = b"\x02\0\0\0\0\0\0\0{}" + bytes(zeros) + b"\x01" * 4096
        extent = check_safetensors(io.BytesIO(content), len(content), Effort())
        assert has_zero_ends(io.BytesIO(content), extent) is doubtful
