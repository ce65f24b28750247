"""The weights that come with Lookahead, asked about files with names that they never saw."""

import json
import shutil
from pathlib import Path

import anyio
import pytest

from lookahead.demo.imagined import glimpses, lay
from lookahead.errors import ConfigError, NotMyWorld
from lookahead.models.embedded.weights import packaged_folder
from lookahead.policy import Policy
from lookahead.testing import call
from lookahead.types import Action, State, Tool
from lookahead.worlds.choose import choose
from lookahead.worlds.embedded import EmbeddedWorld, Scene, scene_of_directory
from lookahead.worlds.embedded.tools import CALLS

pytestmark = pytest.mark.anyio

FACTS = {"qarv.txt": "=pear\nfig\nplum\n", "zib/": "", "zib/molk.csv": "=a,1\nb,2\n"}
STATE = State(tools=(Tool(name="bash"),))


def bash(line: str) -> Action:
    return call("bash", command=line)


def world() -> EmbeddedWorld:
    return EmbeddedWorld(Scene(kind="shell", root="/home/ann", facts=FACTS))


async def test_a_rollout_of_several_steps_comes_as_a_shell_would_have_it():
    asked, state = world(), STATE
    for line, answer in (
        ("sort qarv.txt", "fig\npear\nplum"),
        ("mv qarv.txt zib/fruit.txt", ""),
        ("rm zib/molk.csv", ""),
        ("ls zib", "fruit.txt"),
        ("cat qarv.txt", "cat: qarv.txt: No such file or directory"),
    ):
        said = await asked(state, bash(line))
        assert said.content == answer
        assert said.failed == line.startswith("cat")
        assert (said.origin.confidence or 0) >= asked.floor
        assert said.origin.world == asked.name
        assert said.origin.world.startswith("embedded:")
        state = state.then(bash(line), said)


async def test_how_likely_a_call_fails_is_known():
    asked = world()
    assert (await asked.outlook(STATE, bash("rm qarv.txt"))).failure < 0.2
    assert (await asked.outlook(STATE, bash("rm nowhere.txt"))).failure > 0.8


async def test_what_it_did_not_learn_it_leaves_to_others():
    for line in ("curl https://example.com", "python3 zib/molk.csv", "ls | xargs rm", "echo $HOME", "date"):
        with pytest.raises(NotMyWorld):
            await world()(STATE, bash(line))


async def test_a_server_of_keys_is_foretold():
    tools = tuple(Tool(name=one.name, parameters=one.schema()) for one in CALLS["keys"])
    asked = EmbeddedWorld(Scene(kind="keys", facts={"harbour": "old quay"}))
    said = await asked(State(tools=tools), call("kv_get", key="harbour"))
    assert (said.content, said.failed, said.effects) == ("old quay", False, ())


async def test_candidates_are_answered_alike_together_and_alone():
    lines = ["ls", "rm qarv.txt", "cat zib/molk.csv", "wc -l qarv.txt"]
    together: dict[str, str] = {}
    asked = world()

    async def one(line: str) -> None:
        together[line] = (await asked(STATE, bash(line))).content

    async with anyio.create_task_group() as tasks:
        for line in lines:
            tasks.start_soon(one, line)
    assert together == {line: (await world()(STATE, bash(line))).content for line in lines}


async def test_the_imagined_part_of_the_demo_comes_true(tmp_path: Path):
    desk = lay(tmp_path)
    seen = await glimpses(EmbeddedWorld(lambda: scene_of_directory(desk), one_shell=False), desk)
    assert [one.true for one in seen] == [True] * len(seen)


def _own_weights(folder: Path, **said: object) -> Path:
    """A copy of what ships, as `lookahead train small` writes a folder."""
    shutil.copytree(Path(str(packaged_folder())), folder)
    about = json.loads((folder / "about.json").read_text())
    (folder / "about.json").write_text(json.dumps({**about, **said}))
    return folder


async def test_weights_of_ones_own_are_used_by_name_of_their_folder(tmp_path: Path):
    folder = _own_weights(tmp_path / "mine")
    own = EmbeddedWorld(Scene(kind="shell", root="/r", facts=FACTS), weights=folder)
    assert own.name == world().name  # the same weights, wherever they are
    assert (await own(STATE, bash("cat qarv.txt"))).content == "pear\nfig\nplum"

    named = choose(f"embedded:{folder}", functions={}, real=None, policy=Policy())
    assert isinstance(named, EmbeddedWorld)
    assert named.name == own.name
    with pytest.raises(ConfigError, match="embedded:FOLDER"):
        choose("embedded:", functions={}, real=None, policy=Policy())


@pytest.mark.parametrize(
    ("said", "why"), [({"format": 1}, "is in format 1, and this version reads"), ({"digests": 0}, "says nothing of")]
)
def test_a_folder_without_weights_for_this_version_is_refused_at_once(tmp_path: Path, said: dict[str, int], why: str):
    with pytest.raises(ConfigError, match=why):
        EmbeddedWorld(weights=_own_weights(tmp_path / "mine", **said))
    with pytest.raises(ConfigError, match="cannot be read"):
        EmbeddedWorld(weights=tmp_path / "nowhere")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lookahead.worlds.embedded.shipped.find_spec", lambda name: None)
        with pytest.raises(ConfigError, match="pip install"):
            EmbeddedWorld(weights=tmp_path / "mine")
    with pytest.raises(ConfigError, match="one of engine= and weights="):
        EmbeddedWorld(None, lambda: None, weights=tmp_path)  # type: ignore[arg-type,return-value]
