import json
from pathlib import Path
from typing import Any

import pytest

from lookahead.errors import ConfigError
from lookahead.serving.facts import GIB, Facts, read
from lookahead.serving.find import facts_of
from lookahead.serving.known import DEFAULT

# What the config.json of published models say, as far as it matters for memory.
_PUBLISHED: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("configs.json").read_text())
DEEPSEEK_V3, FP8, GEMMA_LIKE, GPTQ, INT8, LLAMA_8B, NVFP4, QWEN3_8B, QWEN3_30B = (
    _PUBLISHED[name]
    for name in ("deepseek_v3", "fp8", "gemma_like", "gptq", "int8", "llama_8b", "nvfp4", "qwen3_8b", "qwen3_30b")
)


def agentworld() -> Facts:
    return facts_of(DEFAULT)


@pytest.mark.parametrize(
    ("config", "published"),
    [(QWEN3_8B, 8_190_735_360), (LLAMA_8B, 8_030_261_248), (QWEN3_30B, 30_532_122_624)],
    ids=["dense", "dense without query norms", "mixture of experts"],
)
def test_the_parameters_are_counted_to_the_last_one(config: dict[str, Any], published: int):
    facts = read("m", config)
    assert facts.shrinkable + facts.kept == published
    assert facts.weights() == published * 2


def test_the_default_model_has_the_size_of_its_published_files(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_HUB_CACHE", "/nowhere")
    facts = agentworld()
    assert facts.shrinkable + facts.kept == 34_660_610_688
    assert facts.weights() == pytest.approx(69_321_314_576, rel=1e-5)


def test_latent_attention_is_counted():
    facts = read("m", DEEPSEEK_V3)
    assert (facts.shrinkable + facts.kept) / 671_026_000_000 == pytest.approx(1, rel=0.001)
    assert facts.remembered(1, 8) == 61 * (512 + 64) * 2
    assert facts.remembered(1, 1) == facts.remembered(1, 8)


@pytest.mark.parametrize(
    ("config", "tensor", "of_a_token"),
    [
        (QWEN3_8B, 1, 36 * 8 * 128 * 2 * 2),
        (QWEN3_8B, 2, 36 * 4 * 128 * 2 * 2),
        (QWEN3_30B, 4, 48 * 1 * 128 * 2 * 2),
        # More GPUs than heads to share: each keeps a whole one.
        (QWEN3_30B, 8, 48 * 1 * 128 * 2 * 2),
    ],
)
def test_a_token_is_remembered_once_for_each_head_of_a_gpu(config: dict[str, Any], tensor: int, of_a_token: int):
    facts = read("m", config)
    assert facts.remembered(1000, tensor) == 1000 * of_a_token


def test_only_the_attention_layers_of_a_hybrid_remember_tokens(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_HUB_CACHE", "/nowhere")
    facts = agentworld()
    assert (facts.attention_layers, facts.context) == (10, 262144)
    assert facts.remembered(1000, 1) - facts.state(1) == 1000 * 10 * 2 * 256 * 2 * 2
    # 30 layers, 32 heads of 128 × 128 numbers of four bytes, and three columns of 8192 channels.
    assert facts.state(1) == 30 * (32 * 128 * 128 * 4 + 8192 * 3 * 2)
    assert facts.state(2) * 2 == facts.state(1)


def test_a_pattern_of_layers_may_be_said_as_an_interval():
    hybrid = {
        "model_type": "qwen3_next", "hidden_size": 1024, "num_hidden_layers": 8, "num_attention_heads": 8,
        "num_key_value_heads": 2, "head_dim": 128, "full_attention_interval": 4, "linear_num_value_heads": 8,
        "linear_num_key_heads": 4, "linear_key_head_dim": 64, "linear_value_head_dim": 64,
        "linear_conv_kernel_dim": 4, "vocab_size": 1000, "intermediate_size": 2048,
    }  # fmt: skip
    assert read("m", hybrid).attention_layers == 2


def test_a_window_is_all_that_its_layers_remember():
    facts = read("m", GEMMA_LIKE)
    head = 4 * 2 * 256 * 2
    assert facts.remembered(100_000, 1) == head * (100_000 + 5 * 1024)
    assert facts.remembered(500, 1) == head * 500 * 6


@pytest.mark.parametrize(
    ("quantised", "bits", "block"),
    [(GPTQ, 4.5, 128), (FP8, 8.0, 128), (NVFP4, 4.5, 16), (INT8, 8.0, 1)],
    ids=["gptq", "fp8", "nvfp4", "int8"],
)
def test_quantised_files_say_how_wide_their_weights_are(quantised: dict[str, Any], bits: float, block: int):
    facts = read("m", QWEN3_8B | {"quantization_config": quantised})
    assert (facts.bits, facts.block) == (bits, block)
    assert facts.weights() == int(facts.shrinkable * bits / 8) + 2 * facts.kept


def test_the_files_of_a_quantised_model_are_believed_rather_than_the_sum():
    assert read("m", QWEN3_8B | {"quantization_config": GPTQ}, measured=6 * GIB).weights() == 6 * GIB


def test_files_wider_than_what_vllm_computes_with_do_not_count_double():
    assert read("m", QWEN3_8B, measured=4 * 8_190_735_360).weights() == 2 * 8_190_735_360


def test_a_model_of_an_unknown_make_is_as_large_as_its_files():
    facts = read("m", {"model_type": "new"}, measured=3 * GIB)
    assert facts.known
    assert facts.weights() == 3 * GIB
    assert not read("m", {"model_type": "new"}).known


@pytest.mark.parametrize("size", [-1, "many", True, [1], 1e30])
def test_a_damaged_size_is_an_error_that_names_it(size: object):
    with pytest.raises(ConfigError, match="hidden_size is not a size"):
        read("m", QWEN3_8B | {"hidden_size": size})


def test_a_template_tells_whether_the_model_thinks():
    assert read("m", QWEN3_8B, template="{% if enable_thinking %}", looked=True).thinks is True
    assert read("m", QWEN3_8B, template="{{ messages }}", looked=True).thinks is False
    assert read("m", QWEN3_8B, template=None, looked=True).template is False
    assert read("m", QWEN3_8B).template is None
