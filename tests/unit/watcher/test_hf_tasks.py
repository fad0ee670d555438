"""What an architecture is for, by its name."""

import pytest

from modelium.common.descriptor import Task
from modelium.watcher.hf_tasks import first_position, is_beyond_vllm, keeps_no_cache, task_of


@pytest.mark.parametrize(
    ("architecture", "task"),
    [
        ("Qwen2ForCausalLM", Task.COMPLETION),
        ("GPT2LMHeadModel", Task.COMPLETION),
        ("BertModel", Task.EMBEDDING),
        ("XLMRobertaModel", Task.EMBEDDING),
        ("ModernBertModel", Task.EMBEDDING),
        ("GteNewModel", Task.EMBEDDING),
        ("MPNetModel", Task.EMBEDDING),
        ("Qwen3Model", Task.EMBEDDING),
        ("CLIPModel", Task.EMBEDDING),
        ("RobertaForMaskedLM", Task.EMBEDDING),
        ("BertForMaskedLM", Task.TOKEN_CLASSIFY),
        ("ModernBertForMaskedLM", Task.UNKNOWN),
        ("BertForTokenClassification", Task.TOKEN_CLASSIFY),
        ("Qwen2ForRewardModel", Task.TOKEN_CLASSIFY),
        ("Qwen2ForProcessRewardModel", Task.TOKEN_CLASSIFY),
        ("WhisperForConditionalGeneration", Task.TRANSCRIPTION),
        ("ViTModel", Task.UNKNOWN),
        ("Wav2Vec2Model", Task.UNKNOWN),
        ("BertForQuestionAnswering", Task.UNKNOWN),
        ("T5ForConditionalGeneration", Task.UNKNOWN),
    ],
)
def test_the_ending_tells_the_task(architecture: str, task: Task) -> None:
    assert task_of(architecture, chat=False) is task


@pytest.mark.parametrize(("labels", "task"), [(1, Task.RERANK), (2, Task.CLASSIFY)])
@pytest.mark.parametrize("family", ["Bert", "Qwen3", "DebertaV2"])
def test_a_classifier_with_one_label_ranks(family: str, labels: int, task: Task) -> None:
    assert task_of(f"{family}ForSequenceClassification", chat=False, labels=labels) is task


@pytest.mark.parametrize(
    ("architecture", "parts", "without_template"),
    [
        ("Qwen2ForCausalLM", False, Task.COMPLETION),
        ("Qwen2_5_VLForConditionalGeneration", True, Task.COMPLETION),
        ("LlavaForConditionalGeneration", True, Task.COMPLETION),
        ("T5ForConditionalGeneration", False, Task.UNKNOWN),
    ],
)
def test_a_chat_template_makes_a_chat_model(
    architecture: str, parts: bool, without_template: Task
) -> None:
    assert task_of(architecture, chat=True, parts=parts) is Task.CHAT
    assert task_of(architecture, chat=False, parts=parts) is without_template


@pytest.mark.parametrize(
    ("architecture", "task", "encoder", "beyond"),
    [
        ("BertModel", Task.EMBEDDING, True, False),
        ("XLMRobertaForSequenceClassification", Task.CLASSIFY, True, False),
        ("ElectraForTokenClassification", Task.TOKEN_CLASSIFY, True, False),
        ("DistilBertModel", Task.EMBEDDING, True, True),
        ("BertForMaskedLM", Task.TOKEN_CLASSIFY, True, False),
        ("BertForMaskedLM", Task.EMBEDDING, True, True),
        ("RobertaForMaskedLM", Task.EMBEDDING, True, False),
        ("MPNetForMaskedLM", Task.EMBEDDING, True, True),
        ("DebertaV2ForSequenceClassification", Task.CLASSIFY, True, True),
        ("Qwen2ForSequenceClassification", Task.CLASSIFY, False, False),
        ("Qwen3Model", Task.EMBEDDING, False, False),
        ("LlamaForCausalLM", Task.COMPLETION, False, False),
    ],
)
def test_encoders_keep_no_cache_and_some_are_beyond_vllm(
    architecture: str, task: Task, encoder: bool, beyond: bool
) -> None:
    assert keeps_no_cache(architecture) is encoder
    assert is_beyond_vllm(architecture, task) is beyond


@pytest.mark.parametrize(
    ("architecture", "padding", "first"),
    [
        ("BertModel", 0, 0),
        ("XLMRobertaModel", 1, 2),
        ("RobertaForSequenceClassification", None, 2),
        ("CamembertModel", 1, 2),
    ],
)
def test_roberta_counts_its_positions_from_two(
    architecture: str, padding: int | None, first: int
) -> None:
    assert first_position(architecture, padding) == first
