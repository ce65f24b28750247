import json
import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lookahead.canonical import canonical, digest_of
from lookahead.types import (
    GUARD,
    REAL,
    Action,
    Cost,
    Effect,
    Hazard,
    Kind,
    Noun,
    Observation,
    Origin,
    Rollout,
    State,
    Step,
    Tool,
    Verdict,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
TOOLS = (
    Tool(name="look", effect="reads"),
    Tool(name="poke", effect="changes"),
    Tool(name="wipe", effect="destroys"),
    Tool(name="odd"),
)
LOOK, POKE = Action(tool="look"), Action(tool="poke", arguments={"n": 1})
SAID = Observation(content="ok")


def act(value: object) -> Action:
    return Action.model_validate({"tool": "t", "arguments": {"value": value}})


# One spelling for one call


def test_the_order_of_keys_makes_no_difference():
    one = Action(tool="t", arguments={"a": 1, "b": {"c": 2, "d": 3}})
    other = Action(tool="t", arguments={"b": {"d": 3, "c": 2}, "a": 1})
    assert one.digest == other.digest


def test_the_order_of_a_list_makes_a_difference():
    assert act([1, 2]).digest != act([2, 1]).digest


VALUES = [1, 1.0, True, "1", 0, False, None, "", -0.0, 0.0, [], {}, [1], {"1": 1}, "true", "null", 10**30, 1e30]


def test_values_that_python_calls_equal_are_still_different_arguments():
    digests = {act(value).digest for value in VALUES}
    assert len(digests) == len(VALUES)


@pytest.mark.parametrize(("composed", "decomposed"), [("é", "e\u0301"), ("Å", "A\u030a"), ("ﬁ", "fi"), ("K", "\u212a")])
def test_two_unicode_forms_of_one_word_are_two_different_arguments(composed: str, decomposed: str):
    assert act(composed).digest != act(decomposed).digest
    assert Action(tool=composed).digest != Action(tool=decomposed).digest


def test_a_lone_surrogate_has_a_digest_of_its_own():
    digests = {act(text).digest for text in ("\ud800", "\udfff", "\\ud800", "?", "\ufffd")}
    assert len(digests) == 5


def test_canonical_is_the_plainest_json_there_is():
    assert canonical({"b": [1, 1.5, True, None], "a": "é\u2028"}) == '{"a":"\\u00e9\\u2028","b":[1,1.5,true,null]}'


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_canonical_knows_no_nan_and_no_infinity(value: float):
    with pytest.raises(ValueError, match="Out of range float"):
        canonical({"a": [value]})


@settings(deadline=None)
@given(JSON)
def test_canonical_says_the_same_after_a_trip_through_json(value: object):
    assert canonical(json.loads(canonical(value))) == canonical(value)


@settings(deadline=None)
@given(JSON, JSON)
def test_two_arguments_share_a_digest_only_when_they_share_their_spelling(one: object, other: object):
    assert (act(one).digest == act(other).digest) == (canonical(one) == canonical(other))


def test_a_tool_and_its_arguments_cannot_borrow_letters_from_each_other():
    assert digest_of("ab", "c") != digest_of("a", "bc") != digest_of("abc")
    assert digest_of("a", "") != digest_of("a")


def test_a_digest_is_a_sha256_in_hex_and_never_changes_between_releases():
    # Approvals and journals on disk hold digests: another spelling would orphan them.
    assert digest_of() == "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
    # sha256 of '["t","{\"value\":1}"]'
    assert act(1).digest == "272197ba57f33e5948cd4ef339cf3d62c765b4dfd65b16b00588b9ae8f8f1ed0"


def test_another_tool_with_the_same_arguments_is_another_action():
    assert Action(tool="a", arguments={"x": 1}).digest != Action(tool="b", arguments={"x": 1}).digest


def test_the_name_that_the_agent_gave_a_call_is_no_part_of_what_the_call_does():
    assert Action(tool="t", call_id="1").digest == Action(tool="t", call_id="2").digest


def test_arguments_that_were_altered_after_the_fact_are_another_call():
    action = Action(tool="t", arguments={"path": "a", "more": {"deep": [1]}})
    judged = action.digest
    deep = action.arguments["more"]
    assert isinstance(deep, dict)
    deep["deep"] = [2]
    assert action.digest != judged
    deep["deep"] = [1]
    assert action.digest == judged
    action.arguments["path"] = "b"
    assert action.digest != judged


def test_an_action_does_not_follow_the_dictionary_it_was_made_from():
    given_: dict[str, object] = {"paths": ["a"], "inner": {"x": 1}}
    action = Action.model_validate({"tool": "t", "arguments": given_})
    judged = action.digest
    given_["new"] = 1
    given_["paths"].append("b")  # type: ignore[attr-defined]
    given_["inner"]["x"] = 2  # type: ignore[index]
    assert action.digest == judged
    assert action.arguments == {"paths": ["a"], "inner": {"x": 1}}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, [math.nan], {"a": {"b": [1, math.inf]}}])
