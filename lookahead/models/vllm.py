"""vLLM in this process, as a `Complete`: no server, no port; for notebooks, tests and programs that own their GPU."""

import asyncio
import itertools
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Self, cast

import anyio
import anyio.to_thread

from lookahead.errors import (
    ConfigError,
    ContextTooLong,
    ModelError,
    ModelNotFound,
    ModelOutOfMemory,
    ModelTimeout,
    ModelUnreachable,
)
from lookahead.models.answer import Read, check_ended, ended_by, sound
from lookahead.models.complete import completed
from lookahead.models.failures import Asked, failures, kinds_of, named, said
from lookahead.models.manners import Manners
from lookahead.serving.facts import GIB
from lookahead.serving.find import facts_of
from lookahead.serving.flags import INSTALL, QUIET, engine
from lookahead.serving.machine import machine
from lookahead.serving.plan import Wishes, plan
from lookahead.types import Asking, Completion, Likely, Message, Sample, Usage

_SECONDS: Final = 600.0
_ALTERNATIVES: Final = 20
"""The most that vLLM reports at one place, unless it is told otherwise."""
_UNWIND: Final = 0.05
"""Seconds that a call which is given up waits for the engine to hear of it. What takes longer goes on alone."""
_NOWHERE: Final = ("RepositoryNotFoundError", "GatedRepoError", "HFValidationError", "LocalEntryNotFoundError")

# Two engines in one process must not take each other's requests for their own.
_numbers = itertools.count()


