"""An engine in this process that takes its time to load: nobody waits longer than a deadline, and nothing is lost."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from lookahead import Refused, with_lookahead
from lookahead.errors import ConfigError, ModelError, ModelTimeout
from lookahead.models.vllm import VLLMModel
from lookahead.types import Asking, Message
from lookahead.worlds.circuit import Circuit
from lookahead.worlds.language import LanguageWorld

ENGINE = """
import threading

gate, begun, made, ended, failures = threading.Event(), threading.Event(), [], [], []


class Output:
    index, finish_reason, logprobs, text = 0, "stop", None, "<predicted_observation>\\nfine\\n</predicted_observation>"
    token_ids = (1, 2, 3)


class Answer:
    outputs, num_cached_tokens = [Output], 0


class ModelConfig:
    max_model_len = 4096

    def get_diff_sampling_param(self):
        return {}


class Tokenizer:
    def apply_chat_template(self, turns, **options):
        return "".join(turn["content"] for turn in turns)

    def encode(self, text, **options):
        return [1] * min(1000, len(text))


class AsyncLLM:
    model_config, tokenizer = ModelConfig(), Tokenizer()

    @classmethod
    def from_engine_args(cls, arguments):
        begun.set()
        if not gate.wait(30):
            raise RuntimeError("nobody let it load")
        if failures:
            raise RuntimeError(failures.pop())
        made.append(cls())
        return made[-1]

    async def generate(self, prompt, sampling, name):
        yield Answer

    def shutdown(self):
        ended.append(self)
"""
ARGUMENTS = """
from dataclasses import dataclass


@dataclass
class AsyncEngineArgs:
    model: str
    max_model_len: int = 0
"""
SAMPLING = """
class RequestOutputKind:
    FINAL_ONLY = 1


def SamplingParams(**said):
    return said
"""
CONFIG = {
    "model_type": "qwen3",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 256,
    "max_position_embeddings": 32768,
}
QUESTION = (Message(role="user", content="would it work?"),)
SOON = Asking(seconds=0.05)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A package by the name of vllm, whose engine is loaded when the test opens its gate."""
    known = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "vllm"}
    for name in known:
        monkeypatch.delitem(sys.modules, name)
    for path, text in (
        ("vllm/__init__.py", ""),
        ("vllm/engine/__init__.py", ""),
        ("vllm/engine/arg_utils.py", ARGUMENTS),
        ("vllm/sampling_params.py", SAMPLING),
        ("vllm/v1/__init__.py", ""),
        ("vllm/v1/engine/__init__.py", ""),
        ("vllm/v1/engine/async_llm.py", ENGINE),
    ):
        file = tmp_path / "packages" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    from vllm.v1.engine import async_llm  # type: ignore[import-not-found]

    yield async_llm
    async_llm.gate.set()
    for name in [name for name in sys.modules if name.partition(".")[0] == "vllm"]:
        del sys.modules[name]
    sys.modules.update(known)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    path = tmp_path / "model"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(CONFIG))
    return str(path)


def test_a_call_keeps_its_deadline_while_the_engine_is_loaded_and_the_next_finds_it(engine: Any, folder: str):
    async def main() -> None:
        model = VLLMModel(folder)
        began = anyio.current_time()
        with pytest.raises(ModelTimeout, match="still being loaded"):
            await model(QUESTION, SOON)
        assert anyio.current_time() - began < 5
        assert engine.begun.wait(10)
        with pytest.raises(ModelTimeout, match="still being loaded"):
            await model(QUESTION, SOON)
        engine.gate.set()
        assert "fine" in (await model(QUESTION, Asking(seconds=20))).samples[0].text
        assert len(engine.made) == 1
        await model.aclose()
        assert engine.ended == engine.made

    anyio.run(main)


def test_a_world_that_is_still_loading_is_a_world_that_timed_out(engine: Any, folder: str):
    """The rules for slow worlds decide, and the call of the agent is over when its time is."""

    async def main() -> None:
        done: list[str] = []

        async def wipe(name: str) -> str:
            """Deletes a file."""
            done.append(name)
            return "gone"

        model = VLLMModel(folder)
        world = Circuit(LanguageWorld(model, seconds=0.1, max_context=8192, max_tokens=64, thinking="off"), seconds=0.1)
        [guarded] = with_lookahead([wipe], world=world, policy={"wipe": {"effect": "destroys"}}, journal=":memory:")
        with anyio.fail_after(10):
            with pytest.raises(Refused):
                await guarded("a")
        assert done == []
        guarded.lookahead.close()
        engine.gate.set()
        await model.start()
        await model.aclose()

    anyio.run(main)


def test_who_stops_waiting_does_not_stop_the_loading_for_others(engine: Any, folder: str):
    async def main() -> None:
        model = VLLMModel(folder)
        async with anyio.create_task_group() as group:
            with anyio.move_on_after(0.05) as scope:
                await model(QUESTION, Asking())
            assert scope.cancelled_caught
            group.start_soon(model.start)
            await anyio.to_thread.run_sync(engine.begun.wait, 10)
            engine.gate.set()
        assert len(engine.made) == 1
        await model.aclose()

    anyio.run(main)


def test_why_it_could_not_be_loaded_is_told_to_whoever_asks_next_and_then_it_is_tried_again(engine: Any, folder: str):
    async def main() -> None:
        model = VLLMModel(folder)
        engine.failures.append("the weights are torn")
        with pytest.raises(ModelTimeout):
            await model(QUESTION, SOON)
        engine.gate.set()
        with pytest.raises(ModelError, match="the weights are torn"):
            await model(QUESTION, Asking(seconds=20))
        await model.start()
        assert len(engine.made) == 1
        await model.aclose()

    anyio.run(main)


def test_closed_while_it_loads_it_leaves_no_engine_behind(engine: Any, folder: str):
    async def main() -> None:
        model = VLLMModel(folder)
        with pytest.raises(ModelTimeout):
            await model(QUESTION, SOON)
        async with anyio.create_task_group() as group:
            group.start_soon(model.aclose)
            await anyio.wait_all_tasks_blocked()
            engine.gate.set()
        assert engine.ended == engine.made != []
        with pytest.raises(ConfigError, match="was closed"):
            await model.start()

    anyio.run(main)


def test_an_event_loop_that_ends_while_it_loads_leaves_no_engine_behind(engine: Any, folder: str):
    async def main() -> None:
        with pytest.raises(ModelTimeout):
            await VLLMModel(folder)(QUESTION, SOON)
        assert engine.begun.wait(10)
        asyncio.get_running_loop().call_soon(engine.gate.set)

    anyio.run(main)
    assert engine.ended == engine.made != []
