"""Which model on which GPUs, split how, with how long a context: chosen so that it fits, or refused with what would."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from lookahead.errors import ConfigError
from lookahead.serving.facts import BITS, GIB, WHILE_LOADING, Facts
from lookahead.serving.machine import Gpu, Machine

SHARE: Final = 0.90
"""Of a GPU's memory, what vLLM is given."""
CANDIDATES: Final = 8
"""So many futures are imagined at the same time; each has a recurrent state of its own, where the model has one."""
ROOM: Final = 1.5
"""How many of the longest sequences must fit: one, and the tails in which its candidates differ."""
SHORTEST: Final = 8192
"""A history that a world model cannot do with less of."""
ON_CPU: Final = 32768
"""Longer prompts take minutes there."""
BATCHED: Final = 8192
SEQUENCES: Final = 256


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the user has decided; None where we may."""

    tensor: int | None = None
    data: int | None = None
    context: int | None = None
    quantization: str | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How it will be served."""

    facts: Facts
    tensor: int = 1
    data: int = 1
    context: int | None = None
    """None where nothing is known of the model: vLLM decides."""
    quantization: str = ""
    """Set where the weights are made smaller while they are loaded."""
    sequences: int | None = None
    """How many at a time, where the model's memory of each sequence limits it."""
    share: float | None = None
    cache: int = 0
    """GiB of main memory to remember tokens in, on a machine without GPUs."""
    cpu: bool = False
    weights: int = 0
    """Bytes on each GPU."""
    notes: tuple[str, ...] = ()


def plan(facts: Facts, machine: Machine, wishes: Wishes | None = None) -> Plan:
    """The plan; `ConfigError` names one that is possible where this is not."""
    wished = wishes or Wishes()
    _sensible(facts, machine, wished)
    if not machine.gpus:
        return _on_cpu(facts, machine, wished)
    if not facts.known:
        note = "nothing is known of this model before it is fetched, so its memory is not planned"
        return _noted(Plan(facts=facts, tensor=wished.tensor or 1, data=wished.data or 1, context=wished.context,
                           quantization=wished.quantization or ""), note)  # fmt: skip
    found = _best(facts, machine, wished)
    if found is None:
        raise ConfigError(_refusal(facts, machine, wished))
    return _noted(found, *_notes(found, machine))


def _noted(found: Plan, *notes: str) -> Plan:
    return replace(found, notes=(*found.notes, *notes))


def _sensible(facts: Facts, machine: Machine, wished: Wishes) -> None:
    """Refuse what no amount of memory makes possible."""
    here = len(machine.gpus)
    asked = (wished.tensor or 1) * (wished.data or 1)
    if here and asked > here:
        raise ConfigError(
            f"tensor parallel {wished.tensor or 1} × data parallel {wished.data or 1} takes {asked} GPUs, and "
            f"{_count(here, 'is', 'are')} here: ask for at most {here}, or see docs/serving.md for several machines"
        )
    if wished.tensor and facts.heads and not _divides(facts, wished.tensor):
        able = ", ".join(str(n) for n in range(1, max(here, 8) + 1) if _divides(facts, n))
        raise ConfigError(f"{facts.name} cannot be split over {wished.tensor} GPUs: --tensor-parallel may be {able}")
    if wished.context and facts.context and wished.context > facts.context:
        raise ConfigError(
            f"{facts.name} was made for {facts.context:,} tokens, not {wished.context:,}: "
            f"use --max-model-len {facts.context} or less"
        )
    if wished.quantization and facts.method and wished.quantization in WHILE_LOADING and facts.bits < 16:
        same = wished.quantization.split("_")[0] == facts.method.split("-")[0]
        if not same:
            raise ConfigError(
                f"the files of {facts.name} are quantised already ({facts.method}): leave out --quantization"
            )


