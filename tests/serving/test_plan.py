import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookahead.errors import ConfigError
from lookahead.serving.facts import GIB, Facts, read
from lookahead.serving.known import CONFIGS, DEFAULT
from lookahead.serving.machine import Gpu, Machine
from lookahead.serving.plan import CANDIDATES, Wishes, plan

# What the config.json of published models say, as far as it matters for memory.
_PUBLISHED: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("configs.json").read_text())
DEEPSEEK_V3, GPTQ, LLAMA_8B, NVFP4, QWEN3_8B, QWEN3_30B = (
    _PUBLISHED[name] for name in ("deepseek_v3", "gptq", "llama_8b", "nvfp4", "qwen3_8b", "qwen3_30b")
)

# What nvidia-smi says of cards that are sold with this many GB.
CARDS = {24: 24564, 32: 32607, 48: 49140, 80: 81559, 141: 143771}


def gpus(number: int, size: int, *, free: float = 1.0, ability: tuple[int, int] = (9, 0)) -> Machine:
    memory = CARDS[size] << 20
    return Machine(gpus=(Gpu(memory=memory, free=int(memory * free), ability=ability),) * number, memory=200 * GIB)


def agentworld(**quantised: Any) -> Facts:
    return read(DEFAULT, CONFIGS[DEFAULT] | quantised, thinks=True)


def dense(**quantised: Any) -> Facts:
    return read("dense", QWEN3_8B | quantised)


TABLE: list[tuple[Facts, int, int, tuple[int, int, int, str] | None]] = [
    # model, GPUs, GB each → tensor parallel, data parallel, context, made smaller how; None: refused
    (agentworld(), 1, 24, None),
    (agentworld(), 1, 32, None),
    (agentworld(), 1, 48, (1, 1, 131072, "fp8")),
    (agentworld(), 1, 80, (1, 1, 131072, "")),
    (agentworld(), 1, 141, (1, 1, 262144, "")),
    (agentworld(), 2, 24, (2, 1, 65536, "fp8")),
    (agentworld(), 4, 24, (4, 1, 131072, "")),
    (agentworld(), 2, 80, (2, 1, 262144, "")),
    (agentworld(), 8, 80, (2, 4, 262144, "")),
    (agentworld(quantization_config=NVFP4), 1, 24, None),
    (agentworld(quantization_config=NVFP4), 1, 32, (1, 1, 131072, "")),
    (agentworld(quantization_config=NVFP4), 2, 24, (2, 1, 262144, "")),
    (agentworld(quantization_config=NVFP4), 1, 80, (1, 1, 262144, "")),
    (dense(), 1, 24, (1, 1, 16384, "")),
    (dense(), 2, 24, (2, 1, 40960, "")),
    (dense(), 1, 80, (1, 1, 40960, "")),
    (dense(), 8, 80, (1, 8, 40960, "")),
    (dense(quantization_config=GPTQ), 1, 24, (1, 1, 40960, "")),
    (read("llama", LLAMA_8B), 1, 141, (1, 1, 131072, "")),
    (read("moe", QWEN3_30B), 1, 24, None),
    (read("moe", QWEN3_30B), 2, 24, (2, 1, 40960, "fp8")),
    (read("moe", QWEN3_30B), 1, 80, (1, 1, 40960, "")),
    (read("deepseek", DEEPSEEK_V3), 8, 80, None),
    (read("deepseek", DEEPSEEK_V3), 8, 141, (8, 1, 163840, "")),
]


@pytest.mark.parametrize(("facts", "number", "size", "expected"), TABLE)
def test_the_plan_for_a_model_on_some_gpus(
    facts: Facts, number: int, size: int, expected: tuple[int, int, int, str] | None
):
    if expected is None:
        with pytest.raises(ConfigError, match="does not fit"):
            plan(facts, gpus(number, size))
    else:
        found = plan(facts, gpus(number, size))
        assert (found.tensor, found.data, found.context, found.quantization) == expected


@given(
    which=st.sampled_from(range(len(TABLE))),
    number=st.sampled_from([1, 2, 3, 4, 6, 8]),
    size=st.sampled_from(sorted(CARDS)),
    free=st.floats(0.2, 1.0),
)
def test_whatever_is_planned_fits(which: int, number: int, size: int, free: float):
    facts, machine = TABLE[which][0], gpus(number, size, free=free)
    try:
        found = plan(facts, machine)
    except ConfigError:
        return
    assert found.context is not None
    assert found.share is not None
    gpu = machine.gpus[0]
    taken = found.weights + facts.remembered(found.context, found.tensor) + (CANDIDATES - 1) * facts.state(found.tensor)
    assert taken <= gpu.memory * found.share <= gpu.free
    assert found.tensor * found.data <= number
    assert facts.heads % found.tensor == 0


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("size", [24, 80])
def test_a_refusal_names_plans_that_are_possible(number: int, size: int):
    with pytest.raises(ConfigError) as refused:
        plan(read("deepseek", DEEPSEEK_V3), gpus(number, size))
    assert "its weights take 6" in str(refused.value)
    assert f"here is {number} GPU" in str(refused.value)
    assert 'world="http://HOST:PORT/v1"' in str(refused.value)


