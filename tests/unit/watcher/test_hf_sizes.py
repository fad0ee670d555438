"""The key-value cache of published models, worked out by hand from their `config.json`.

Of each file only the fields that matter are copied. Two bytes an element throughout.
"""

from typing import Any

import pytest

from modelium.watcher.hf_sizes import Sizes

PUBLISHED: list[tuple[str, dict[str, Any], int]] = [
    (  # keys and values of 8 of 32 heads of 4096 / 32 = 128: 32 * 2 * 8 * 128 * 2 = 128 KiB
        "meta-llama/Llama-3.1-8B",
        {"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8}
        | {"hidden_size": 4096, "model_type": "llama"},
        131_072,
    ),
    (  # 80 * 2 * 8 * (8192 / 64 = 128) * 2 = 320 KiB
        "meta-llama/Llama-3.1-70B",
        {"num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8}
        | {"hidden_size": 8192, "model_type": "llama"},
        327_680,
    ),
    (  # 24 * 2 * 2 * (896 / 14 = 64) * 2 = 12 KiB; it names a window that it does not use
        "Qwen/Qwen2.5-0.5B-Instruct",
        {"num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2}
        | {"hidden_size": 896, "sliding_window": 32768, "use_sliding_window": False}
        | {"max_window_layers": 21, "model_type": "qwen2"},
        12_288,
    ),
    (  # head_dim counts, not 1024 / 16 = 64: 28 * 2 * 8 * 128 * 2 = 112 KiB
        "Qwen/Qwen3-0.6B",
        {"num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8}
        | {"hidden_size": 1024, "head_dim": 128, "sliding_window": None, "model_type": "qwen3"},
        114_688,
    ),
    (  # MLA: 61 * (512 + 64) * 2 = 68.6 KiB, whatever the 128 heads
        "deepseek-ai/DeepSeek-V3",
        {"num_hidden_layers": 61, "num_attention_heads": 128, "num_key_value_heads": 128}
        | {"hidden_size": 7168, "kv_lora_rank": 512, "qk_rope_head_dim": 64, "v_head_dim": 128},
        70_272,
    ),
    (  # MLA: 27 * (512 + 64) * 2 = 30.4 KiB
        "deepseek-ai/DeepSeek-V2-Lite",
        {"num_hidden_layers": 27, "num_attention_heads": 16, "num_key_value_heads": 16}
        | {"hidden_size": 2048, "kv_lora_rank": 512, "qk_rope_head_dim": 64, "v_head_dim": 128},
        31_104,
    ),
    (  # one head for keys and values: 32 * 2 * 1 * (4544 / 71 = 64) * 2 = 8 KiB
        "tiiuae/falcon-7b",
        {"num_hidden_layers": 32, "num_attention_heads": 71, "hidden_size": 4544}
        | {"multi_query": True, "new_decoder_architecture": False},
        8_192,
    ),
    (  # 8 heads although multi_query: 60 * 2 * 8 * (8192 / 128 = 64) * 2 = 120 KiB
        "tiiuae/falcon-40b",
        {"num_hidden_layers": 60, "num_attention_heads": 128, "hidden_size": 8192}
        | {"num_kv_heads": 8, "multi_query": True, "new_decoder_architecture": True},
        122_880,
    ),
    (  # every fourth of 48 layers attends, the others keep a fixed state: 12 * 2 * 2 * 256 * 2
        "Qwen/Qwen3-Next-80B-A3B-Instruct",
        {"num_hidden_layers": 48, "num_attention_heads": 16, "num_key_value_heads": 2}
        | {"hidden_size": 2048, "head_dim": 256, "full_attention_interval": 4},
        24_576,
    ),
]


@pytest.mark.parametrize(
    ("config", "expected"),
    [(config, expected) for _, config, expected in PUBLISHED],
    ids=[name for name, _, _ in PUBLISHED],
)
def test_a_token_of_a_published_model_takes(config: dict[str, Any], expected: int) -> None:
    sizes = Sizes.model_validate(config)
    assert sizes.kv_bytes_per_token == expected
    assert (sizes.windowed_kv_bytes_per_token, sizes.window_tokens) == (0, 0)


@pytest.mark.parametrize(
    ("config", "total", "windowed", "window"),
    [
        pytest.param(  # 32 layers of 2 * 8 * 128 * 2 = 4096 bytes, all with the window
            {"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8}
            | {"hidden_size": 4096, "sliding_window": 4096, "model_type": "mistral"},
            *(131_072, 131_072, 4096),
            id="mistralai/Mistral-7B-v0.1",
        ),
        pytest.param(  # 26 layers of 2 * 1 * 256 * 2 = 1024; 6, 12, 18 and 24 see all
            {"num_hidden_layers": 26, "num_attention_heads": 4, "num_key_value_heads": 1}
            | {"hidden_size": 1152, "head_dim": 256, "sliding_window": 512}
            | {"sliding_window_pattern": 6, "model_type": "gemma3_text"},
            *(26_624, 22_528, 512),
            id="google/gemma-3-1b-it",
        ),
        pytest.param(  # 42 layers of 2 * 8 * 256 * 2 = 8192, every other one with the window
            {"num_hidden_layers": 42, "num_attention_heads": 16, "num_key_value_heads": 8}
            | {"hidden_size": 3584, "head_dim": 256, "sliding_window": 4096}
            | {"model_type": "gemma2"},
            *(344_064, 172_032, 4096),
            id="google/gemma-2-9b-it",
        ),
        pytest.param(  # 24 layers of 2 * 8 * 64 * 2 = 2048; the file says of each what it sees
            {"num_hidden_layers": 24, "num_attention_heads": 64, "num_key_value_heads": 8}
            | {"hidden_size": 2880, "head_dim": 64, "sliding_window": 128}
            | {"layer_types": ["sliding_attention", "full_attention"] * 12},
            *(49_152, 24_576, 128),
            id="openai/gpt-oss-20b",
        ),
    ],
)
def test_layers_with_a_window_are_told_apart(
    config: dict[str, Any], total: int, windowed: int, window: int
) -> None:
    sizes = Sizes.model_validate(config)
    assert sizes.kv_bytes_per_token == total
    assert sizes.windowed_kv_bytes_per_token == windowed
    assert sizes.window_tokens == window


def test_a_window_of_which_nobody_says_which_layers_have_it_is_not_counted_on() -> None:
    known = {"num_hidden_layers": 4, "num_attention_heads": 2, "hidden_size": 64}
    sizes = Sizes.model_validate(known | {"sliding_window": 16, "model_type": "new"})
    assert (sizes.kv_bytes_per_token, sizes.windowed_kv_bytes_per_token) == (1024, 0)


@pytest.mark.parametrize(
    "hint",
    [
        {"sliding_window": [16, 0]},
        {"layer_types": {"0": "full"}},
        {"layer_types": ["full_attention"]},  # not as many as there are layers
        {"multi_query": "perhaps"},
        {"kv_lora_rank": -1},
    ],
)
def test_a_hint_that_is_written_in_another_way_is_passed_over(hint: dict[str, Any]) -> None:
    known = {"num_hidden_layers": 4, "num_attention_heads": 2, "hidden_size": 64}
    assert Sizes.model_validate(known | hint).kv_bytes_per_token == 1024
