"""What a stage begins with, and what of it is trained."""

from pathlib import Path

import pytest
import train_pools

from lookahead.domains.base import ASKED
from lookahead.errors import ConfigError
from lookahead.train import begin, chat
from lookahead.train.config import CptConfig, RlConfig, SftConfig
from lookahead.train.libraries import torch, transformers
from lookahead.train.material import Question, material

TINY = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "head_dim": 16}


def tiny(kind: str, **more: int) -> begin.Any:
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(kind, **TINY, num_key_value_heads=1, intermediate_size=48, **more)
    return transformers.AutoModelForCausalLM.from_config(config)


def mixture() -> begin.Any:
    return tiny("qwen3_moe", num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, decoder_sparse_step=1)


@pytest.mark.parametrize("init", ["scratch:2", "scratch:100m", "scratch:moe-2"])
def test_one_number_says_how_large_a_model_is(init: str):
    shape = begin.model_shape(init)
    size = begin.dial(init)

    assert size is not None
    assert abs(shape.parameters - size.parameters) < 0.01 * size.parameters
    assert (shape.width, shape.layers, shape.scratch) == (64 * size.depth, size.depth, True)


def test_a_number_of_parameters_chooses_the_depth_that_comes_nearest():
    assert begin.dial("scratch:100m") == begin.dial("scratch:12")
    assert 95e6 < begin.model_shape("scratch:100m").parameters < 100e6


@pytest.mark.parametrize("init", ["scratch:", "scratch:0", "scratch:big", "scratch:2.5", "scratch:97", "scratch"])
def test_a_size_that_is_none_is_refused(init: str):
    with pytest.raises(ConfigError, match="scratch"):
        begin.dial(init)


def test_a_folder_that_is_not_there_is_not_looked_for_on_the_hub():
    with pytest.raises(ConfigError, match="there is no folder"):
        begin.model_config("./runs/nothing/model")


def test_lora_goes_beside_experts_and_not_beside_what_chooses_them():
    matrices, blocks = begin.lora_targets(mixture())

    assert matrices == ["k_proj", "o_proj", "q_proj", "v_proj"]
    assert blocks == ["mlp.experts.down_proj", "mlp.experts.gate_up_proj"]
    assert begin.lora_targets(mixture(), experts=False)[1] == []


def test_a_shared_expert_is_a_dense_layer_and_its_gate_is_left_alone():
    model = tiny(
        "qwen2_moe",
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=16,
        shared_expert_intermediate_size=24,
        decoder_sparse_step=1,
    )
    matrices, blocks = begin.lora_targets(model)

    assert {"gate_proj", "up_proj", "down_proj"} <= set(matrices)
    assert "shared_expert_gate" not in matrices
    assert "lm_head" not in matrices
    assert blocks == ["mlp.experts.down_proj", "mlp.experts.gate_up_proj"]


def test_a_convolution_is_no_block_of_experts():
    model = mixture()
    model.model.layers[0].conv1d = torch.nn.Conv1d(4, 4, 3)

    assert begin.lora_targets(model) == begin.lora_targets(mixture())


def test_expert_weights_get_lora_and_gradients_flow_into_every_expert_that_was_chosen():
    model = mixture()
    frozen = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    lora = begin.with_lora(model, CptConfig(rank=4, expert_rank=2))
    trained = {name: weight for name, weight in lora.named_parameters() if weight.requires_grad}
    beside = {name: weight for name, weight in trained.items() if ".experts." in name}

    # Two blocks in each of two layers, an A and a B each; four experts of rank two.
    assert len(beside) == 8
    assert {weight.shape[0] for name, weight in beside.items() if "lora_A" in name} == {8}
    assert (
        sum(weight.numel() for weight in trained.values())
        == begin.shape(mixture(), CptConfig(rank=4, expert_rank=2)).adapter
    )

    ids = torch.arange(60).view(2, 30)
    optimizer = torch.optim.SGD(trained.values(), lr=1.0)
    for _ in range(2):  # B is zero at first, so A moves from the second step on
        optimizer.zero_grad()
        lora(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()

    for name, weight in beside.items():
        assert weight.grad is not None, name
        moved = weight.grad.view(4, -1) if "lora_A" in name else weight.grad.T.reshape(4, -1)
        assert (moved.abs().sum(1) > 0).sum() >= 2, name
    for name, weight in lora.named_parameters():
        if not weight.requires_grad:
            plain = name.removeprefix("base_model.model.").replace("base_layer.", "")
            assert torch.equal(weight, frozen[plain]), name


def test_folding_lora_into_the_model_answers_the_same():
    lora = begin.with_lora(mixture(), CptConfig(rank=4, expert_rank=2))
    for name, weight in lora.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    ids = torch.arange(30).view(1, 30)
    with torch.no_grad():
        before = lora(input_ids=ids).logits
        folded = lora.merge_and_unload()
        after = folded(input_ids=ids).logits

    assert torch.allclose(before, after, atol=1e-5)
    assert not torch.allclose(before, mixture()(input_ids=ids).logits, atol=1e-3)


def test_what_nobody_says_follows_from_the_model():
    small = begin.model_shape("scratch:4")
    large = small.model_copy(update={"parameters": 35_000_000_000, "scratch": False, "context": 262_144})

    assert begin.learning_rate(CptConfig(), small) == pytest.approx(1e-3)
    assert begin.learning_rate(CptConfig(learning_rate=0.5), small) == 0.5
    assert begin.learning_rate(RlConfig(), large) == pytest.approx(1e-5)
    assert not begin.tuned_whole(SftConfig(), large.parameters)
    assert begin.longest(CptConfig(), large) == 16_384
    assert begin.thinks(SftConfig(), large)
    assert not begin.thinks(SftConfig(), small)
    assert begin.shows_empty_thought(SftConfig(thinking=False), large) is False
    assert begin.shows_empty_thought(SftConfig(), small) is None


def test_a_tokenizer_made_of_a_pool_knows_the_words_of_the_questions_that_later_stages_ask(tmp_path: Path):
    # The first stage hears no question; cut into letters, one would be longer than all that a small model knows.
    pool = material(CptConfig(data=(train_pools.pool(tmp_path / "pool.jsonl"),)))
    tokenizer = begin.new_tokenizer(pool.texts(), 1024)
    tokenizer.chat_template = chat.template(instructed=False)

    asked = chat.question(chat.ready(tokenizer), Question(trajectory=pool.trajectories[0], index=0).messages)

    pieces = [tokenizer.decode([token]) for token in asked]
    assert {word.strip(".,") for word in ASKED.split() if word.strip(".,").isalpha()} <= set(pieces)
    assert {"user", "assistant"} <= set(pieces)
