"""What a domain is: how a state and an action are said to a world model, and how its answer is read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from lookahead.domains.blocks import call_block, one_line
from lookahead.domains.failures import call_failed
from lookahead.domains.prompts import filled, own_prompt
from lookahead.domains.reading import ANSWER, MARKER, answer, cleaned
from lookahead.domains.results import structured
from lookahead.domains.shielding import sendable, shielded, unshielded
from lookahead.domains.tools import tool_definitions
from lookahead.domains.turns import ACTION, PHONE, STATE, TAIL, TASK
from lookahead.errors import Unreadable
from lookahead.types import Action, Message, Observation, Origin, State, Step, Tool

Meaning: TypeAlias = tuple[str, bool]
"""What the tool would have returned, and whether that is a failure."""

ASKED: Final = (
    f"{TAIL} and give the observation, whole and with nothing beside it, strictly inside <{ANSWER}></{ANSWER}> tags."
)
"""What the last user message ends with. It holds no backticks, or a block could not be told from it.

It is short because each candidate pays for it anew; what an answer has to be is said once, in the system prompt.
"""


def plain(text: str, state: State, action: Action) -> Meaning:
    """As it was said; a failure where it has the form of one."""
    return text, call_failed(text)


@dataclass(frozen=True, kw_only=True)
class Domain:
    """One kind of world: its system prompt, how it writes actions, and how it reads answers.

    Only a name is needed; what is left out is what suits tools that are called by name and return text. One file makes
    a domain of one's own:

        from lookahead.domains import Domain, register

        CELLS = Domain(
            name="spreadsheet",
            template="You simulate a spreadsheet.\\n\\n{tool_definitions}\\n{demonstrations}",
            claims=lambda tool: tool.name.startswith("cell_"),
        )
        register(CELLS)

    or, in a package of one's own, an entry point in the group `lookahead.domains` that names `CELLS`.
    """

    name: str
    template: str | None = None
    """The system prompt, with `{tool_definitions}` and `{demonstrations}` where they belong. None: our own."""
    block: Callable[[Action], str] = call_block
    """The action as a fenced block."""
    meaning: Callable[[str, State, Action], Meaning] = plain
    """What an answer says, once its tags and its marker are off."""
    claims: Callable[[Tool], bool] | None = None
    """Whether a tool is of this kind. Asked before the domains that come with Lookahead."""
    tasked: bool = False
    """Whether the first turn says what the task is."""
    restated: bool = False
    """Whether each action has the state before it; else only the first one has."""
    screens: bool = False
    """Whether each answer is the whole state: then it cannot be empty, and no change is the same state again."""

    def system(self, state: State, *, demonstrations: Sequence[Step] = (), instruction: str = "") -> str:
        """The whole system prompt. It is the same at each step as long as tools and demonstrations are."""
        template = own_prompt(self.name) if self.template is None else self.template
        shown = [
            f"### Turn 1\n{ACTION}\n{self.block(step.action)}\n{MARKER}\n{said(step.observation)}"
            for step in demonstrations
        ]
        tools = tool_definitions(state.tools)
        return shielded(filled(template, tools=tools, demonstrations=shown, instruction=instruction))

    def turn(self, state: State, step_index: int, action: Action) -> str:
        """The user message of one turn. The state is what was there before the steps from `step_index` on."""
        text = f"### Turn {step_index + 1}\n{self._before(state, step_index)}{ACTION}\n{self.block(action)}"
        return shielded(text)

    def asked(self, state: State, action: Action) -> str:
        """The user message that asks for a prediction: the turn to the byte, and what is asked behind it."""
        return self.turn(state, len(state.steps), action) + ASKED

    def observation(self, observation: Observation) -> str:
        """The assistant message of a past turn."""
        return shielded(f"{MARKER}\n{said(observation)}", answer=True)

    def foretold(self, observation: Observation) -> str:
        """An answer as the model gave it."""
        return f"<{ANSWER}>\n{shielded(said(observation), answer=True)}\n</{ANSWER}>"

    def read(self, text: str, state: State, action: Action) -> Observation:
        """What the model says the world would answer. The caller fills in which world it was."""
        content = self._said(text)
        if self.screens:
            content = self._screen(content, state)
        content, failed = self.meaning(content, state, action)
        return Observation(
            content=content,
            structured=None if failed else structured(content, state.tool(action.tool)),
            failed=failed,
            origin=Origin(kind="model", world=""),
        )

    def _before(self, state: State, index: int) -> str:
        sections = ""
        first = next(_shown(state, index), None) is None
        if first and self.tasked and state.goal:
            sections = f"{TASK}\n{state.goal}\n\n"
        there = state.situation if first else ""
        if self.restated and not first:
            there = self._state_before(state, index)
        if not there:
            return sections
        return f"{sections}{there}\n\n" if there.startswith(PHONE) else f"{sections}{STATE}\n{there}\n\n"

    def _state_before(self, state: State, index: int) -> str:
        """The last whole state that an answer told; a step that failed told none."""
        steps = (state.steps[number] for number in range(index - 1, -1, -1))
        known = (said(step.observation) for step in steps if _happened(step) and not step.observation.failed)
        return next((text for text in known if text.strip()), state.situation)

    def _said(self, text: str) -> str:
        found = answer(text)
        marked = found.text.startswith(MARKER)
        content = sendable(unshielded(cleaned(found.text)))
        if not found.text and not found.tagged:
            raise Unreadable(
                "the model answered nothing but thinking, or nothing at all: raise the limit of tokens (with thinking, "
                "a prediction may need 32,768), or turn thinking off"
            )
        if not found.tagged and not marked:
            raise Unreadable(
                f"the model answered in prose, without <{ANSWER}> tags, so it may be no world model: serve one with "
                "`lookahead serve`, or name an endpoint's model that keeps to the format"
            )
        return content

    def _screen(self, content: str, state: State) -> str:
        if content.strip(" .()[]*").lower() in _UNCHANGED:
            content = self._state_before(state, len(state.steps))
        if not content.strip():
            raise Unreadable(
                f"the model answered an empty state, which no {self.name} world has: ask again, or give the state "
                "before the first step (`State.situation`), from which the next one follows"
            )
        return content


_UNCHANGED: Final = frozenset(
    ("no change", "no changes", "unchanged", "no visible change", "no visible effect", "state unchanged", "no effect")
)


def said(observation: Observation) -> str:
    """An observation as text."""
    if observation.content or observation.structured is None:
        return observation.content
    return one_line(observation.structured)


def _happened(step: Step) -> bool:
    """A call that the guard refused never reached the world, so the world model does not hear of it."""
    return step.observation.origin.kind != "guard"


def _shown(state: State, end: int) -> Iterator[int]:
    return (number for number in range(min(end, len(state.steps))) if _happened(state.steps[number]))


def messages(
    domain: Domain,
    state: State,
    action: Action,
    *,
    demonstrations: Sequence[Step] = (),
    instruction: str = "",
) -> tuple[Message, ...]:
    """The whole chat. It only grows at the end: the next step's repeats this one's, up to the end of the last block."""
    chat: list[Message] = []
    system = domain.system(state, demonstrations=demonstrations, instruction=instruction)
    if system:
        chat.append(Message(role="system", content=system))
    for number in _shown(state, len(state.steps)):
        step = state.steps[number]
        chat.append(Message(role="user", content=domain.turn(state, number, step.action)))
        chat.append(Message(role="assistant", content=domain.observation(step.observation)))
    chat.append(Message(role="user", content=domain.asked(state, action)))
    return tuple(chat)


def prompted(domain: Domain, prompts: Mapping[str, str]) -> Domain:
    """The same domain with other prompts, such as `load_prompts` gives. Tools of no kind are told as MCP's are."""
    template = prompts.get(domain.name) or (prompts.get("mcp") if domain.name == "generic" else None)
    return domain if template is None else replace(domain, template=template)