def test_no_action_holds_nan_or_infinity_however_deep(value: object):
    with pytest.raises(ValidationError, match="NaN and infinity are not JSON"):
        act(value)


@pytest.mark.parametrize("value", [object(), b"x", {1: 2}, 1j, {1}])
def test_no_action_holds_what_is_not_json(value: object):
    with pytest.raises(ValidationError):
        act(value)


def test_an_action_names_a_tool():
    with pytest.raises(ValidationError):
        Action(tool="")
    with pytest.raises(ValidationError):
        Tool(name="")


# Arguments as a model wrote them


def test_arguments_are_read_as_a_model_wrote_them():
    action = Action.parse("t", '{"a": [1, 1.0, true, null, "\\u00e9"]}', call_id="c7")
    assert action == Action(tool="t", arguments={"a": [1, 1.0, True, None, "é"]}, call_id="c7")


def test_no_text_means_no_arguments():
    assert Action.parse("t", "") == Action(tool="t")


@pytest.mark.parametrize(
    "text",
    [
        '{"path": "safe", "path": "/"}',
        '{"path": "safe", "p\\u0061th": "/"}',
        '{"outer": [{"path": "safe", "path": "safe"}]}',
    ],
)
def test_a_key_that_occurs_twice_is_refused_however_it_is_spelled(text: str):
    with pytest.raises(ValueError, match="'path' occurs twice: what was judged might not be what runs"):
        Action.parse("t", text)


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": [Infinity]}', '{"a": -Infinity}'])
def test_constants_that_json_does_not_know_are_refused(text: str):
    with pytest.raises(ValueError, match="is not JSON"):
        Action.parse("t", text)


def test_a_number_too_large_for_a_float_is_refused():
    with pytest.raises(ValueError, match="NaN and infinity are not JSON"):
        Action.parse("t", '{"a": 1e999}')


@pytest.mark.parametrize("text", ["[]", "null", "1", '"a"', "[[1]]"])
def test_arguments_that_are_no_object_are_refused(text: str):
    with pytest.raises(ValueError, match="the arguments of 't' are not a JSON object"):
        Action.parse("t", text)


@pytest.mark.parametrize("text", ["{", "{'a': 1}", '{"a": 1,}', '{"a": 1} {"b": 2}', " x", "{a: 1}"])
def test_text_that_is_not_json_is_refused(text: str):
    with pytest.raises(ValueError, match=r"."):
        Action.parse("t", text)


# A tool


CHANGES: list[Callable[[], Tool]] = [
    lambda: Tool(name="u", description="d", parameters={"a": 1}, result={"b": 1}, effect="reads"),
    lambda: Tool(name="t", description="e", parameters={"a": 1}, result={"b": 1}, effect="reads"),
    lambda: Tool(name="t", description="d", parameters={"a": 2}, result={"b": 1}, effect="reads"),
    lambda: Tool(name="t", description="d", parameters={"a": 1}, result={"b": 2}, effect="reads"),
    lambda: Tool(name="t", description="d", parameters={"a": 1}, result=None, effect="reads"),
    lambda: Tool(name="t", description="d", parameters={"a": 1}, result={"b": 1}, effect="changes"),
]


@pytest.mark.parametrize("changed", CHANGES)
def test_a_tool_that_changed_its_meaning_is_another_tool(changed: Callable[[], Tool]):
    tool = Tool(name="t", description="d", parameters={"a": 1}, result={"b": 1}, effect="reads")
    assert tool.digest == Tool.model_validate_json(tool.model_dump_json()).digest
    assert changed().digest != tool.digest


def test_a_tool_that_says_nothing_of_itself_is_unknown():
    assert Tool(name="t").effect == "unknown"


