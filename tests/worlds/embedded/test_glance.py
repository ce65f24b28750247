"""What the model reads of a scene does not hang on what is in its files."""

import anyio
import pytest

from lookahead.testing import call
from lookahead.types import State, Tool
from lookahead.worlds.embedded import EmbeddedWorld, Scene
from lookahead.worlds.embedded.glance import LETTERS, glanced
from lookahead.worlds.embedded.scene import ASIDE, Kind

STATE = State(tools=(Tool(name="bash"),))
CODE = "".join(
    f"def step_{number}(x: int) -> int:\n    return {{'a': [x ** {number}]}}['a'][0]  # ü\n" for number in range(99)
)


@pytest.mark.parametrize("kind", ["shell", "files"])
def test_names_are_read_whole_and_files_by_how_they_begin(kind: Kind) -> None:
    facts = {
        "a.py": f"={CODE}",
        "run": ":755=one\ntwo",
        "none": "=",
        "d/": "",
        "l": ">a.py",
        f"{ASIDE}log": "first\nsecond\n",
    }
    seen = glanced(Scene(kind=kind, root="/r", facts=facts)).facts
    assert list(seen) == list(facts)
    assert seen["a.py"] == f"={CODE.splitlines()[0][:LETTERS]}\n"
    assert (seen["run"], seen["none"], seen["d/"], seen["l"]) == (":755=one", "=", "", ">a.py")
    assert seen[f"{ASIDE}log"] == "first\nsecond\n"


def test_a_table_is_read_whole() -> None:
    scene = Scene(kind="keys", facts={"a": "x" * 99})
    assert glanced(scene) == scene


@pytest.mark.anyio
async def test_real_programs_in_the_files_do_not_disturb_what_is_foretold() -> None:
    scene = Scene(kind="shell", root="/r", facts={"tool.py": f"={CODE}", "box/": "", "b.txt": "=pear\n"})
    world = EmbeddedWorld(scene)
    wanted = {
        "wc -l tool.py": "198 tool.py",
        "head -n 1 tool.py": CODE.splitlines()[0],
        "mv box box/in": "mv: cannot move 'box' to a subdirectory of itself, 'box/in'",
        "ls": "b.txt\nbox\ntool.py",
        "grep -c return tool.py": "99",
    }
    for line, answer in wanted.items():
        with anyio.fail_after(30):
            assert (await world(STATE, call("bash", command=line))).content == answer
    moved = await world(STATE, call("bash", command="mv tool.py box"))
    assert [(one.happened, one.target) for one in moved.effects or ()] == [
        ("deleted", "tool.py"),
        ("created", "box/tool.py"),
    ]
