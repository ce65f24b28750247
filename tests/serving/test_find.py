import json
from pathlib import Path

import pytest

from lookahead.errors import ConfigError, LookaheadError, ModelNotFound
from lookahead.serving.find import facts_of, folder_of
from lookahead.serving.known import DEFAULT

SMALL = {
    "model_type": "qwen3", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 100,
    "intermediate_size": 128, "max_position_embeddings": 2048,
}  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(folder))
    return folder


def model(folder: Path, **files: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(SMALL))
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def test_a_folder_is_looked_into(tmp_path: Path):
    folder = model(tmp_path / "m", chat_template__jinja="{{ '<think>' }}")
    (folder / "model.safetensors").write_bytes(b"0" * 1000)
    facts = facts_of(str(folder))
    assert (facts.measured, facts.thinks, facts.template, facts.context) == (1000, True, True, 2048)


@pytest.mark.parametrize(
    ("name", "content", "thinks"),
    [
        ("tokenizer_config__json", {"chat_template": "{% if enable_thinking %}"}, True),
        ("tokenizer_config__json", {"chat_template": [{"name": "default", "template": "<think>"}]}, True),
        ("chat_template__json", {"chat_template": "{{ messages }}"}, False),
    ],
)
def test_a_chat_template_is_found_wherever_it_is_kept(tmp_path: Path, name: str, content: object, thinks: bool):
    facts = facts_of(str(model(tmp_path / "m", **{name: content})))
    assert (facts.template, facts.thinks) == (True, thinks)


def test_no_chat_template_is_known_as_none(tmp_path: Path):
    assert facts_of(str(model(tmp_path / "m", tokenizer_config__json={}))).template is False


def test_the_hubs_cache_is_looked_into(cache: Path):
    there = cache / "models--some--model"
    model(there / "snapshots" / "abc")
    (there / "refs").mkdir()
    (there / "refs" / "main").write_text("abc\n")
    assert facts_of("some/model").context == 2048


def test_the_index_says_the_size_also_of_files_that_are_not_here_yet(tmp_path: Path):
    folder = model(tmp_path / "m", **{"model.safetensors.index__json": {"metadata": {"total_size": 12345}}})
    (folder / "model-00001-of-00002.safetensors").write_bytes(b"0" * 10)
    assert facts_of(str(folder)).measured == 12345


def test_what_is_not_here_is_known_only_where_we_chose_it():
    assert facts_of(DEFAULT).known
    assert not facts_of("some/other").known
    assert folder_of("some/other") is None


@pytest.mark.parametrize("name", ["./nothing", "/nowhere/at/all", "justaname", "a/b/c", "../up", "https://hub/a"])
def test_a_name_that_is_neither_a_folder_nor_a_model_of_the_hub_is_refused(name: str):
    with pytest.raises(ModelNotFound, match="there is no model at"):
        facts_of(name)


def test_an_adapter_is_told_from_a_model(tmp_path: Path):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "some/base"}))
    with pytest.raises(ModelNotFound, match="lookahead serve some/base -- --enable-lora"):
        facts_of(str(tmp_path))


def test_a_folder_without_a_config_is_refused(tmp_path: Path):
    with pytest.raises(ModelNotFound, match=r"holds no config\.json"):
        facts_of(str(tmp_path))


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", "\x00\xff"])
def test_a_damaged_config_is_an_error_that_names_the_file(tmp_path: Path, content: str):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ConfigError, match=r"config\.json"):
        facts_of(str(tmp_path))


@pytest.mark.parametrize("size", ["x", -3, [], {}])
def test_odd_values_end_in_an_error_of_ours_or_not_at_all(tmp_path: Path, size: object):
    (tmp_path / "config.json").write_text(json.dumps(SMALL | {key: size for key in SMALL if key != "model_type"}))
    with pytest.raises(LookaheadError):
        facts_of(str(tmp_path))


def test_code_that_comes_with_a_model_is_seen(tmp_path: Path):
    folder = model(tmp_path / "m")
    assert not facts_of(str(folder)).code
    (folder / "config.json").write_text(json.dumps(SMALL | {"auto_map": {"AutoModel": "modeling_x.X"}}))
    assert facts_of(str(folder)).code
