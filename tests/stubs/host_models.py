"""Makes small models of every kind that the model host serves, and what they answer when run
directly; for the engine's interpreter: `python host_models.py FOLDER`.

ONNX is not among them: its models are made with `onnx`, which that environment has not.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    PreTrainedTokenizerFast,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessorPil,
    pipeline,
)

WORDS = ["[PAD]", "[UNK]", "a", "good", "bad", "model", "is", "text", "very"]
TEXTS = ["a good model", "a very very bad model is a text", "is"]
SHAPE = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "initializer_range": 0.8,
}
"""Of a transformer, with weights so large that its answers differ."""


class Small(torch.nn.Module):
    """Two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(4, 8)
        self.second = torch.nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.relu(self.first(x)))


class Slow(torch.nn.Module):
    """Gives what it gets, and takes longer the larger it is: 1 is some 50 ms."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = torch.ones(300, 300)
        for _ in range(int(x.sum().item() * 40)):
            kept = torch.tanh(kept @ kept / 300)
        return x + 0 * kept.sum()


class Mixes(torch.nn.Module):
    """Its rows depend on each other: a softmax over the first dimension."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(x, 0)


def tensors(folder: Path) -> None:
    model = Small().eval()
    rows = torch.randn(5, 4)
    np.savez(folder / "small.npz", x=rows.numpy(), y=model(rows).detach().numpy())
    batch = torch.export.Dim("batch", max=64)
    free = torch.export.export(model, (rows,), dynamic_shapes={"x": {0: batch}})
    torch.export.save(free, folder / "free.pt2")
    torch.export.save(torch.export.export(model, (rows,)), folder / "fixed.pt2")
    torch.jit.script(model).save(str(folder / "small.pt"))
    torch.jit.script(Slow()).save(str(folder / "slow.pt"))
    torch.jit.script(Mixes()).save(str(folder / "mixes.pt"))
    torch.save({"weight": torch.ones(2)}, folder / "pickled.pt")


def images(folder: Path) -> None:
    shape = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "initializer_range": 0.8,
    }
    config = ViTConfig(**shape, num_attention_heads=2, image_size=32, patch_size=16)
    config.id2label = {0: "cat", 1: "dog", 2: "owl"}
    config.label2id = {"cat": 0, "dog": 1, "owl": 2}
    model = ViTForImageClassification(config).eval()
    processor = ViTImageProcessorPil(size={"height": 32, "width": 32})
    model.save_pretrained(folder / "vision")
    processor.save_pretrained(folder / "vision")
    picture = np.random.default_rng(0).integers(0, 255, (48, 40, 3), np.uint8)
    Image.fromarray(picture).save(folder / "picture.png")
    Image.new("1", (9000, 9000)).save(folder / "huge.png")
    Image.new("1", (7000, 7000)).save(folder / "large.png")
    classify = pipeline("image-classification", model=model, image_processor=processor)
    expected = classify(str(folder / "picture.png"))
    (folder / "vision.json").write_text(json.dumps(expected))


def texts(folder: Path) -> None:
    words = Tokenizer(models.WordLevel({w: at for at, w in enumerate(WORDS)}, "[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", model_max_length=16
    )
    shape = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "initializer_range": 0.8,
    }
    config = BertConfig(**shape, num_attention_heads=2, vocab_size=len(WORDS))
    config.id2label, config.label2id = {0: "no", 1: "yes"}, {"no": 0, "yes": 1}
    model = BertForSequenceClassification(config).eval()
    for name, kept in (("classify", model), ("embed", BertModel(config, add_pooling_layer=False))):
        kept.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    embed(folder, BertModel.from_pretrained(folder / "embed").eval(), tokenizer)
    classify = pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None)
    (folder / "classify.json").write_text(json.dumps(classify(TEXTS)))
    half = {k: v for k, v in model.state_dict().items() if not k.startswith("classifier")}
    model.save_pretrained(folder / "headless")
    tokenizer.save_pretrained(folder / "headless")
    save_file(half, folder / "headless" / "model.safetensors", {"format": "pt"})


def embed(folder: Path, model: BertModel, tokenizer: PreTrainedTokenizerFast) -> None:
    """One text at a time, so that nothing is padded: the mean of its tokens, of length 1."""
    found = [model(**tokenizer(text, return_tensors="pt")).last_hidden_state for text in TEXTS]
    means = [states.mean(1)[0].detach().numpy() for states in found]
    np.save(folder / "embed.npy", [mean / np.linalg.norm(mean) for mean in means])


def main() -> None:
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    folder = Path(sys.argv[1])
    tensors(folder)
    images(folder)
    texts(folder)


main()
