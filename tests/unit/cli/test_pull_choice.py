"""Which files of a repository on a hub are fetched."""

import pytest

from modelium.cli.pull_choice import HubFile, choose

LLAMA = ("config.json", "model-1.safetensors", "tokenizer.json", "original/consolidated.00.pth")


@pytest.mark.parametrize(
    ("there", "options", "chosen"),
    [
        # A picture, a page and another format of the same weights stay where they are.
        ((*LLAMA, "README.md", "a.png", "pytorch_model.bin"), {}, LLAMA[:3]),
        # Mistral's own names are copies.
        (("consolidated.safetensors", "model.safetensors"), {}, ("model.safetensors",)),
        (("consolidated.safetensors", "params.json"), {}, ("consolidated.safetensors",) * 1
         + ("params.json",)),
        # ONNX where there is nothing else, with the file that holds its tensors.
        (("onnx/a.onnx", "onnx/a.onnx_data", "config.json"), {},
         ("config.json", "onnx/a.onnx", "onnx/a.onnx_data")),
        (("onnx/a.onnx", "model.safetensors"), {}, ("model.safetensors",)),
        (("config.json", "pytorch_model.bin"), {}, ()),
        (("config.json", "pytorch_model.bin"), {"pickles": True},
         ("config.json", "pytorch_model.bin")),
        # Pickles that were allowed are still no substitute for what is safe.
        (("a.safetensors", "a.bin"), {"pickles": True}, ("a.safetensors",)),
        (("a.gguf", "b.gguf"), {"include": ("b*",)}, ("b.gguf",)),
        (("1_Pooling/config.json", "model.safetensors", "vocab.txt"), {},
         ("1_Pooling/config.json", "model.safetensors", "vocab.txt")),
    ],
)  # fmt: skip
def test_what_makes_a_model_is_chosen(
    there: tuple[str, ...], options: dict[str, object], chosen: tuple[str, ...]
) -> None:
    files = [HubFile(path, 1) for path in there]
    found = choose(files, **{"pickles": False, **options})  # type: ignore[arg-type]
    assert tuple(file.path for file in found) == chosen
