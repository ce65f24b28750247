"""What happened, said as a program: checked by running the real command in real files."""

import subprocess
from pathlib import Path

import pytest

from lookahead.train.small.label import labelled
from lookahead.train.small.shell import lay, seen
from lookahead.worlds.embedded.effects import applied
from lookahead.worlds.embedded.formulas import Unknowable
from lookahead.worlds.embedded.program import DO, OD, filled
from lookahead.worlds.embedded.scene import IS, Scene

FACTS = {
    "box/": "",
    "box/q.txt": "=pear\nfig\nfig\n",
    "a.txt": "=3 three\n1 one\n2 two\n",
    "b.md": "=k=v,w\nplain\n",
    "run.sh": ":755=echo hi\n",
    "empty": "=",
}


def happened(tmp_path: Path, line: str, facts: dict[str, str] = FACTS):
    """Really runs a line; its program, and the scene before and after."""
    scene = Scene(kind="shell", root=str(tmp_path), facts=facts)
    lay(scene, tmp_path)
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
    )
    ending = str(done.returncode) if done.returncode in (0, 1, 2) else "x"
    answer = (done.stdout + done.stderr).removesuffix("\n")
    after = scene.with_facts(seen(tmp_path))
    return scene, labelled(scene, line, ending, answer, after), answer, after


def computed(formula: str) -> str:
    return f"{DO}{formula}{OD}"


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("cat a.txt", "cat $1"),
        ("sort -n a.txt | head -n 2", "cat $2 | sort-n | head $5"),
        ("ls", "ls ."),
        ("ls -F", "ls-F ."),
        ("find . -type f | sort", "find $1 $3 | sort"),
        ("grep -c fig box/q.txt", "cat $3 | grep-c $2"),
        ("uniq box/q.txt", "cat $1 | uniq"),
        ("cut -d, -f2 b.md", "cat $3 | cut , 2"),
        ("awk '{print $2}' a.txt", "cat $2 | field 2"),
        ("sed 's/three/3/' a.txt", "cat $2 | sed $1"),
        ("stat -c %a run.sh", "mode $3"),
        ("cat *.md", "cat $1"),
        ("tr a-z A-Z < b.md", "cat $3 | upper"),
        ("ls | wc -l", "ls . | wc-l"),
        ("ls *", "glob $1"),
        ("head -n 1 a.txt | tail -n 1", "cat $3 | head $2 | tail $6"),
        ("rm *", "refused $1"),
        ("sed -n '2,2p' a.txt", "cat $3 | sed $2"),
        ("grep -rl fig . | sort", "having $2 $3 | sort"),
        ("grep -rl nothing . | sort", "having $2 $3 | sort"),
    ],
)
def test_what_can_be_computed_is_said_as_a_formula(tmp_path, line, result):
    scene, program, answer, _ = happened(tmp_path, line)
    assert program.result == computed(result)
    assert filled(scene, line, program.result, exact=False) == answer


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("mv a.txt box", [f">$1{IS}$2"]),
        ("cp -r box chest", [f"*$2{IS}$3"]),
        ("rm -r box", ["-$2"]),
        ("rm *.md a.txt", ["-$1", "-$2"]),
        ("mkdir -p x/y/z", [f"+$2/{IS}"]),
        ("echo more >> a.txt", [f"&$2{IS}{computed('word 1')}\x03"]),
        ("chmod +x a.txt", [f":$2{IS}$1"]),
        ("sort a.txt > s.txt", [f"+$2{IS}={computed('cat $1 | sort')}"]),
        ("sed -i 's/plain/fancy/' b.md", [f"+$3{IS}={computed('cat $3 | sed $2')}"]),
        ("ln -s a.txt l", [f"+$3{IS}>$2"]),
        ("touch a.txt n1", [f"+$2{IS}="]),
        ("sed -i '1d' box/q.txt", [f"+$3{IS}={computed('cat $3 | sed $2')}"]),
        ("rm *", ["~removed $1"]),
        ("> a.txt", [f"+$0{IS}="]),
        ("> new", [f"+$0{IS}="]),
    ],
)
def test_a_change_is_said_in_one_line_where_one_is_enough(tmp_path, line, changes):
    scene, program, _, after = happened(tmp_path, line)
    assert list(program.changes) == changes
    assert dict(applied(scene, line, program.changes).facts) == dict(after.facts)


