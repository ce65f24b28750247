import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from lookahead.errors import ConfigError
from lookahead.serving.facts import Facts, read
from lookahead.serving.flags import command
from lookahead.serving.known import CONFIGS, DEFAULT
from lookahead.serving.plan import Plan

KNOWN = read(DEFAULT, CONFIGS[DEFAULT], thinks=True)


def line(plan: Plan, *extra: str, trust: bool = False) -> str:
    return command(plan, host="127.0.0.1", port=8000, extra=extra, trust=trust).line


def test_the_default_model_is_served_as_its_authors_say():
    said = line(Plan(facts=KNOWN, tensor=4, context=262144))
    assert said.startswith(f"VLLM_NO_USAGE_STATS=1 vllm serve {DEFAULT} ")
    for flag in ("--reasoning-parser qwen3", "--language-model-only", "--max-model-len 262144", "--trust-remote-code",
                 "--tensor-parallel-size 4", "--enable-prefix-caching", "--enable-prompt-tokens-details"):  # fmt: skip
        assert f" {flag}" in said


def test_copies_of_a_mixture_split_its_experts_by_expert():
    assert "--data-parallel-size 4 --enable-expert-parallel" in line(Plan(facts=KNOWN, tensor=2, data=4))
    dense = replace(KNOWN, experts=0)
    assert "--enable-expert-parallel" not in line(Plan(facts=dense, data=4))


def test_code_of_a_stranger_never_runs_unasked():
    stranger = Facts(name="some/model", code=True)
    with pytest.raises(ConfigError, match="if you trust it, add --trust-remote-code"):
        line(Plan(facts=stranger))
    assert "--trust-remote-code" in line(Plan(facts=stranger), trust=True)
    assert "--trust-remote-code" not in line(Plan(facts=replace(stranger, code=False)))


def test_a_folder_with_the_name_of_the_known_model_is_a_stranger(tmp_path: Path):
    assert "--trust-remote-code" not in line(Plan(facts=replace(KNOWN, name=str(tmp_path))))


def test_what_the_user_adds_comes_last_and_wins():
    said = line(Plan(facts=KNOWN, context=4096), "--max-model-len", "2048")
    assert said.endswith("--max-model-len 2048")


def test_the_line_can_be_pasted_into_a_shell():
    awkward = Facts(name="some/model")
    said = command(Plan(facts=awkward), host="127.0.0.1", port=8000, extra=("--hf-overrides", '{"a b": "c;d$e"}'))
    assert shlex.split(said.line)[1:] == list(said.arguments)
    assert "\n" not in said.line


def test_a_model_without_a_chat_template_is_refused_before_it_is_loaded():
    mute = Facts(name="some/model", template=False)
    with pytest.raises(ConfigError, match="--chat-template FILE"):
        line(Plan(facts=mute))
    assert line(Plan(facts=mute), "--chat-template", "mine.jinja")


def test_a_folder_is_served_under_its_own_name_and_not_its_path(tmp_path: Path):
    folder = tmp_path / "mine"
    folder.mkdir()
    assert "--served-model-name mine" in line(Plan(facts=Facts(name=str(folder))))
    assert line(Plan(facts=Facts(name=str(folder))), "--served-model-name", "other").count("--served-model-name") == 1


def test_on_a_cpu_prompts_are_not_read_in_pieces_and_memory_is_set_apart():
    said = line(Plan(facts=replace(KNOWN, recurrent=0), cpu=True, cache=3, context=16384))
    assert "VLLM_CPU_KVCACHE_SPACE=3 " in said
    assert "--no-enable-chunked-prefill --max-num-batched-tokens 16384" in said


def test_on_a_cpu_small_blocks_are_remembered_where_its_kernels_can():
    plain = replace(KNOWN, recurrent=0)
    assert "--block-size 32" in line(Plan(facts=plain, cpu=True, cache=3, context=16384))
    for other in (KNOWN, replace(plain, latent=True), Facts(name="some/model")):
        assert "--block-size" not in line(Plan(facts=other, cpu=True, cache=3, context=16384), trust=True)
    assert "--block-size" not in line(Plan(facts=plain, context=16384))


def test_as_a_module_the_model_is_an_option():
    launcher = ("python", "-m", "vllm.entrypoints.openai.api_server")
    said = command(Plan(facts=KNOWN), host="127.0.0.1", port=1, launcher=launcher)
    assert said.arguments[:5] == (*launcher, "--model", DEFAULT)
