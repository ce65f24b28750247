"""The world of a language model by its address, with everything that a session has to offer it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from lookahead.errors import ConfigError
from lookahead.functions import ToolFunction
from lookahead.journal import Journal
from lookahead.settings import Imagine
from lookahead.types import Action, Complete, Environment, Tool, ToolEffect

EffectOf: TypeAlias = Callable[[Action, Tool | None], ToolEffect | None]


@dataclass(kw_only=True)
class Imagined:
    """Makes the world at an address, and keeps the model: a search may need somebody who thinks of rivals.

    Nothing of it is imported before an address is given: most agents never name one.
    """

    imagine: Imagine
    seconds: float
    journal: Journal
    functions: Mapping[str, ToolFunction]
    effect_of: EffectOf
    exclude_run: str | None = None
    """A run whose own calls are not shown to the model: its predictions are being compared with them."""
    models: list[Complete] = field(default_factory=list[Complete])

    def at(self, address: str) -> Environment:
        from lookahead.domains import load_prompts
        from lookahead.worlds.circuit import Circuit
        from lookahead.worlds.language import Grounding, LanguageWorld

        said = self.imagine
        prompts = load_prompts(said.prompts) if said.prompts is not None else None
        grounding = Grounding(self.journal, functions=self.functions, exclude_run=self.exclude_run)
        model = _model(address)
        world = LanguageWorld(
            model,
            domain=said.domain,
            prompts=prompts,
            thinking=said.thinking,
            samples=said.samples,
            grounding=grounding if said.grounding else None,
            max_context=said.max_context,
            max_tokens=said.max_tokens,
            max_thinking_tokens=said.max_thinking_tokens,
            seconds=self.seconds,
            effect_of=self.effect_of,
        )
        self.models.append(model)
        return Circuit(world, seconds=self.seconds)


def _model(address: str) -> Complete:
    from lookahead.models import model_at

    kind, _, name = address.partition(":")
    if kind != "vllm":
        return model_at(address)
    try:
        from lookahead.models.vllm import VLLMModel
    except ImportError as cause:
        raise ConfigError(f"world={address!r} cannot be had: {cause}") from cause
    return cast(Any, VLLMModel(name))
