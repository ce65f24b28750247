"""Export: what is written loads elsewhere, says the same, and tells what it was made of and nothing of this machine."""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

from lookahead.cli import Parser
from lookahead.commands import _train_export
from lookahead.errors import ConfigError
from lookahead.evaluate.figures import Figure
from lookahead.evaluate.report import Report
from lookahead.train import begin, resume
from lookahead.train.config import CptConfig
from lookahead.train.export import export, verify
from lookahead.train.lineage import lineage_of

pytestmark = pytest.mark.filterwarnings("ignore")

IDS = torch.arange(1, 9)[None]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder with a model that began from scratch, as a stage leaves it."""
    place = tmp_path_factory.mktemp("run")
    data = place / "pool.jsonl"
    data.write_text("{}\n")
    config = CptConfig(init="scratch:1", data=(str(data),), out=str(place / "cpt"), seed=3)
    resume.claim(config, resume.digest_of_files([data]))
    begin.begun(config, ["put a b", "get a"])
    (place / "cpt" / "begin").rename(place / "cpt" / "model")
    return place / "cpt" / "model"


def logits(folder: Path) -> Any:
    network = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return network(input_ids=IDS).logits


def test_what_is_exported_in_full_width_says_the_same(model: Path, tmp_path: Path):
    made = export(model, tmp_path / "out", width="fp32")
    assert torch.equal(logits(model), logits(tmp_path / "out"))
    assert made.parameters == sum(one.numel() for one in load_file(model / "model.safetensors").values())
    assert verify(tmp_path / "out") > 0


def test_in_half_width_every_weight_is_and_the_config_says_so(model: Path, tmp_path: Path):
    export(model, tmp_path / "out")
    assert {one.dtype for one in load_file(tmp_path / "out" / "model.safetensors").values()} == {torch.bfloat16}
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == "bfloat16"
    assert verify(tmp_path / "out") > 0
    assert torch.allclose(logits(model), logits(tmp_path / "out"), atol=0.05)


def test_an_engine_is_sent_the_same_prompt_by_a_template_without_a_trainers_words(model: Path, tmp_path: Path):
    export(model, tmp_path / "out")
    template = (tmp_path / "out" / "chat_template.jinja").read_text()
    assert "generation" not in template.replace("add_generation_prompt", "")
    chat = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    said = [
        transformers.AutoTokenizer.from_pretrained(folder).apply_chat_template(
            chat, add_generation_prompt=True, tokenize=False
        )
        for folder in (model, tmp_path / "out")
    ]
    assert said[0] == said[1]


def test_the_card_names_stages_data_and_figures_and_no_place_of_this_machine(model: Path, tmp_path: Path):
    report = Report(
        kind="fidelity",
        title="Fidelity of `it` <b>",
        made_of={"data": "abc123"},
        figures={"exact, changed something": Figure(value=0.5, low=0.4, high=0.6, n=100)},
    )
    export(model, tmp_path / "out", fidelity=report, name="mine")
    text = (tmp_path / "out" / "README.md").read_text()
    digest = json.loads((model.parent / "run.json").read_text())["data_digest"]
    assert "# mine" in text
    assert digest[:16] in text
    assert "| cpt | `pool.jsonl` |" in text
    assert "0.50 [0.40, 0.60]" in text
    assert "<b>" not in text
    for file in (tmp_path / "out").glob("*"):
        if file.suffix in (".json", ".md", ".jinja"):
            assert str(tmp_path.parent) not in file.read_text()


def test_what_an_export_was_made_of_is_known_from_it_alone(model: Path, tmp_path: Path):
    export(model, tmp_path / "out")
    found = lineage_of(tmp_path / "out")
    assert found.said == "scratch:1 > cpt"
    assert found.runs[0].data == ("pool.jsonl",)
    assert found.runs[0].seed == 3


def test_an_adapter_is_folded_in(model: Path, tmp_path: Path):
    network = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    adapted = begin.with_lora(network, CptConfig(tuning="lora", rank=2))
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    adapted.save_pretrained(str(tmp_path / "adapter"))
    with torch.no_grad():
        expected = adapted.eval()(input_ids=IDS).logits
    export(tmp_path / "adapter", tmp_path / "out", width="fp32", base=str(model))
    assert torch.allclose(expected, logits(tmp_path / "out"), atol=1e-5)
    assert not torch.allclose(expected, logits(model), atol=1e-3)


def test_only_an_export_is_written_over(model: Path, tmp_path: Path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="something else"):
        export(model, out)
    assert (out / "thesis.tex").exists()
    export(model, tmp_path / "mine")
    export(model, tmp_path / "mine", width="fp32")
    assert json.loads((tmp_path / "mine" / "config.json").read_text())["dtype"] == "float32"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["mine", "out"]


def test_a_failed_export_leaves_nothing(model: Path, tmp_path: Path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in model.iterdir():
        if "tokenizer" not in file.name:
            (broken / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ConfigError, match="no tokenizer"):
        export(broken, tmp_path / "out")
    with pytest.raises(ConfigError, match="no folder"):
        export(tmp_path / "nowhere", tmp_path / "out")
    assert [one.name for one in tmp_path.iterdir()] == ["broken"]


def run(*words: str) -> int:
    parser = Parser()
    _train_export.register(parser.add_subparsers())
    args: argparse.Namespace = parser.parse_args(["export", *words])
    return args.run(args)


def test_the_command_writes_and_loads_once_more(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(str(model), "--out", str(tmp_path / "out"), "--json") == 0
    assert json.loads(capsys.readouterr().out)["format"] == "lookahead.train.export"
    with pytest.raises(ConfigError, match="not both at once"):
        run(str(model), "--verl", "x")
    with pytest.raises(ConfigError, match="where to"):
        run(str(model))


def test_the_help_fits_on_a_screen(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        run("--help")
    lines = capsys.readouterr().out.rstrip().splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert lines[-1].strip().startswith("lookahead train export")


def test_the_weights_are_written_where_no_other_library_has_loaded_what_writes_them():
    program = "from lookahead.train.libraries import safetensors; print(safetensors.torch.save_file.__name__)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert said.stdout == "save_file\n", said.stderr
