"""What a framework cannot do is refused when an agent is wrapped, and so is a tool that nobody can see."""

from typing import Any

import pytest

from lookahead.errors import ConfigError
from lookahead.host import Host, ToolPath, check_paths
from lookahead.policy import Policy


class Agent:
    """Stands for a framework's agent."""


def host(**changes: Any) -> Host:
    root = Agent.__module__.split(".")[0]
    given: dict[str, Any] = {
        "name": "Nimbus",
        "package": "nimbus",
        "tested": "1.0",
        "extra": "nimbus",
        "point": "its tools",
        "root": root,
        "kinds": ("Agent",),
        "load": "no_such_module_anywhere:wrap",
    }
    return Host(**(given | changes))


def test_an_agent_is_known_by_its_class_or_a_parent_of_it_and_by_the_package_that_it_comes_from():
    class Own(Agent): ...

    assert host().accepts(Own())
    assert not host(kinds=("Other",)).accepts(Own())
    assert not host(root="elsewhere").accepts(Own())


@pytest.mark.parametrize(
    ("ability", "wanted"),
    [
        ("swap", {"mode": "guard", "policy": Policy(swap=True), "rivals": False}),
        ("rivals", {"mode": "guard", "policy": Policy(), "rivals": True}),
        ("dry-run", {"mode": "dry-run", "policy": Policy(), "rivals": False}),
        ("shadow", {"mode": "shadow", "policy": Policy(), "rivals": False}),
    ],
)
def test_what_is_wanted_and_cannot_be_done_is_refused_with_the_reason(ability: Any, wanted: Any):
    host().check(**wanted)
    with pytest.raises(ConfigError, match=r"Nimbus cannot .*: it has no place for it; use another"):
        host(cannot={ability: "it has no place for it; use another"}).check(**wanted)


def test_a_framework_that_is_missing_is_named_with_the_line_that_installs_it():
    class Options:
        mode = "guard"
        policy = Policy()
        search = None

    with pytest.raises(ConfigError, match=r"pip install 'lookahead-agents\[nimbus\]'"):
        host().wrap(Agent(), Options())


def test_a_path_that_nobody_can_look_into_is_an_error_unless_the_user_knows_of_it():
    paths = [ToolPath(tool="read"), ToolPath(tool="pay", how="opaque", where="node bill", why="a plain function")]
    with pytest.raises(ConfigError, match=r"pay at node bill: opaque \(a plain function\)"):
        check_paths("Nimbus", paths, Policy())
    check_paths("Nimbus", paths, Policy(opaque="allow"))
    check_paths("Nimbus", [ToolPath(tool="pay", how="blocked")], Policy())
