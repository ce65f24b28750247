"""What stands beside a call: what its words name in the scene."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookahead.train.small.shell import Shell, lay, seen
from lookahead.worlds.embedded.effects import applied, changed_mode
from lookahead.worlds.embedded.grounding import asked, grounding
from lookahead.worlds.embedded.landing import AGAIN, INSIDE, SAME, TAKEN, landing
from lookahead.worlds.embedded.program import DO, OD, filled
from lookahead.worlds.embedded.scene import ASIDE, IS, Kind, Scene

TREE = Scene(
    kind="shell",
    root="/home/ann",
    here="work",
    facts={
        "work/": "",
        "work/box/": "",
        "work/box/a": "=pear tree\n",
        "work/b.txt": "=pear tree\n",
        "work/none": "=",
        "work/empty/": "",
        "work/to_b": ">b.txt",
        "work/to_box": ">box",
        "work/broken": ">nowhere",
    },
)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("cat b.txt", "1f"),
        ("cat ./b.txt /home/ann/work/none", "1f2e"),
        ("cat missing", "1a"),
        ("cat no/such", "1x"),
        ("cat b.txt/below", "1t"),
        ("cat ../../etc/passwd", "1o"),
        ("rm -r box", "2d"),
        ("rm -r ..", "2d^"),
        ("rm b.txt ./b.txt", "1f2g!"),
        ("mv b.txt new", "1f2a"),
        ("mv b.txt b.txt", "1f=2g"),
        ("mv b.txt none", "1f+2e"),
        ("mv box/a box", "1f=2d"),
        ("mv box box/new", "1d>2a"),
        ("mv box box", "1d>2d"),
        ("cp -r .. box", "2d^>3d"),
        ("cp b.txt box b.txt empty", "1f2d3g!4q"),
        ("mv b.txt ../other/b.txt box", "1f2x&3d"),
        ("mv b.txt new && ls", "1f2a3a"),
        ("grep -v pear b.txt", "2w3f"),
        ("grep -v tree b.txt none", "2w3f4e"),
        ("grep -v pe b.txt", "2w3f"),
        ("rmdir empty", "1q"),
        ("cat to_b broken", "1l2b"),
        ("cd to_box", "1p"),
        ("ls *.txt *.md", "1m2z"),
        ("rm *", "1i"),
        ("grep pear b.txt", "1c2f"),
        ("grep PEAR b.txt", "1a2f"),
        ("grep -i PEAR b.txt", "2c3f"),
        ("cmp b.txt box/a", "1f2g"),
        ("cd box && cat a", "1d2a3f"),
        ("pwd", ""),
        ("echo 'unfinished", ""),
    ],
)
def test_words_are_looked_up(line: str, says: str) -> None:
    assert grounding(TREE, line) == says
    assert asked(TREE, line) == f"{line}{IS}{says}"


def test_what_git_knows_is_said() -> None:
    scene = Scene(kind="shell", root="/r", facts={"a": "=1\n", "b": "=2\n", f"{ASIDE}head": "main", f"{ASIDE}/a": "A "})
    assert grounding(scene, "git rm a") == "1a2fksn"


# The working directory itself has a sign of its own, and each command its own words for it.
SOURCES = st.sampled_from(["a", "b", "d", "d/a", "d/e", "./a", "../w/d", "new", "d/new", "no/such"])
TARGETS = st.one_of(SOURCES, st.sampled_from([".", "..", "d/e/"]))


@given(command=st.sampled_from(["mv", "cp -r"]), sources=st.lists(SOURCES, min_size=1, max_size=2), target=TARGETS)
@settings(max_examples=60, deadline=None)
def test_what_stands_in_the_way_is_what_the_real_command_stumbles_over(
    tmp_path_factory, command: str, sources: list[str], target: str
) -> None:
    facts = {"w/": "", "w/a": "=1\n", "w/b": "=2\n", "w/d/": "", "w/d/a": "=3\n", "w/d/e/": "", "w/d/e/f": "=4\n"}
    top = tmp_path_factory.mktemp("top")
    scene = Scene(kind="shell", root=str(top), here="w", facts=facts)
    lay(scene, top)
    line = f"{command} {' '.join(sources)} {target}"
    done = subprocess.run(
        ["bash", "-c", line], cwd=top / "w", capture_output=True, text=True, check=False, env={"LC_ALL": "C"}
    )
    signs = grounding(scene, line)
    for error in done.stderr.splitlines():
        if "are the same file" in error:
            assert SAME in signs, (line, error)
        elif "subdirectory of itself" in error or "into itself" in error:
            assert INSIDE in signs, (line, error)
        elif "just-created" in error:
            assert TAKEN in signs or AGAIN in signs, (line, error)
        elif "specified more than once" in error:
            assert AGAIN in signs, (line, error)
    # Where the command names the place at which something was to end, the formula names the same.
    ends = [f"'{landing(scene, source, target)}'" for source in sources]
    for error in done.stderr.splitlines():
        if "itself, '" in error or "' and '" in error:
            assert any(error.partition(" and ")[2].startswith(end) or error.endswith(end) for end in ends), error


@pytest.mark.parametrize(
    ("scene", "action", "says"),
    [
        (Scene(kind="keys", facts={"n": "5", "t": "x"}), 'kv_rename {"key":"n","to":"t"}', "kits"),
        (Scene(kind="keys", facts={}), 'kv_get {"key":"n"}', "ka"),
        (Scene(kind="tickets", facts={"3": "closed|low||x"}), 'get_ticket {"id":3}', "c"),
        (Scene(kind="tickets", facts={}), 'create_ticket {"title":"  "}', "e"),
        (
            Scene(kind="sqlite", facts={"#tables": "t", "t": "(a INTEGER)"}),
            'read_query {"query":"SELECT a FROM t"}',
            "yr",
        ),
        (
            Scene(kind="sqlite", facts={"#tables": "t", "t": "(a INTEGER)"}),
            'write_query {"query":"DELETE FROM u"}',
            "nu",
        ),
        (Scene(kind="files", root="/r", facts={}), 'edit_file {"path":"/r/a","edits":[{"oldText":"x"}]}', "pa"),
        (
            Scene(kind="files", root="/r", facts={"a": "=x"}),
            'edit_file {"path":"/r/a","edits":[{"oldText":"x","newText":"y"}]}',
            "pfy",
        ),
        (
            Scene(kind="files", root="/r", facts={"d/": "", "d/a": "=x"}),
            'move_file {"source":"/r/d","destination":"/r/d/new"}',
            "sdda>",
        ),
        (
            Scene(kind="files", root="/r", facts={"d/": "", "d/a": "=x"}),
            'move_file {"source":"/r/d/a","destination":"/r/d"}',
            "sfdd/",
        ),
        (Scene(kind="keys", facts={}), "no call at all", ""),
    ],
)
def test_arguments_are_looked_up(scene: Scene, action: str, says: str) -> None:
    assert grounding(scene, action) == says


def test_a_flag_that_is_false_is_read_as_if_it_were_not_there() -> None:
    scene = Scene(kind="files", root="/r", facts={"a": "=x"})
    edit = '"edits":[{"newText":"a:false","oldText":"x"}],"path":"/r/a"'
    assert asked(scene, f'edit_file {{"dryRun":false,{edit}}}') == asked(scene, f"edit_file {{{edit}}}")
    assert "dryRun" in asked(scene, f'edit_file {{"dryRun":true,{edit}}}')
    assert asked(scene, 'edit_file {"a":false') == f'edit_file {{"a":false{IS}'


@pytest.mark.parametrize("kind", ["shell", "files"])
def test_the_root_is_made_once(kind: Kind) -> None:
    scene = Scene(kind=kind, root="/r", facts={"a": "=x"})
    assert dict(applied(scene, "mkdir -p /r", (f"+/r/{IS}",)).facts) == {"a": "=x"}


@given(line=st.text(max_size=60))
def test_no_line_breaks_it(line: str) -> None:
    grounding(TREE, line)


@given(
    mode=st.sampled_from(["600", "644", "755", "400", "777"]),
    who=st.text(alphabet="ugoa", max_size=3),
    sign=st.sampled_from("+-"),
    what=st.text(alphabet="rwx", min_size=1, max_size=3),
)
def test_permissions_change_as_chmod_changes_them(tmp_path_factory, mode, who, sign, what) -> None:
    path = tmp_path_factory.mktemp("mode") / "f"
    path.write_text("")
    path.chmod(int(mode, 8))
    subprocess.run(
        ["bash", "-c", f"umask 022; chmod -- {who}{sign}{what} {path}; true"], check=True, capture_output=True
    )
    assert changed_mode(mode, f"{who}{sign}{what}") == f"{path.stat().st_mode & 0o777:o}"


def test_what_git_does_to_its_files_is_computed(tmp_path: Path) -> None:
    """Against the real git: added, edited, committed, removed, added again."""
    shell = Shell()
    scene = Scene(kind="shell", root="/home/ann", facts={"a": "=1\n", "d/": "", "d/b": "=2\n"})
    shell.keep(-1)
    lines = [
        ("git init -q", ()),
        ("git add d", ("~staged d",)),
        ("git commit -qm first", ("~committed first",)),
        ("git add -A && git commit -qm second", ("~snapshot second",)),
    ]
    try:
        for line, changes in lines:
            (came,) = shell.run(scene, [line])
            assert came is not None
            if changes:
                assert dict(applied(scene, line, changes).facts) == dict(came.after.facts), line
            shell.keep(0)
            scene = came.after
    finally:
        shell.close()
    assert scene.facts[f"{ASIDE}log"] == "first\nsecond\n"
    lay(scene, tmp_path)
    assert set(seen(tmp_path)) == {"a", "d/", "d/b"}


def test_what_git_notices_and_says_is_computed() -> None:
    """Against the real git, on files that it tracks: written, removed, moved away, back again; and what it answers."""
    shell = Shell()
    scene = Scene(kind="shell", root="/home/ann", facts={"a": "=1\n", "b": "=2\n", "d/": "", "d/c": "=3\n", "d/u": "="})
    lines: list[tuple[str, tuple[str, ...], str]] = [
        ("git init -q", (f"+#head{IS}main", f"+#log{IS}"), ""),
        ("git commit -qm none", (), "unsaid"),
        ("git status --short", (), "status-near"),
        ("git add a b d/c", ("~staged a", "~staged b", "~staged d/c"), ""),
        ("rm b", ("-b",), ""),
        ("echo 2 > b", (f"+b{IS}=2\x03", f"+#/$2{IS}A "), ""),
        ("git commit -qm first", ("~committed first",), ""),
        ("git log --format=%s", (), "log"),
        ("git commit -qm again", (), "unsaid"),
        ("echo 5 >> a", (f"&a{IS}5\x03",), ""),
        ("chmod 600 b", (f":b{IS}600",), ""),
        ("mv d/c c", (f">d/c{IS}c",), ""),
        ("cd d", ("@d",), ""),
        ("git status --short", (), "status-near"),
        ("git status --porcelain", (), "status"),
        ("git commit -qm more", (), "unsaid"),
        ("git add -A", ("~staged ~",), ""),
        ("git commit -qm second", ("~committed second",), ""),
        ("rm ../b", ("-../b",), ""),
        ("git commit -qm third", (), "unsaid"),
        ("git log --format=%s", (), "log"),
    ]
    shell.keep(-1)
    try:
        for line, changes, said in lines:
            (came,) = shell.run(scene, [line])
            assert came is not None
            after = applied(scene, line, changes)
            assert (after.here, dict(after.facts)) == (came.after.here, dict(came.after.facts)), line
            assert filled(scene, line, f"{DO}{said}{OD}" if said else "", exact=False) == came.answer, line
            shell.keep(0)
            scene = came.after
    finally:
        shell.close()
