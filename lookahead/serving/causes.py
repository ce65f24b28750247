"""Why a server ended: the cause that its log names, and what to run next."""

import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lookahead.errors import ConfigError, ContextTooLong, ModelError, ModelNotFound, ModelOutOfMemory, ModelUnreachable

_Error = type[ModelError] | type[ConfigError]


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One thing that went wrong."""

    error: _Error
    said: str
    next: str


def _always(error: _Error, said: str, advice: str) -> Callable[[re.Match[str]], Cause]:
    return lambda match: Cause(error=error, said=said, next=advice)


_SMALLER: Final = "a smaller --max-model-len, more GPUs (--tensor-parallel N), or a variant with smaller weights"


def _too_long(match: re.Match[str]) -> Cause:
    length = re.search(r"estimated maximum model length is (\d+)", match.string)
    return Cause(
        error=ContextTooLong,
        said="the memory that is left holds no sequence of the longest length",
        next=f"--max-model-len {length[1]}" if length else _SMALLER,
    )


def _unknown_flag(match: re.Match[str]) -> Cause:
    return Cause(
        error=ConfigError,
        said=f"this vLLM does not know {match[1].strip()}",
        next="leave that flag out, or install the newest vLLM: pip install --upgrade vllm",
    )


def _unknown_kind(match: re.Match[str]) -> Cause:
    return Cause(
        error=ModelNotFound,
        said=f"this vLLM cannot run models of the kind {match[1].strip()}",
        next="pip install --upgrade vllm",
    )


_NOT_THERE: Final = _always(
    ModelNotFound,
    "there is no such model, or it may not be read",
    "check its name; for one behind a login: hf auth login",
)
_NO_HUB: Final = _always(
    ModelNotFound,
    "the model is not on this machine, and the hub cannot be reached",
    "fetch it where there is a network (hf download OWNER/NAME), then name its folder",
)
_NO_MEMORY: Final = _always(ModelOutOfMemory, "the memory is too small for this model", _SMALLER)

CAUSES: Final[tuple[tuple[str, Callable[[re.Match[str]], Cause]], ...]] = (
    (r"No module named '?vllm'?\s*$",
     _always(ConfigError, "vLLM is not installed", 'pip install "lookahead-agents[vllm]"')),
    (r"PackageNotFoundError: .*vllm",
     _always(ConfigError, "this build of vLLM cannot find itself",
             "name its Python, so that it is started as a module: --python PATH")),
    (r"unrecognized arguments: ([^\n]+)", _unknown_flag),
    (r"[Aa]ddress already in use", _always(ConfigError, "the port is in use", "another one: --port N")),
    (r"larger than the available KV cache|To serve at least one request with the model's max seq len", _too_long),
    (r"Free memory on device .* is less than desired GPU memory utilization",
     _always(ModelOutOfMemory, "other programs hold the GPU's memory",
             "end them (nvidia-smi lists them), or add  -- --gpu-memory-utilization 0.5")),
    (r"Available memory on node .* is less than desired",
     _always(ModelOutOfMemory, "the main memory is too full", "end other programs, or a smaller --max-model-len")),
    (r"CUDA out of memory|OutOfMemoryError|HIP out of memory|No available memory for the cache blocks"
     r"|exceeds available Mamba cache|not enough memory|Cannot allocate memory|std::bad_alloc", _NO_MEMORY),
    (r"custom code which must be executed|pass the argument `trust_remote_code=True`|using --trust-remote-code",
     _always(ConfigError, "the model brings Python code of its own",
             "read it; if you trust it, add --trust-remote-code")),
    (r"Model architectures? (\[[^\]\n]*\]) (?:are|is) not supported", _unknown_kind),
    (r"model type [`'\"]?([\w.-]+)[`'\"]? but Transformers does not recognize", _unknown_kind),
    (r"RepositoryNotFoundError|Repository Not Found|GatedRepoError|401 Client Error|403 Client Error"
     r"|is not a valid model identifier|HFValidationError|Repo id must be", _NOT_THERE),
    (r"LocalEntryNotFoundError|couldn't connect to|OfflineModeIsEnabled|Can't load the configuration of"
     r"|outgoing traffic has been disabled", _NO_HUB),
    (r"default chat template is no longer allowed|must provide a chat template",
     _always(ConfigError, "the model has no chat template",
             "serve the instruction-tuned model, or add  -- --chat-template FILE.jinja")),
    (r"Failed to infer device type|No CUDA GPUs are available|no NVIDIA driver",
     _always(ConfigError, "vLLM finds no GPU, and this build of it needs one",
             "check nvidia-smi; on a machine without GPUs install vLLM for CPUs")),
    (r"NVIDIA driver on your system is too old|CUDA driver version is insufficient",
     _always(ConfigError, "the GPU's driver is too old for this vLLM", "update the driver, or install an older vLLM")),
    (r"must be divisible by|not divisible by",
     _always(ConfigError, "the model cannot be split like this", "another --tensor-parallel")),
    (r"No space left on device", _always(ConfigError, "the disk is full", "free some; models lie in HF_HOME")),
)  # fmt: skip


def cause_of(log: str, code: int | None) -> Cause:
    """What a log of this end says. The table's order is from the particular to the general."""
    for pattern, make in CAUSES:
        if match := re.search(pattern, log, re.MULTILINE):
            return make(match)
    if code == -signal.SIGKILL:
        return Cause(error=ModelOutOfMemory, said="the system ended it: the main memory was full", next=_SMALLER)
    if code == -signal.SIGILL or "SIGILL" in log or re.search(r"exit ?code:? -4\b", log):
        return Cause(
            error=ConfigError,
            said="this CPU lacks an instruction that vLLM used",
            next="add  -- --dtype float32",
        )
    if code is None:
        return Cause(error=ModelUnreachable, said="it did not become ready", next="read its log")
    return Cause(error=ModelUnreachable, said=f"vLLM ended with code {code}", next="read its log")
