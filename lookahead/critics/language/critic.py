"""The rubric critic: a language model's opinion on progress and hazards, in a form that cannot be argued with."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import JsonValue

from lookahead.critics.finding import ORDER, one_line
from lookahead.critics.language.answers import answer, as_object, name_of
from lookahead.critics.language.fence import Fence
from lookahead.critics.language.hazards import KINDS, hazard
from lookahead.critics.language.loading import filled, prompt
from lookahead.critics.language.material import material
from lookahead.critics.rules import strictest
from lookahead.errors import ConfigError
from lookahead.types import Asking, Complete, Completion, Critic, Hazard, Message, Rollout, Severity, State, Verdict

_TOP: Final = 10
_CAPS: Final[Mapping[Severity, float]] = {"danger": 0.2, "caution": 0.55, "note": 1.0}
"""No promise of progress makes up for a hazard."""
_REVERSIBLE: Final[Mapping[str, bool | None]] = {"yes": True, "no": False, "unknown": None}


class RubricCritic:
    """Goal progress, hazards and confidence, from a model that sees call and forecast but no argument for it."""

    def __init__(
        self,
        complete: Complete,
        *,
        samples: int = 1,
        past: int = 0,
        thinking: bool = False,
        max_tokens: int | None = None,
        seconds: float | None = 60.0,
    ) -> None:
        """`samples`: opinions asked for at once; what half of them share counts. `past`: earlier calls to show it."""
        if samples < 1 or past < 0:
            raise ConfigError(
                f"samples={samples}, past={past}: at least one opinion, and no fewer than 0 earlier calls"
            )
        self.complete = complete
        self.past = past
        self.asking = Asking(
            temperature=0.0 if samples == 1 else 0.7,
            n=samples,
            thinking=thinking,
            max_tokens=max_tokens or (8_192 if thinking else 1_024),
            seconds=seconds,
        )
        self._fence = Fence()
        # Some engines' answers are searched for a fitting object. A planted one cannot know this, whoever quotes it.
        self._mark = self._fence.mark("answer")

    @property
    def name(self) -> str:
        """A model that was not named knows its name after its first answer."""
        return f"rubric:{name_of(self.complete)}"

    async def __call__(self, state: State, rollout: Rollout, /) -> Verdict:
        schema = schema_for(len(rollout.steps), self._mark)
        opinions, cost = await answer(
            self.complete,
            self.messages(state, rollout),
            self.asking.model_copy(update={"schema_of": schema}),
            lambda completion: opinions_of(completion, schema),
        )
        return self._verdict(opinions, rollout).model_copy(update={"cost": cost})

    def messages(self, state: State, rollout: Rollout) -> tuple[Message, ...]:
        """What the model is shown."""
        listed = "\n".join(f"    `{kind}`: {what}" for kind, what in KINDS.items())
        asked = [material(self._fence, state, rollout, past=self.past)]
        if len(rollout.steps) > 1:
            asked.append(prompt("rubric_steps"))
        asked.append(filled("rubric_question", mark=self._mark))
        return (
            Message(role="system", content=filled("rubric", hazards=listed)),
            Message(role="user", content="\n\n".join(asked)),
        )

    def _verdict(self, opinions: Sequence[Mapping[str, Any]], rollout: Rollout) -> Verdict:
        found = self._shared(opinions, rollout)
        progress = sum(_leaning(one) for one in opinions) / len(opinions)
        caps = [_CAPS[severity] if step == 0 else (1 + _CAPS[severity]) / 2 for step, severity, _ in found]
        sure = sum(one["confidence"] for one in opinions) / len(opinions)
        reason = self._words(opinions[0]["reason"], 240)
        return Verdict(
            score=round(min([progress, *caps]), 4),
            hazards=tuple(one for _, _, one in found),
            reason=f"{self.name} is {sure / _TOP:.0%} sure: {reason}" if reason else "",
        )

    def _shared(self, opinions: Sequence[Mapping[str, Any]], rollout: Rollout) -> list[tuple[int, Severity, Hazard]]:
        """The hazards that at least half of the opinions name, each as bad as the stricter half of those says."""
        named: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
        for opinion in opinions:
            own: dict[tuple[str, int], Mapping[str, Any]] = {}
            for one in sorted(opinion["hazards"], key=_gravity):
                # One opinion that names a thing twice is still one opinion: its graver word holds.
                own[one["kind"], int(one.get("step", 0))] = one
            for place, one in own.items():
                named.setdefault(place, []).append(one)
        found: list[tuple[int, Severity, Hazard]] = []
        for (kind, step), said in named.items():
            if 2 * len(said) < len(opinions):
                continue
            graver = sorted(said, key=_gravity)[len(said) // 2]
            told = hazard(
                kind,
                graver["severity"],
                said=self._words(graver["what"], 100),
                by=self.name,
                reversible=_REVERSIBLE[graver["reversible"]],
                step=step,
            )
            found.append((step, graver["severity"], told))
        return sorted(found, key=lambda one: (one[0], -ORDER.index(one[1])))

    def _words(self, said: str, longest: int) -> str:
        """The model's own words, which other programs will read: on one line, and without the mark."""
        return one_line(said.replace(self._mark, "…"), longest)


def opinions_of(completion: Completion, schema: Mapping[str, JsonValue]) -> list[dict[str, Any]]:
    """Every opinion that can be read; at least half of them must be."""
    read: list[dict[str, Any]] = []
    why = "there is no answer"
    for sample in completion.samples:
        try:
            read.append(as_object(sample, schema))
        except ValueError as cause:
            why = str(cause)
    if not read or 2 * len(read) < len(completion.samples):
        raise ValueError(why)
    return read


def _leaning(opinion: Mapping[str, Any]) -> float:
    """Progress between 0 and 1. Whoever is not sure says neither yes nor no."""
    return 0.5 + (opinion["progress"] / _TOP - 0.5) * opinion["confidence"] / _TOP


def _gravity(said: Mapping[str, Any]) -> int:
    return ORDER.index(said["severity"])


def schema_for(steps: int, mark: str) -> dict[str, JsonValue]:
    """The form of an opinion on a future of so many steps. Every key is required, as strict engines want it."""
    whole: JsonValue = {"type": "integer", "minimum": 0, "maximum": _TOP}
    about: dict[str, JsonValue] = {
        "kind": {"type": "string", "enum": list(KINDS)},
        "what": {"type": "string"},
        "severity": {"type": "string", "enum": list(ORDER)},
        "reversible": {"type": "string", "enum": list(_REVERSIBLE)},
    }
    if steps > 1:
        about["step"] = {"type": "integer", "minimum": 0, "maximum": steps - 1}
    return _closed(
        {
            "mark": {"type": "string", "const": mark},
            "reason": {"type": "string"},
            "hazards": {"type": "array", "items": _closed(about), "maxItems": 6},
            "progress": whole,
            "confidence": whole,
        }
    )


def _closed(properties: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def combined(rules: Critic, language: Critic) -> Critic:
    """The rules first; a model is asked for more, never for less, and not at all where the rules already see danger."""

    async def judge(state: State, rollout: Rollout, /) -> Verdict:
        ruled = await rules(state, rollout)
        if any(one.severity == "danger" and one.step == 0 for one in ruled.hazards):
            # Whatever a model says, that can become neither worse nor better.
            return ruled

        async def said(state: State, rollout: Rollout, /) -> Verdict:
            return ruled

        return await strictest(said, language)(state, rollout)

    return judge


__all__ = ["RubricCritic", "combined"]