def _divides(facts: Facts, tensor: int) -> bool:
    if facts.heads % tensor or (facts.recurrent_heads and facts.recurrent_heads % tensor):
        return False
    if not facts.latent and facts.kv_heads and facts.kv_heads % tensor and tensor % facts.kv_heads:
        return False
    if facts.inner % tensor:
        return False
    # A scale belongs to a block of weights; a GPU must hold whole blocks.
    return facts.block <= 1 or (facts.inner // tensor) % facts.block == 0


def _best(facts: Facts, machine: Machine, wished: Wishes) -> Plan | None:
    """The best one that fits: as it is before made smaller, and on the fewest GPUs that give the longest context."""
    ways = [wished.quantization or ""]
    if wished.quantization is None and not facts.method and all(gpu.ability >= (8, 0) for gpu in machine.gpus):
        ways.append("fp8")
    for way in ways:
        splits = [wished.tensor] if wished.tensor else [n for n in _sizes(len(machine.gpus)) if _divides(facts, n)]
        fitting = [found for n in splits if (found := _fitted(facts, machine, wished, n, way))]
        if fitting:
            longest = max(found.context or 0 for found in fitting)
            return next(found for found in fitting if found.context == longest)
    return None


def _sizes(gpus: int) -> Iterator[int]:
    size = 1
    while size <= gpus:
        yield size
        size *= 2


def _fitted(facts: Facts, machine: Machine, wished: Wishes, tensor: int, way: str) -> Plan | None:
    data = wished.data or len(machine.gpus) // tensor
    used = sorted(machine.gpus, key=lambda gpu: -gpu.memory)[: tensor * data]
    smallest = min(used, key=lambda gpu: min(gpu.free, gpu.memory))
    share = _share(smallest)
    weights = _weights(facts, tensor, way)
    left = int(smallest.memory * share) - weights - _besides(facts)
    context = _context(facts, wished, left, tensor)
    if context is None:
        return None
    return Plan(
        facts=facts,
        tensor=tensor,
        data=data,
        context=context,
        quantization=way,
        sequences=_sequences(facts, left, context, tensor),
        share=share,
        weights=weights,
    )


def _weights(facts: Facts, tensor: int, way: str) -> int:
    bits = BITS.get(way) if way and not facts.method else None
    return facts.weights(bits) // tensor


def _share(gpu: Gpu) -> float:
    """What vLLM may take of a GPU: it refuses to start where other programs hold some of that."""
    free = gpu.free / gpu.memory if gpu.memory else 0.0
    return SHARE if free >= SHARE + 0.01 else max(0.0, int((free - 0.02) * 100) / 100)


def _besides(facts: Facts) -> int:
    """What a GPU needs beside weights and memory of tokens: its driver, recorded graphs, one batch on its way."""
    batch = BATCHED * facts.hidden * WIDTHS
    likely = SEQUENCES * facts.vocabulary * 4 * 3
    return int(1.5 * GIB) + batch + likely


WIDTHS: Final = 32
"""Bytes in flight for each token and each number of the hidden width: sixteen copies of it."""


def _context(facts: Facts, wished: Wishes, left: int, tensor: int) -> int | None:
    """The longest context that fits into what is left of each GPU; None where none does that is of use."""
    others = (CANDIDATES - 1) * facts.state(tensor)
    for tokens in _lengths(facts, wished):
        room = 1.0 if wished.context else ROOM
        if room * facts.remembered(tokens, tensor) + others <= left:
            return tokens
    return None


def _lengths(facts: Facts, wished: Wishes) -> Iterator[int]:
    if wished.context:
        yield wished.context
        return
    longest = facts.context or ON_CPU
    yield longest
    tokens = 1 << (longest.bit_length() - 1)
    while tokens >= SHORTEST:
        if tokens < longest:
            yield tokens
        tokens //= 2


def _sequences(facts: Facts, left: int, context: int, tensor: int) -> int | None:
    """vLLM does not start where it would serve more sequences than it has room for states."""
    if not facts.recurrent:
        return None
    spare = max(left - facts.remembered(context, tensor), 0) // facts.state(tensor)
    able = min(SEQUENCES, max(CANDIDATES, spare))
    return 1 << (able.bit_length() - 1)


def _on_cpu(facts: Facts, machine: Machine, wished: Wishes) -> Plan:
    """Main memory in the place of a GPU's."""
    slow = "no GPU was found: the CPU serves, which is slow for all but small models"
    if not facts.known:
        return Plan(facts=facts, cpu=True, context=wished.context, quantization=wished.quantization or "",
                    cache=max(1, machine.memory // GIB // 4), notes=(slow,))  # fmt: skip
    way = wished.quantization or ""
    weights = _weights(facts, 1, way)
    left = machine.memory - weights - 2 * GIB
    at_most = wished.context or min(facts.context or ON_CPU, ON_CPU)
    context = _context(replace(facts, context=at_most), wished, left, 1)
    if context is None:
        raise ConfigError(_refusal(facts, machine, wished))
    needed = ROOM * facts.remembered(context, 1) + (CANDIDATES - 1) * facts.state(1)
    cache = max(-(-int(needed) // GIB), min(4, left // GIB // 2), 1)
    return Plan(facts=facts, cpu=True, context=context, quantization=way, cache=int(cache),
                weights=weights, notes=(slow,))  # fmt: skip


def _notes(found: Plan, machine: Machine) -> Iterator[str]:
    facts = found.facts
    if found.quantization == "fp8":
        yield "the weights do not fit as they are: they are made 8 bits wide while they are loaded"
    if found.context and facts.context and found.context < facts.context:
        yield f"{found.context:,} tokens of context fit, of the {facts.context:,} that the model can read"
    if found.data > 1:
        yield f"{found.data} copies answer side by side, each with a prefix cache of its own"
    if (idle := len(machine.gpus) - found.tensor * found.data) > 0:
        yield f"{_count(idle, 'stays', 'stay')} idle"
    if len({gpu.memory for gpu in machine.gpus}) > 1:
        yield "the GPUs differ: each is counted as the smallest; choose some with CUDA_VISIBLE_DEVICES"
    if found.share is not None and found.share < SHARE:
        yield f"other programs hold memory on the GPUs, so vLLM is given {found.share:.0%} of it"


def _count(gpus: int, one: str, many: str) -> str:
    return f"1 GPU {one}" if gpus == 1 else f"{gpus} GPUs {many}"


def _refusal(facts: Facts, machine: Machine, wished: Wishes) -> str:
    """Why it cannot be, and what could be: found by planning on machines that are not here."""
    bits = BITS.get(wished.quantization or "") if not facts.method else None
    need = facts.weights(bits)
    if machine.gpus:
        gpu = min(machine.gpus, key=lambda gpu: gpu.memory)
        here = f"{_count(len(machine.gpus), 'of', 'of')} {gpu.memory / GIB:.0f} GiB"
        if _share(gpu) < SHARE:
            here += f" ({gpu.free / GIB:.0f} GiB free)"
    else:
        here = f"no GPU, and {machine.memory / GIB:.0f} GiB of free main memory"
    length = f" with a context of {wished.context:,}" if wished.context else ""
    lines = [f"{facts.name}{length} does not fit: its weights take {need / GIB:.1f} GiB, and here is {here}."]
    could = list(dict.fromkeys(_alternatives(facts, machine, wished)))[:5]
    return "\n".join([*lines, "What would fit:", *(f"  - {line}" for line in could)])


def _alternatives(facts: Facts, machine: Machine, wished: Wishes) -> Iterator[str]:
    free = replace(wished, tensor=None, data=None)
    shorter = replace(free, context=None)
    quantised = replace(facts, bits=4.5, method="4-bit", measured=0)
    if machine.gpus:
        if (wished.tensor or wished.data) and (found := _best(facts, machine, free)):
            yield f"here: --tensor-parallel {found.tensor} --data-parallel {found.data}"
        if wished.context and (found := _best(facts, machine, replace(wished, context=None))):
            yield f"here: --max-model-len {found.context}"
        if wished.quantization is None and not facts.method and (found := _best(quantised, machine, shorter)):
            yield f"here: a variant with 4-bit weights (NVFP4, GPTQ, AWQ), {_size(quantised)}: look for one on the hub"
        for gpus in (2, 4, 8, 16):
            more = Machine(gpus=(machine.gpus[0],) * gpus, memory=machine.memory)
            if gpus > len(machine.gpus) and (found := _best(facts, more, free)):
                small = f" (8-bit weights, {facts.weights(8.0) / GIB:.1f} GiB)" if found.quantization == "fp8" else ""
                yield f"{gpus} GPUs like the one here{small}"
                break
    for size, name in ((48, "48 GB"), (80, "80 GB"), (141, "141 GB")):
        one = Machine(gpus=(Gpu(memory=int(size * 0.995 * GIB), free=int(size * 0.995 * GIB)),))
        if size * GIB > max((gpu.memory for gpu in machine.gpus), default=0) and (found := _best(facts, one, free)):
            yield f"one GPU of {name}" + (" (the weights made 8 bits wide)" if found.quantization == "fp8" else "")
            break
    if facts.shrinkable and not facts.method:
        yield f"a 4-bit GGUF variant (about {_size(quantised)}) on llama.cpp, which also runs from main memory"
    yield 'any other machine that serves it: world="http://HOST:PORT/v1"'


def _size(facts: Facts) -> str:
    return f"{facts.weights() / GIB:.0f} GiB"