def test_a_copy_with_another_effect_has_another_digest():
    tool = Tool(name="t")
    before = tool.digest
    assert tool.model_copy(update={"effect": "reads"}).digest == Tool(name="t", effect="reads").digest != before


def test_a_copy_of_a_state_with_another_goal_has_another_digest():
    state = State(goal="a", tools=TOOLS)
    before = state.digest
    assert state.model_copy(update={"goal": "b"}).digest == State(goal="b", tools=TOOLS).digest != before


# Nouns are frozen and closed


@pytest.mark.parametrize(
    "noun",
    [
        Tool(name="t"),
        Action(tool="t"),
        Effect(happened="deleted", target="x"),
        Cost(),
        REAL,
        SAID,
        Step(action=LOOK, observation=SAID),
        State(),
        Rollout(action=LOOK),
        Hazard(rule="r", what="w", why="y", severity="note"),
        Verdict(score=0.5),
    ],
    ids=lambda noun: type(noun).__name__,
)
def test_a_noun_is_frozen_closed_and_the_same_after_json(noun: Noun):
    again = type(noun).model_validate_json(noun.model_dump_json())
    assert again == noun
    with pytest.raises(ValidationError, match="frozen"):
        setattr(noun, next(iter(type(noun).model_fields)), "x")
    with pytest.raises(ValidationError, match="Extra inputs"):
        type(noun).model_validate({**noun.model_dump(), "surprise": 1})


# What is imagined


IMAGINED: list[tuple[Kind, bool]] = [
    ("real", False),
    ("guard", False),
    ("exact", True),
    ("recorded", True),
    ("model", True),
]


@pytest.mark.parametrize(("kind", "imagined"), IMAGINED)
def test_an_observation_is_imagined_exactly_when_it_did_not_happen(kind: Kind, imagined: bool):
    assert Observation(origin=Origin(kind=kind, world="w")).imagined is imagined


def test_an_observation_is_real_unless_it_says_otherwise():
    assert Observation().origin == REAL == Origin(kind="real", world="real")
    assert Origin(kind="guard", world="guard") == GUARD


@pytest.mark.parametrize("confidence", [-0.01, 1.01])
def test_confidence_is_a_share(confidence: float):
    with pytest.raises(ValidationError):
        Origin(kind="model", world="w", confidence=confidence)


def test_costs_add_up():
    total = Cost(calls=1, tokens=20, seconds=0.5) + Cost(calls=2, tokens=3, seconds=0.25)
    assert total == Cost(calls=3, tokens=23, seconds=0.75)


def test_a_rollout_has_the_effects_of_all_its_steps_in_their_order():
    first, second = (Effect(happened="deleted", target=name) for name in "ab")
    steps = [
        Step(action=POKE, observation=Observation(effects=effects)) for effects in ((first,), None, (), (second, first))
    ]
    assert Rollout(action=POKE, steps=tuple(steps)).effects == (first, second, first)
    assert Rollout(action=POKE).effects == ()


def hazard(severity: str, rule: str = "r") -> Hazard:
    return Hazard.model_validate({"rule": rule, "what": "w", "why": "y", "severity": severity})


def test_the_worst_hazard_is_the_most_severe_and_the_first_of_equals():
    hazards = (hazard("note"), hazard("danger", "first"), hazard("caution"), hazard("danger", "second"))
    worst = Verdict(score=1, hazards=hazards).worst
    assert worst is not None
    assert worst.rule == "first"
    assert Verdict(score=1, hazards=(hazard("note"), hazard("caution", "c"))).worst == hazard("caution", "c")
    assert Verdict(score=1).worst is None


@pytest.mark.parametrize("score", [-0.1, 1.1])
def test_a_score_lies_between_nothing_and_one(score: float):
    with pytest.raises(ValidationError):
        Verdict(score=score)


# A state names what has been done so far


STATE = State(goal="tidy", tools=TOOLS)


def test_a_state_grows_only_at_the_end():
    state = STATE.then(POKE, SAID).then(LOOK, SAID)
    assert [step.action for step in state.steps] == [POKE, LOOK]
    assert (state.goal, state.tools) == (STATE.goal, STATE.tools)
    assert STATE.steps == ()


