"""How long the analysis of large model files takes: `make bench-analysis`.

A safetensors file of 3 GB (sparse: its pages are holes) and a GGUF with a vocabulary of 150,000
words, beside what the library's own reader takes for the latter. Ours are run several times in one
process; the figures are CPU time, as the machine may have other things to do.
"""

import json
import statistics
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import gguf
import numpy as np

from modelium.common.settings import ModelDiscovery
from modelium.watcher import analysis
from modelium.watcher.listing import Candidate, File

ROUNDS: Final = 7
SUPPORTED: Final = ModelDiscovery().supported_extensions
LAYERS: Final = 32
WORDS: Final = 150_000
CONFIG: Final = {
    "architectures": ["Qwen2ForCausalLM"],
    "max_position_embeddings": 32768,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 32,
    "hidden_size": 4096,
}


def sparse_model(folder: Path) -> Candidate:
    """A transformers folder whose weights are 3 GB of holes, in 290 tensors."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer.json").write_text("{}")
    rows = 3_000_000_000 // (2 * 4096 * (LAYERS * 9 + 2))
    header, end = {}, 0
    for number in range(LAYERS * 9 + 2):
        size = rows * 4096 * 2
        offsets = [end, end + size]
        header[f"model.{number}"] = {
            "dtype": "BF16",
            "shape": [rows, 4096],
            "data_offsets": offsets,
        }
        end += size
    text = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as weights:
        weights.write(struct.pack("<Q", len(text)) + text)
        weights.truncate(8 + len(text) + end)
    return candidate(folder)


def wordy_gguf(path: Path) -> Candidate:
    """A GGUF with a large vocabulary: words, scores, kinds and merges."""
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_context_length(32768)
    writer.add_block_count(LAYERS)
    writer.add_embedding_length(4096)
    writer.add_head_count(32)
    writer.add_token_list([f"word{number}" for number in range(WORDS)])
    writer.add_token_scores([0.0] * WORDS)
    writer.add_token_types([1] * WORDS)
    writer.add_token_merges([f"a{number} b" for number in range(WORDS)])
    writer.add_chat_template("{{ messages }}")
    for number in range(LAYERS * 9):
        writer.add_tensor(f"blk.{number}.weight", np.zeros((8, 64), dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return candidate(path)


def candidate(path: Path) -> Candidate:
    """What lies there, as the watcher lists it."""
    found = sorted(path.iterdir()) if path.is_dir() else [path]
    files = tuple(File(it.name, it.stat().st_size, it.stat().st_mtime_ns) for it in found)
    return Candidate(str(path), files, is_file=path.is_file())


def measured(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """The median and the slowest of some rounds, in milliseconds of CPU time."""
    took = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        took.append((time.process_time() - began) * 1000)
    return statistics.median(took), max(took)


def main() -> None:
    """Measure, and print a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sparse, wordy = sparse_model(folder / "sparse"), wordy_gguf(folder / "wordy.gguf")
        rows: list[tuple[str, int, Callable[[], object]]] = [
            ("safetensors, 3 GB", ROUNDS, lambda: analysis.analyse(sparse, SUPPORTED)),
            ("GGUF, 150,000 words", ROUNDS, lambda: analysis.analyse(wordy, SUPPORTED)),
            ("the same by gguf.GGUFReader", 1, lambda: gguf.GGUFReader(wordy.path)),
        ]
        print(f"{'':30}{'median ms':>12}{'slowest ms':>12}")
        for title, rounds, work in rows:
            median, slowest = measured(work, rounds)
            print(f"{title:30}{median:12.1f}{slowest:12.1f}")


if __name__ == "__main__":
    main()
