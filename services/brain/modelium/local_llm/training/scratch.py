"""A tiny model that knows nothing, and a tokenizer made of the questions that it will be asked.

The instruction is the same in every question, and one token of that tokenizer: such a model learns
what is wanted of it from the answers.
"""

from collections.abc import Sequence
from typing import Any, Final

import tokenizers
import torch
import transformers
from tokenizers import decoders, models, pre_tokenizers, trainers

from modelium.local_llm.training.data import Texts

PAD: Final = "<|endoftext|>"
START: Final = "<|im_start|>"
END: Final = "<|im_end|>"
TEMPLATE: Final = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
WORDS: Final = r" ?[A-Za-z_]+[=:]?|\d| ?[^\sA-Za-z0-9]+|\s+"
"""A name with its sign is one word, each digit is one."""
VOCABULARY: Final = 1024
HIDDEN: Final = 128
LAYERS: Final = 6
HEADS: Final = 4
INTERMEDIATE: Final = 384
CONTEXT: Final = 4096


def tokenizer_of(examples: Sequence[Texts]) -> Any:
    """The words of these examples, and every byte."""
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, START, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator((f"{e.user}\n{e.answer}" for e in examples), trainer)
    systems = sorted({example.system for example in examples})
    made.add_tokens([tokenizers.AddedToken(text, normalized=False) for text in systems])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token=PAD, eos_token=END, chat_template=TEMPLATE
    )


def model_of(tokenizer: Any, seed: int) -> Any:
    """With random weights, the same for the same seed."""
    torch.manual_seed(seed)
    config = transformers.Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=INTERMEDIATE,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return transformers.Qwen2ForCausalLM(config)