def test_an_error_is_said_as_it_was_said(tmp_path):
    _, program, answer, _ = happened(tmp_path, "cat nowhere")
    assert (program.ending, program.changes) == ("1", ())
    assert program.result == f"cat: {computed('word 1')}: No such file or directory"
    assert answer == "cat: nowhere: No such file or directory"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("mv box box", "mv: cannot move '{word 1}' to a subdirectory of itself, '{landing $1 $2}'"),
        ("mv ./box box/new", "mv: cannot move '{word 1}' to a subdirectory of itself, '{landing $1 $2}'"),
        ("mv box/q.txt box", "mv: '{word 1}' and '{landing $1 $2}' are the same file"),
        ("cp a.txt a.txt", "cp: '{word 1}' and '{landing $1 $2}' are the same file"),
        (
            "cp a.txt b.md .",
            "cp: '{word 1}' and '{landing $1 $3}' are the same file\x03"
            "cp: '{word 2}' and '{landing $2 $3}' are the same file",
        ),
        ("cp a.txt no/such/file", "cp: cannot create regular file '{landing $1 $2}': No such file or directory"),
        ("cp a.txt gone", None),
        ("> no/such/file", "bash: line 1: {word 0}: No such file or directory"),
    ],
)
def test_where_something_was_to_end_is_not_spelled(tmp_path, line, said):
    scene, program, answer, _ = happened(tmp_path, line)
    assert program.result == (said.replace("{", DO).replace("}", OD) if said else "")
    assert filled(scene, line, program.result, exact=False) == answer


@pytest.mark.parametrize(
    ("line", "content"),
    [
        ("printf 'a\\nb\\n' > n.txt", computed("printf 1")),
        ("cat > n.txt <<EOF\none\n  two\nEOF", computed("body")),
        ("echo 'two words' > n.txt", f"{computed('word 1')}\x03"),
    ],
)
def test_text_that_the_command_holds_is_not_spelled_again(tmp_path, line, content):
    _, program, _, after = happened(tmp_path, line)
    assert [change.partition(IS)[2] for change in program.changes] == [f"={content}"]
    assert after.facts["n.txt"].startswith("=")


def test_which_echo_answered_is_said_by_the_place_of_its_word(tmp_path):
    _, program, answer, _ = happened(tmp_path, "test -f nowhere && echo here || echo gone")
    assert (program.result, answer) == (computed("word 6"), "gone")


def test_the_flags_of_another_command_do_not_count(tmp_path):
    _, program, _, _ = happened(tmp_path, "sort a.txt | head -n 2")
    assert program.result == computed("cat $1 | sort | head $4")


def test_a_program_that_does_not_fit_the_scene_is_refused_whole():
    scene = Scene(kind="shell", root="/r", facts=FACTS)
    for change in ("-nowhere", f">nowhere{IS}box", f"+no/such/file{IS}=x", f"+box{IS}=x", f"+../out{IS}=x", f"?a{IS}b"):
        with pytest.raises(Unknowable):
            applied(scene, "line", (f"+new{IS}=1", change))


@pytest.mark.parametrize(
    "formula",
    ["cat nowhere", "cat ../../etc/passwd", "cat a.txt | fly", "head 2", "", "ls a.txt", "cat a.txt | head x"],
)
def test_a_formula_without_a_meaning_is_refused(formula):
    with pytest.raises(Unknowable):
        filled(Scene(kind="shell", root="/r", facts=FACTS), "line", computed(formula), exact=False)