class VLLMModel:
    """One model on one engine in this process. It starts at the first call, or with `async with`.

    A call that has no time to wait for that fails. The start goes on without it, and a later call finds the engine.
    What is not said of the engine follows from the model and this machine, as in `lookahead serve`; whatever is named
    here is vLLM's own argument, and wins.
    """

    def __init__(
        self, model: str, *, seconds: float = _SECONDS, trust_remote_code: bool = False, **arguments: Any
    ) -> None:
        """`seconds` is the deadline of a call that names none; for such a call starting does not count."""
        if find_spec("vllm") is None:
            raise ConfigError(f"vLLM is not installed. Next: {INSTALL}")
        self._model = model
        self._trust = trust_remote_code
        self._arguments = arguments
        self._seconds = seconds
        self._engine: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loading: asyncio.Task[Any] | None = None
        self._given_up: set[asyncio.Task[Any]] = set()
        self._closed = False
        self._manners = Manners()

    @property
    def name(self) -> str:
        """For origins and the record."""
        path = Path(self._model).expanduser()
        return f"vllm:{path.resolve().name if path.exists() else self._model}"

    def __repr__(self) -> str:
        return f"VLLMModel({self.name!r})"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Load the model, which takes its time. Others go on meanwhile, and so does the loading when nobody waits."""
        loop = _asyncio()
        if self._closed:
            raise ConfigError(f"{self.name} was closed: make a new VLLMModel")
        if self._loop not in (None, loop) and (self._engine is not None or self._loading is not None):
            raise ConfigError(f"{self.name} belongs to another event loop: make one VLLMModel in each")
        if self._engine is not None:
            return
        self._loop = loop
        loading = self._loading
        if loading is None:
            loading = self._loading = loop.create_task(self._loaded(), name=f"loading {self.name}")
            # What went wrong is told to whoever asks next, if nobody waits for it now.
            loading.add_done_callback(lambda task: task.cancelled() or task.exception())
        # Waiting for a task does not hand our cancellation on to it.
        await asyncio.wait({loading})
        if self._loading is loading:
            self._loading = None
        engine = loading.result()
        if self._closed:
            raise ConfigError(f"{self.name} was closed: make a new VLLMModel")
        self._engine = engine

    async def aclose(self) -> None:
        self._closed = True
        with anyio.CancelScope(shield=True):
            loading, self._loading = self._loading, None
            if loading is not None:
                await asyncio.wait({loading})
                if not loading.cancelled() and loading.exception() is None:
                    self._engine = loading.result()
            if self._engine is not None:
                running, self._engine = self._engine, None
                await anyio.to_thread.run_sync(running.shutdown)

    async def __call__(self, messages: Sequence[Message], asking: Asking, /) -> Completion:
        """The answer, within `asking.seconds`; a `ModelError` where there is none."""
        began = anyio.current_time()
        await self._ready(asking.seconds)
        seconds = asking.seconds or self._seconds
        left = seconds - (anyio.current_time() - began if asking.seconds else 0.0)

        def who() -> Asked:
            return Asked(where="vLLM in this process", model=self._model, seconds=seconds)

        with failures(who), anyio.fail_after(left):
            return await completed(
                self._ask, tuple(messages), asking, manners=self._manners, who=who, model=self.name.partition(":")[2]
            )

    # ---- within ----

    async def _ready(self, seconds: float | None) -> None:
        """The engine is there, or the time is over."""
        with anyio.move_on_after(seconds) as scope:
            await self.start()
        if scope.cancelled_caught:
            raise ModelTimeout(
                f"{self.name} is still being loaded, which takes longer than the {seconds:g} seconds of this call. "
                "That goes on, and a later call finds it; or load it before the agent begins: `await model.start()`"
            )

    async def _loaded(self) -> Any:
        """The engine, made in a thread. Where the event loop ends meanwhile, so does the engine, once it is there."""
        # No task, which the end of the loop would cancel as well.
        thread = asyncio.get_running_loop().run_in_executor(None, self._load)
        try:
            return await asyncio.shield(thread)
        except asyncio.CancelledError:
            # Given up half-way, the engine's own processes would stay behind.
            await asyncio.wait({thread})
            if thread.exception() is None:
                await asyncio.to_thread(thread.result().shutdown)
            raise

    def _load(self) -> Any:
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        arguments = self._told()
        try:
            vllm = import_module("vllm.engine.arg_utils")
            known = {field.name for field in fields(vllm.AsyncEngineArgs)}
            if unknown := set(self._arguments) - known:
                raise ConfigError(f"this vLLM knows no engine argument {', '.join(sorted(unknown))}")
            mine = {name: value for name, value in arguments.items() if name in known}
            chosen = vllm.AsyncEngineArgs(model=str(Path(self._model).expanduser()) if _is_path(self._model)
                                          else self._model, **mine)  # fmt: skip
            return import_module("vllm.v1.engine.async_llm").AsyncLLM.from_engine_args(chosen)
        except (ConfigError, ModelError):
            raise
        except Exception as cause:
            raise _not_loaded(cause, self._model) from cause

    def _told(self) -> dict[str, Any]:
        """Our arguments, under the user's."""
        mine = self._arguments
        wishes = Wishes(
            tensor=mine.get("tensor_parallel_size"),
            data=mine.get("data_parallel_size", 1),
            context=mine.get("max_model_len"),
            quantization=mine.get("quantization"),
        )
        found = plan(facts_of(self._model), machine(), wishes)
        told: dict[str, Any] = {"disable_log_stats": True, **engine(found, trust=self._trust)}
        if found.cpu and "VLLM_CPU_KVCACHE_SPACE" not in os.environ:
            told["kv_cache_memory_bytes"] = found.cache * GIB
        return told | mine

    async def _ask(self, messages: Sequence[Message], asking: Asking, n: int) -> Read:
        prompt, tokens = await anyio.to_thread.run_sync(
            self._prompt, tuple(messages), asking.thinking, abandon_on_cancel=True
        )
        longest = int(self._engine.model_config.max_model_len)
        room = longest - len(tokens)
        if room <= 0:
            raise ContextTooLong(
                f"the prompt has {len(tokens):,} tokens, and {self.name} was started for {longest:,}; start it with a "
                "larger max_model_len, or ask with a shorter history"
            )
        sampling = self._sampling(asking, n, room)
        answer = await self._generated(tokens, sampling)
        opened = prompt.rstrip().endswith("<think>")
        samples = tuple(_sample(output, opened=opened) for output in sorted(answer.outputs, key=lambda one: one.index))
        generated = sum(len(output.token_ids) for output in answer.outputs)
        usage = Usage(prompt=len(tokens), cached=min(answer.num_cached_tokens or 0, len(tokens)), generated=generated)
        return Read(samples=samples, model=self.name.partition(":")[2], usage=usage)

    def _prompt(self, messages: tuple[Message, ...], thinking: bool | None) -> tuple[str, list[int]]:
        """The prompt as the model's own chat template writes it, and as tokens."""
        tokenizer = self._engine.renderer.tokenizer if hasattr(self._engine, "renderer") else self._engine.tokenizer
        turns = [{"role": message.role, "content": message.content} for message in messages]
        options = {} if thinking is None else {"enable_thinking": thinking}
        text: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, **options)
        return text, list(tokenizer.encode(text, add_special_tokens=False))

    def _sampling(self, asking: Asking, n: int, room: int) -> Any:
        vllm = import_module("vllm.sampling_params")
        form = None
        if asking.schema_of is not None:
            form = vllm.StructuredOutputsParams(json=asking.schema_of)
        elif asking.choices:
            form = vllm.StructuredOutputsParams(choice=list(asking.choices))
        wanted = {
            "temperature": asking.temperature,
            "top_p": asking.top_p,
            "top_k": asking.top_k,
            "seed": asking.seed,
            "stop": list(asking.stop) or None,
            "logprobs": min(asking.probabilities, _ALTERNATIVES) or None,
            "structured_outputs": form,
        }
        given = {name: value for name, value in wanted.items() if value is not None}
        # What the model's makers recommend, for what nobody asked about: a server does the same.
        advised = dict(self._engine.model_config.get_diff_sampling_param())
        return vllm.SamplingParams(
            **{**advised, **given},
            n=n,
            max_tokens=min(asking.max_tokens or room, room),
            output_kind=vllm.RequestOutputKind.FINAL_ONLY,
        )

    async def _generated(self, tokens: list[int], sampling: Any) -> Any:
        """One request. Being cancelled takes it back from the engine before we go."""
        task = asyncio.ensure_future(self._run(tokens, sampling))
        try:
            # Waiting for a task does not hand our cancellation on to it: it is told once, and may then await its end.
            await asyncio.wait({task})
        finally:
            if not task.done():
                task.cancel()
                self._given_up.add(task)
                task.add_done_callback(self._given_up.discard)
                with anyio.CancelScope(shield=True):
                    await asyncio.wait({task}, timeout=_UNWIND)
        return task.result()

    async def _run(self, tokens: list[int], sampling: Any) -> Any:
        last = None
        try:
            async for answer in self._engine.generate(
                {"prompt_token_ids": tokens}, sampling, f"lookahead-{next(_numbers)}"
            ):
                last = answer
        except Exception as cause:
            if "EngineDeadError" in kinds_of(cause):
                raise ModelUnreachable(
                    f"the engine of {self.name} has ended; see what it printed above, then make a new VLLMModel"
                ) from cause
            raise
        if last is None:
            raise ModelUnreachable(f"the engine of {self.name} answered nothing; see what it printed above")
        return last


