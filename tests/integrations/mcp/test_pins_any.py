"""Whatever a tool says of itself: the same is the same, and anything else is not."""

import json
import random
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lookahead_integrations.mcp.pins.definition import PARTS, Definition, Seen, changed, difference
from lookahead_integrations.mcp.pins.hints import hints
from lookahead_integrations.mcp.pins.judge import Listed, judged
from lookahead_integrations.mcp.pins.store import Upstream

NAMES = st.text(min_size=1, max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
TOOLS = st.fixed_dictionaries({"name": NAMES, **dict.fromkeys(PARTS, VALUES)}).map(
    lambda tool: {key: value for key, value in tool.items() if value is not None}
)
LATEST = "2026-07-28"


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same JSON, its keys in another order."""
    if isinstance(value, dict):
        items = list(value.items())
        chance.shuffle(items)
        return {key: shuffled(item, chance) for key, item in items}
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


def first_sight(*tools: Any) -> Upstream:
    listed = Listed(tools=tools, complete=True, version=LATEST)
    return judged(None, "server", listed, now="then").upstream


@given(TOOLS, st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_the_same_tool_is_never_held_back(tool: Any, chance: random.Random) -> None:
    again = json.loads(json.dumps(shuffled(tool, chance)))
    known = first_sight(tool)
    made = judged(known, "server", Listed(tools=[again], complete=True, version=LATEST), now="now")
    assert (made.withheld, made.unreadable, made.said) == ({}, [], [])
    assert made.upstream == known


@given(TOOLS, st.sampled_from(PARTS), VALUES)
@settings(max_examples=120)
def test_a_tool_that_says_anything_else_is_always_held_back(tool: Any, part: Any, value: Any) -> None:
    assume(value is not None)
    assume(repr(tool.get(part)) != repr(value))
    other = {**tool, part: value}
    assume(Definition.read(other).digest != Definition.read(tool).digest)
    made = judged(first_sight(tool), "server", Listed(tools=[other], complete=True, version=LATEST), now="now")
    assert list(made.withheld) == [tool["name"]]
    assert made.withheld[tool["name"]].why == "changed"
    assert made.upstream.tools == first_sight(tool).tools
    assert made.upstream.waiting[tool["name"]].seen.sound
    assert difference(Definition.read(tool), Definition.read(other))


@given(TOOLS)
@settings(max_examples=60)
def test_what_is_kept_is_what_was_seen(tool: Any) -> None:
    seen = Seen.of(Definition.read(tool))
    again = Seen.model_validate(json.loads(seen.model_dump_json()))
    assert again == seen
    assert again.sound
    assert changed(again, Definition.read(tool), seen_in=LATEST) == ()


@given(VALUES)
@settings(max_examples=80)
def test_every_finding_can_be_shown(value: Any) -> None:
    assert all(hint.line.isprintable() for hint in hints(value))


@given(st.lists(st.none() | VALUES | TOOLS, max_size=5))
@settings(max_examples=60)
def test_no_list_makes_it_stumble(tools: list[Any]) -> None:
    made = judged(first_sight(), "server", Listed(tools=tools, complete=True, version=LATEST), now="now")
    named = [tool["name"] for tool in tools if isinstance(tool, dict) and isinstance(tool.get("name"), str)]
    assert made.fine | made.withheld.keys() <= {*named}
    assert all(said.isprintable() for said in made.said)