def test_a_refusal_names_the_number_of_gpus_the_larger_gpu_and_the_smaller_weights():
    with pytest.raises(ConfigError) as refused:
        plan(agentworld(), gpus(1, 24))
    said = str(refused.value)
    assert "2 GPUs like the one here (8-bit weights, 34.2 GiB)" in said
    assert "one GPU of 48 GB" in said
    assert "4-bit GGUF" in said
    # And each of them is one.
    assert plan(agentworld(), gpus(2, 24)).quantization == "fp8"
    assert plan(agentworld(), gpus(1, 48))


def test_a_refusal_names_the_quantised_variant_that_fits_here():
    with pytest.raises(ConfigError, match="here: a variant with 4-bit weights"):
        plan(agentworld(), gpus(1, 32))
    assert plan(agentworld(quantization_config=NVFP4), gpus(1, 32)).context


def test_a_context_that_was_asked_for_is_kept_or_refused():
    assert plan(agentworld(), gpus(1, 80), Wishes(context=32768)).context == 32768
    with pytest.raises(ConfigError, match="here: --max-model-len 16384"):
        plan(dense(), gpus(1, 24, ability=(7, 5)), Wishes(context=40960))
    assert plan(dense(), gpus(1, 24), Wishes(context=40960)).quantization == "fp8"
    with pytest.raises(ConfigError, match="was made for 40,960 tokens, not 100,000"):
        plan(dense(), gpus(8, 80), Wishes(context=100_000))


def test_a_split_that_was_asked_for_is_kept_or_refused():
    assert plan(agentworld(), gpus(8, 80), Wishes(tensor=4)).data == 2
    assert plan(agentworld(), gpus(8, 80), Wishes(tensor=4, data=1)).data == 1
    with pytest.raises(ConfigError, match="takes 16 GPUs, and 8 GPUs are here"):
        plan(agentworld(), gpus(8, 80), Wishes(tensor=8, data=2))
    with pytest.raises(ConfigError, match="--tensor-parallel may be 1, 2, 4, 8"):
        plan(agentworld(), gpus(8, 80), Wishes(tensor=3))
    with pytest.raises(ConfigError, match="here: --tensor-parallel 4 --data-parallel 1"):
        plan(agentworld(), gpus(4, 24), Wishes(tensor=1, quantization="fp8_per_tensor"))


def test_a_split_never_cuts_through_a_block_of_scaled_weights():
    blocks = agentworld(quantization_config={"quant_method": "fp8", "weight_block_size": [128, 128]})
    assert plan(blocks, gpus(8, 80), Wishes(tensor=4)).tensor == 4
    with pytest.raises(ConfigError, match=r"may be 1, 2, 4$"):
        plan(blocks, gpus(8, 80), Wishes(tensor=8))


def test_weights_are_made_smaller_only_where_they_have_to_be_and_can():
    assert plan(agentworld(), gpus(1, 141)).quantization == ""
    with pytest.raises(ConfigError, match="does not fit"):
        plan(agentworld(), gpus(1, 48, ability=(7, 5)))
    with pytest.raises(ConfigError, match="quantised already"):
        plan(dense(quantization_config=GPTQ), gpus(1, 80), Wishes(quantization="fp8"))


def test_memory_that_other_programs_hold_is_left_to_them():
    found = plan(dense(), gpus(1, 80, free=0.6))
    assert found.share is not None
    assert 0.5 < found.share < 0.6
    assert any("other programs" in note for note in found.notes)


def test_gpus_that_differ_are_counted_as_the_smallest():
    mixed = Machine(gpus=(*gpus(1, 80).gpus, *gpus(1, 24).gpus), memory=64 * GIB)
    found = plan(dense(), mixed)
    assert (found.tensor, found.data) == (2, 1)
    assert any("differ" in note for note in found.notes)


def test_gpus_that_are_left_over_are_told():
    found = plan(agentworld(), gpus(3, 80))
    assert (found.tensor, found.data) == (2, 1)
    assert "1 GPU stays idle" in found.notes


def test_sequences_are_limited_where_each_has_a_state():
    assert plan(agentworld(), gpus(1, 80)).sequences == 16
    assert plan(dense(), gpus(1, 80)).sequences is None


def test_without_a_gpu_the_main_memory_counts():
    small = plan(dense(), Machine(memory=64 * GIB))
    assert small.cpu
    assert small.context == 32768
    assert small.cache * GIB + small.weights < 64 * GIB
    with pytest.raises(ConfigError, match="no GPU, and 16 GiB of free main memory"):
        plan(dense(), Machine(memory=16 * GIB))


def test_a_model_that_nobody_has_looked_into_is_left_to_vllm():
    found = plan(Facts(name="some/model"), gpus(2, 80))
    assert (found.tensor, found.context) == (1, None)
    assert any("nothing is known" in note for note in found.notes)


def test_the_table_in_the_documentation_is_what_is_planned():
    page = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
    rows = re.findall(r"^\| (\d) × (\d+) GB \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", page, re.MULTILINE)
    assert len(rows) == 8
    for number, size, split, weights, context in rows:
        try:
            found = plan(agentworld(), gpus(int(number), int(size)))
        except ConfigError:
            assert weights.startswith("refused")
            continue
        parts = [f"tensor {found.tensor}"] * (found.tensor > 1) + [f"data {found.data}"] * (found.data > 1)
        assert (split, context) == (", ".join(parts) or "–", f"{found.context:,}")
        assert weights.startswith("8 bits" if found.quantization == "fp8" else "16 bits")