def test_reading_leaves_the_digest_alone():
    assert STATE.then(LOOK, SAID).digest == STATE.digest
    assert STATE.then(POKE, SAID).then(LOOK, Observation(content="anything")).digest == STATE.then(POKE, SAID).digest


@pytest.mark.parametrize("tool", ["poke", "wipe", "odd", "not one of the agent's"])
def test_everything_that_does_not_surely_read_changes_the_digest(tool: str):
    assert STATE.then(Action(tool=tool), SAID).digest != STATE.digest


def test_the_digest_holds_what_was_done_what_came_back_and_in_which_order():
    other_action = Action(tool="poke", arguments={"n": 2})
    digests = {
        STATE.digest,
        STATE.then(POKE, SAID).digest,
        STATE.then(other_action, SAID).digest,
        STATE.then(POKE, Observation(content="other")).digest,
        STATE.then(POKE, Observation(content="ok", failed=True)).digest,
        STATE.then(POKE, Observation(content="ok", structured=1)).digest,
        STATE.then(POKE, SAID).then(other_action, SAID).digest,
        STATE.then(other_action, SAID).then(POKE, SAID).digest,
    }
    assert len(digests) == 8


def test_where_an_answer_came_from_does_not_change_which_state_it_leads_to():
    imagined = Observation(content="ok", origin=Origin(kind="exact", world="w"), cost=Cost(calls=3), effects=())
    assert STATE.then(POKE, imagined).digest == STATE.then(POKE, SAID).digest


def test_goal_tools_domain_and_situation_are_part_of_the_digest():
    states = [
        STATE,
        State(goal="other", tools=TOOLS),
        State(goal="tidy", tools=TOOLS[:-1]),
        State(goal="tidy", tools=(*TOOLS[:-1], Tool(name="odd", effect="changes"))),
        State(goal="tidy", tools=TOOLS, domain="web"),
        State(goal="tidy", tools=TOOLS, situation="web"),
    ]
    assert len({state.digest for state in states}) == len(states)


ACTIONS = st.sampled_from([LOOK, POKE, Action(tool="wipe"), Action(tool="poke", arguments={"n": 2})])
HISTORY = st.lists(st.tuples(ACTIONS, st.sampled_from([SAID, Observation(content="b", structured={"x": 1})])))


@settings(deadline=None)
@given(HISTORY, st.integers(1, 4))
def test_a_shortened_history_is_still_this_history(history: list[tuple[Action, Observation]], keep: int):
    whole = short = STATE
    for action, said in history:
        whole, short = whole.then(action, said), short.then(action, said, keep=keep)
        # Before and after somebody asked: what is known in constant time is what is computed in linear time.
        assert State.model_validate_json(short.model_dump_json()).digest == whole.digest == short.digest
        assert short.steps == whole.steps[-keep:]
    assert State.model_validate_json(whole.model_dump_json()).digest == whole.digest


def test_a_history_shortened_twice_remembers_both_times():
    steps = [Action(tool="poke", arguments={"n": n}) for n in range(4)]
    state = STATE
    for action in steps:
        state = state.then(action, SAID, keep=2)
    assert [step.action for step in state.steps] == steps[2:]
    again = State.model_validate_json(state.model_dump_json())
    assert again.forgotten == state.forgotten == STATE.then(steps[0], SAID).then(steps[1], SAID).digest


def test_a_history_that_is_short_enough_is_not_shortened():
    state = STATE.then(POKE, SAID, keep=2).then(POKE, SAID, keep=2)
    assert (len(state.steps), state.forgotten) == (2, "")


def test_a_state_may_keep_nothing_of_its_history():
    state = STATE.then(POKE, SAID).then(POKE, SAID, keep=0)
    assert state.steps == ()
    assert state.digest == STATE.then(POKE, SAID).then(POKE, SAID).digest


def test_an_answer_that_holds_nan_still_leads_to_a_state():
    # A tool may return whatever it likes: what has happened must not be lost because it cannot be spelled.
    state = STATE.then(POKE, Observation(structured=[math.nan]))
    assert state.digest != STATE.digest


def test_a_state_finds_its_tools_by_name():
    assert STATE.tool("poke") == TOOLS[1]
    assert STATE.tool("nothing") is None


def test_a_state_with_an_answer_that_holds_nan_is_the_same_after_json():
    state = STATE.then(POKE, Observation(structured=[math.nan]))
    assert State.model_validate_json(state.model_dump_json()).digest == state.digest
