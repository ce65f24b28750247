"""Code agents: the code reaches guarded tools, and what else it could reach is said."""

import time
from collections.abc import Callable
from typing import Any

import pytest

smolagents = pytest.importorskip("smolagents")

from lookahead import with_lookahead  # noqa: E402
from lookahead.errors import ConfigError  # noqa: E402
from lookahead.journal import Journal  # noqa: E402
from lookahead.testing import ScriptedCopy, ScriptedCritic, ScriptedProposer, call  # noqa: E402
from lookahead.types import Hazard, Observation  # noqa: E402

Says = Callable[..., Any]
DANGER = Hazard(rule="files.lost", what="it loses files", why="they are gone", severity="danger", predicted=True)


def coding(tools: Any, model: Any, **more: Any) -> Any:
    return smolagents.CodeAgent(tools=list(tools.values()), model=model, verbosity_level=0, **more)


def guarded(agent: Any, **more: Any) -> Any:
    return with_lookahead(agent, **{"world": "none", "journal": Journal(":memory:"), **more})


def code(text: str) -> str:
    return f"<code>\n{text}\n</code>"


def errors(agent: Any) -> str:
    return "\n".join(str(step.error) for step in agent.memory.steps if getattr(step, "error", None))


def test_a_refusal_stops_the_code_and_the_agent_writes_other_code(real: Any, tools: Any, says: Says) -> None:
    model = says(code("write('/')\nlook('never reached')"), code("final_answer(look('instead'))"))
    wrapped = guarded(coding(tools, model), policy={"write": "deny"})
    assert "nothing at instead" in wrapped.run("tidy")
    assert real.done == [("look", "instead")]
    assert "Not done: write" in errors(wrapped)


def test_by_place_and_by_name_and_by_default_are_one_call(real: Any, tools: Any, says: Says) -> None:
    deny = {"write": {"when": [{"argument": "hard", "equals": False, "rule": "deny"}]}}
    for text in ("write('/')", "write(path='/')", "write({'path': '/'})", "write('/', False)"):
        wrapped = guarded(coding(tools, says(code(text), code("final_answer(1)"))), policy=deny)
        wrapped.run("tidy")
        assert "Not done" in errors(wrapped), text
    assert real.done == []
    guarded(coding(tools, says(code("write('/', True)"), code("final_answer(1)"))), policy=deny).run("tidy")
    assert real.done == [("write", "/")]


def test_the_real_tool_cannot_be_had_from_the_one_that_the_code_sees(real: Any, tools: Any, says: Says) -> None:
    tries = ("write.forward.__closure__", "write.__class__.forward", "write.real('/')", "write.tool('/')", "write.hand")
    turns = [code(text) for text in tries]
    wrapped = guarded(coding(tools, says(*turns, code("final_answer(1)"))), policy={"write": "deny"})
    wrapped.run("tidy")
    assert real.done == []
    assert len([step for step in wrapped.memory.steps if getattr(step, "error", None)]) == len(tries)


def test_imports_that_can_do_things_without_a_tool_are_opaque(tools: Any, says: Says) -> None:
    agent = coding(tools, says(), additional_authorized_imports=["json", "subprocess"])
    with pytest.raises(ConfigError, match="import subprocess"):
        guarded(agent)
    wrapped = guarded(agent, policy={"opaque": "allow"})
    assert [path.tool for path in wrapped.lookahead.coverage if path.how == "opaque"] == ["import subprocess"]
    with pytest.raises(ConfigError, match="dry run"):
        guarded(agent, policy={"opaque": "allow"}, mode="dry-run")
    with pytest.raises(ConfigError, match="any module"):
        guarded(coding(tools, says(), additional_authorized_imports=["*"]))


def test_the_code_itself_is_named_in_the_coverage(tools: Any, says: Says) -> None:
    paths = guarded(coding(tools, says(), additional_authorized_imports=["json"])).lookahead.coverage
    assert [path.how for path in paths if path.tool == "python code itself"] == ["blocked"]


def test_tools_in_an_executor_elsewhere_are_opaque(tools: Any, says: Says) -> None:
    from smolagents.local_python_executor import PythonExecutor

    class Remote(PythonExecutor):
        def send_tools(self, tools: Any) -> None: ...
        def send_variables(self, variables: Any) -> None: ...
        def __call__(self, code_action: str) -> Any: ...

    with pytest.raises(ConfigError, match="inside of Remote"):
        guarded(coding(tools, says(), executor=Remote()))


def test_functions_of_the_executor_are_guarded_too(real: Any, tools: Any, says: Says) -> None:
    def erase(path: str) -> str:
        real.done.append(("erase", path))
        return "erased"

    kwargs = {"additional_functions": {"erase": erase}}
    wrapped = guarded(
        coding(tools, says(code("erase('/')"), code("final_answer(1)")), executor_kwargs=kwargs),
        policy={"erase": "deny"},
    )
    wrapped.run("tidy")
    assert real.done == []
    assert "Not done: erase" in errors(wrapped)


def test_a_function_that_comes_in_as_a_variable_is_blocked(real: Any, tools: Any, says: Says) -> None:
    def sneak(path: str) -> None:
        real.done.append(("sneak", path))

    wrapped = guarded(coding(tools, says(code("sneak('/')"), code("final_answer(number + 1)"))))
    assert wrapped.run("tidy", additional_args={"sneak": sneak, "number": 1}) == 2
    assert real.done == []
    assert "give it to the agent as a tool" in errors(wrapped)


def test_waiting_for_the_line_is_not_the_codes_own_time(real: Any, tools: Any, says: Says) -> None:
    """And code whose time is over does nothing any more, whatever it still waits for."""

    async def slow(state: Any, action: Any) -> Observation:
        import anyio

        await anyio.sleep(0.5)
        return Observation(content="fine")

    quick = {"timeout_seconds": 0.3}
    wrapped = guarded(coding(tools, says(code("final_answer(write('a'))")), executor_kwargs=quick), world=slow)
    assert wrapped.run("tidy") == "wrote a"
    real.done.clear()
    late = "n = 0\nwhile n < 150000:\n    n += 1\nwrite('b')"
    wrapped = guarded(coding(tools, says(code(late), code("final_answer(1)")), executor_kwargs=quick))
    began = time.monotonic()
    wrapped.run("tidy")
    assert real.done == []
    assert "maximum execution time" in errors(wrapped)
    assert time.monotonic() - began < 60


def test_after_a_swap_the_code_does_not_go_on_with_the_answer_to_another_question(
    real: Any, tools: Any, says: Says
) -> None:
    from lookahead.search import BestOf

    wrapped = guarded(
        coding(tools, says(code("write('/')\nlook('not reached')"), code("final_answer(1)"))),
        world=ScriptedCopy(script={"*": "fine"}),
        critic=ScriptedCritic(script={"write": DANGER, "look": 0.9}),
        search=BestOf(k=2, propose=ScriptedProposer([call("look", place="first")])),
        policy={"swap": True},
    )
    wrapped.run("tidy")
    assert real.done == [("look", "first")]
    assert "instead of write" in errors(wrapped)


def test_two_runs_of_a_wrapped_agent_are_two_conversations(real: Any, tools: Any, says: Says) -> None:
    wrapped = guarded(coding(tools, says(*[code("final_answer(look('x'))")] * 3)))
    runs = []
    for reset in (True, False, True):
        wrapped.run("look", reset=reset)
        conversations = wrapped.lookahead._conversations
        runs.append([len(one.state.steps) for one in conversations.values()])
    assert runs == [[1], [2], [2, 1]]
