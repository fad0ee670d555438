"""What the sentence-transformers library answers itself; run by the engine's interpreter.

    python pooling_reference.py EMBEDDER CROSS_ENCODER < questions > answers

EMBEDDER is a model's folder. A small cross-encoder with random weights, which knows the same
tokens, is written to CROSS_ENCODER first.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import CrossEncoder, SentenceTransformer
from transformers import BertConfig, BertForSequenceClassification

TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")


def write_cross_encoder(folder: Path, tokenizer: Path) -> None:
    """With weights that tell texts apart, and heads as wide as vLLM's kernel for the CPU wants."""
    torch.manual_seed(0)
    config = BertConfig(
        num_labels=1,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        initializer_range=0.2,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    for name in TOKENIZER:
        shutil.copy(tokenizer / name, folder)


def answers(embedder: Path, cross_encoder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """By question: vectors of texts, scores of a query with each document."""
    ranker = CrossEncoder(str(cross_encoder), device="cpu")
    pairs = [(asked["query"], document) for document in asked["documents"]]
    model = SentenceTransformer(str(embedder), device="cpu")
    return {
        "vectors": model.encode(asked["texts"], normalize_embeddings=False).tolist(),
        "scores": ranker.predict(pairs).tolist(),
    }


if __name__ == "__main__":
    embedder, cross_encoder = map(Path, sys.argv[1:])
    write_cross_encoder(cross_encoder, tokenizer=embedder)
    json.dump(answers(embedder, cross_encoder, json.load(sys.stdin)), sys.stdout)