def _asyncio() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigError(
            "vLLM runs on asyncio alone, and this is another event loop: use "
            'anyio.run(main, backend="asyncio"), or `lookahead serve` and its URL, which work on trio too'
        ) from None


def _is_path(model: str) -> bool:
    return Path(model).expanduser().exists()


def _not_loaded(cause: Exception, model: str) -> ModelError:
    asked = Asked(where="vLLM in this process", model=model)
    known = named(cause, asked)
    if isinstance(known, ModelOutOfMemory):
        return known
    text = " ".join(said(cause).split())[:300]
    if kinds_of(cause) & {*_NOWHERE}:
        return ModelNotFound(f"there is no model {model!r} ({text}); name a folder that holds one, or one of the hub")
    return ModelError(
        f"vLLM could not load {model!r} ({text}); what it printed above says more, and "
        f"`lookahead serve {model}` names the cause"
    )


def _sample(output: Any, *, opened: bool) -> Sample:
    check_ended(output.finish_reason)
    text = cast(str, sound(output.text))
    thought = ""
    start = text.lstrip()
    if opened or start.startswith("<think>"):
        # A thought that never ended has no answer behind it.
        thought, _, text = start.removeprefix("<think>").partition("</think>")
    return Sample(
        text=text.lstrip("\n") if thought else text,
        thought=thought.strip(),
        ended=ended_by(output.finish_reason),
        tokens=tuple(
            _likely(token, place) for token, place in zip(output.token_ids, output.logprobs or (), strict=False)
        ),
    )


def _likely(token: int, place: Mapping[int, Any]) -> Likely:
    def spelt(other: int) -> str:
        return cast(str, sound(place[other].decoded_token or ""))

    def probable(other: int) -> float:
        value = float(place[other].logprob)
        return 0.0 if math.isnan(value) else min(1.0, math.exp(min(0.0, value)))

    others = sorted((other for other in place if other != token), key=probable, reverse=True)
    return Likely(
        token=spelt(token), probability=probable(token), instead=tuple((spelt(one), probable(one)) for one in others)
    )
