"""The command that starts vLLM as planned: how it is launched, its flags, and how a person would type it."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from lookahead.errors import ConfigError
from lookahead.serving.find import folder_of
from lookahead.serving.known import TRUSTED
from lookahead.serving.plan import Plan

INSTALL: Final = 'pip install "lookahead-agents[vllm]"'
LAUNCHER: Final = ("vllm", "serve")
MODULE: Final = "vllm.entrypoints.openai.api_server"

QUIET: Final = {"VLLM_NO_USAGE_STATS": "1"}
"""vLLM tells its makers what it runs on, unless it is told not to."""

SMALL_BLOCK: Final = 32

_THINKERS: Final = {"qwen3": "qwen3"}
"""Families whose thoughts vLLM can tell from their answers, and the name of the reader."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command with what has to be in its environment."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]

    @property
    def line(self) -> str:
        """As a person types it into a shell."""
        return " ".join([*(f"{name}={shlex.quote(value)}" for name, value in self.environment.items()),
                         shlex.join(self.arguments)])  # fmt: skip


def command(
    plan: Plan,
    *,
    host: str,
    port: int,
    launcher: Sequence[str] = LAUNCHER,
    extra: Sequence[str] = (),
    trust: bool = False,
) -> Command:
    """The command for this plan. What the user adds comes last, so that it wins."""
    facts = plan.facts
    _answers(plan, extra)
    flags: list[str] = ["--host", host, "--port", str(port)]
    if Path(facts.name).expanduser().exists() and "--served-model-name" not in extra:
        # A folder's path would be the model's name in every answer, journal and report.
        flags += ["--served-model-name", Path(facts.name).expanduser().resolve().name]
    for name, value in engine(plan, trust=trust).items():
        flag = name.replace("_", "-")
        flags += [f"--{flag}" if value else f"--no-{flag}"] if isinstance(value, bool) else [f"--{flag}", str(value)]
    # How much the engine remembered is seen only where it is asked to tell.
    flags += ["--enable-prompt-tokens-details"]
    environment = dict(QUIET)
    if plan.cpu and plan.cache:
        environment["VLLM_CPU_KVCACHE_SPACE"] = str(plan.cache)
    named = [facts.name] if tuple(launcher)[-1] == "serve" else ["--model", facts.name]
    return Command(arguments=(*launcher, *named, *flags, *extra), environment=environment)


def engine(plan: Plan, *, trust: bool = False) -> dict[str, str | int | float | bool]:
    """What vLLM's engine is told, by the names of its own arguments."""
    facts = plan.facts
    told: dict[str, str | int | float | bool] = {}
    if plan.context:
        told["max_model_len"] = plan.context
    if plan.tensor > 1:
        told["tensor_parallel_size"] = plan.tensor
    if plan.data > 1:
        told["data_parallel_size"] = plan.data
        if facts.experts > 1:
            # Else the experts are cut into as many slices as there are GPUs, too thin for their blocks of weights.
            told["enable_expert_parallel"] = True
    if plan.quantization:
        told["quantization"] = plan.quantization
    if plan.share is not None:
        told["gpu_memory_utilization"] = plan.share
    if plan.sequences:
        told["max_num_seqs"] = plan.sequences
    # History is paid for once only where the engine remembers prefixes.
    told["enable_prefix_caching"] = True
    if facts.vision:
        told["language_model_only"] = True
    if facts.thinks and (reader := _reader(facts.family)):
        told["reasoning_parser"] = reader
    if trusts(plan, trust=trust):
        told["trust_remote_code"] = True
    if plan.cpu and plan.context and not facts.recurrent:
        # A prompt that is read in pieces and sampled with a seed ends vLLM's engine on a CPU ("CPU Generator does not
        # use offset"), so no prompt is read in pieces there.
        told["enable_chunked_prefill"] = False
        told["max_num_batched_tokens"] = max(plan.context, 2048)
    if plan.cpu and facts.attention_layers and not facts.recurrent and not facts.latent:
        # Only whole blocks are remembered, and what stands behind the last one is computed anew for each candidate. On
        # a CPU they have 128 tokens if nothing is said, as many as a short action; its kernels take multiples of 32.
        told["block_size"] = SMALL_BLOCK
    return told


def _reader(family: str) -> str:
    return next((reader for start, reader in _THINKERS.items() if family.startswith(start)), "")


def trusts(plan: Plan, *, trust: bool) -> bool:
    """Whether code that comes with the model may run: the user said so, or it is the model that we chose."""
    facts = plan.facts
    if trust or facts.name in TRUSTED:
        return True
    if facts.code:
        raise ConfigError(
            f"{facts.name} brings Python code of its own, which would run on this machine. Read it"
            f"{_where(facts.name)}; if you trust it, add --trust-remote-code"
        )
    return False


def _where(name: str) -> str:
    folder = folder_of(name)
    return f" (*.py in {folder})" if folder else ""


def _answers(plan: Plan, extra: Sequence[str]) -> None:
    """A model that cannot be talked to would only say so after it was loaded."""
    if plan.facts.template is False and not any(flag.startswith("--chat-template") for flag in extra):
        name = plan.facts.name
        raise ConfigError(
            f"{name} has no chat template, so vLLM cannot answer chats with it. Serve the instruction-tuned model, or "
            f"bring a template:\n  lookahead serve {shlex.quote(name)} -- --chat-template FILE.jinja"
        )


def launcher(python: str | None = None) -> tuple[str, ...] | None:
    """How vLLM is started here; None where it is not installed."""
    if python is not None:
        return _with(python)
    if find_spec("vllm") is not None:
        beside = Path(sys.executable).with_name("vllm")
        return (str(beside), "serve") if beside.exists() and _has_its_name() else (sys.executable, "-m", MODULE)
    found = shutil.which("vllm")
    return (found, "serve") if found else None


def _has_its_name() -> bool:
    """Builds that are distributed under another name, for CPUs say, have a launcher that looks itself up in vain."""
    try:
        version("vllm")
    except PackageNotFoundError:
        return False
    return True


_PROBE: Final = (
    "import importlib.util as u, importlib.metadata as m\n"
    "if u.find_spec('vllm') is None: print('absent')\n"
    "else:\n"
    "    try: m.version('vllm'); print('whole')\n"
    "    except m.PackageNotFoundError: print('nameless')\n"
)


def _with(python: str) -> tuple[str, ...] | None:
    path = shutil.which(python)
    if path is None:
        raise ConfigError(f"there is no Python at {python!r}: name the one that has vLLM with --python")
    try:
        done = subprocess.run([path, "-c", _PROBE], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigError(f"{path} cannot be asked for vLLM: {error}") from error
    said = done.stdout.strip()
    if said == "absent":
        return None
    beside = Path(path).with_name("vllm")
    return (str(beside), "serve") if said == "whole" and beside.exists() else (path, "-m", MODULE)
