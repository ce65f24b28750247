"""What a small model may say of its own confidence is fitted on what it got right."""

from random import Random

import pytest

from lookahead.errors import ConfigError, NotMyWorld
from lookahead.testing import ScriptedForeteller
from lookahead.train.small.calibrate import SEEN, Answer, answered, commands, error, fit
from lookahead.train.small.example import Branch, Example
from lookahead.worlds.embedded.confidence import Calibration, calibration_of
from lookahead.worlds.embedded.foretelling import Said, certain
from lookahead.worlds.embedded.gate import check_line
from lookahead.worlds.embedded.program import Program
from lookahead.worlds.embedded.scene import Scene

SCENE = Scene(kind="shell", root="/srv", facts={"a.txt": "=one\n"})


def line(text: str, program: Program | None = None) -> Example:
    branch = Branch(action=text, program=program or Program(ending="0"), command="")
    return Example(scene=SCENE, branches=(branch,), depth=0, episode="shell-1")


def test_what_was_learned_is_counted_on_the_training_data():
    seen = [line(f"head -n {count} {name}.txt") for count, name in enumerate("abcdefghijkl")]
    known = frozenset(commands([*seen, line("tac a.txt"), *([line("date", Program(ending="?"))] * SEEN)]))
    check_line("head -n 40 other.md", known)
    for strange in ("head -c 3 a.txt", "head -n 3 a.txt | sort", "tac a.txt", "date", "head -n 3 $FILE", "head -n 3 *"):
        with pytest.raises(NotMyWorld, match="did not learn"):
            check_line(strange, known)


def answers(count: int, *, seed: int, boast: float) -> list[Answer]:
    """Answers of a model that is right less often than it says: `boast` is by how much."""
    random = Random(seed)
    found: list[Answer] = []
    for number in range(count):
        share = random.random()
        program = Program(ending="0")
        said = Said(program=program, endings={"0": 1 - (1 - share) * boast}, sure=())
        found.append(Answer(said=said, kind="shell", exact=random.random() < share, episode=str(number % 40)))
    return found


def test_the_confidence_of_a_model_that_promises_too_much_is_put_right_on_other_episodes():
    found = calibration_of(fit(answers(4000, seed=1, boast=0.2)).written())
    others = answers(4000, seed=2, boast=0.2)
    raw = [(Calibration().confidence(one.said, one.kind), one.exact) for one in others]
    put_right = [(found.confidence(one.said, one.kind), one.exact) for one in others]
    assert error(raw) > 0.3
    assert error(put_right) < 0.03


def test_what_is_less_sure_than_all_that_was_measured_is_not_called_as_sure():
    """A call of another world: the model says something, and the table was made of calls of its own."""
    table = Calibration(bias=6.0, steps=((3.0, 0.9), (6.0, 0.999)))
    shares = [
        table.confidence(Said(program=Program(ending="0"), endings={"0": 1.0}, sure=(sure,), whole=True), "keys")
        for sure in (-50.0, -9.0, -6.0, -4.0, -3.0, 0.0)
    ]
    assert shares == sorted(shares)
    assert shares[0] < 0.01
    assert shares[2] == pytest.approx(0.5)
    assert shares[4] == pytest.approx(0.9)


def test_too_few_answers_give_no_table():
    with pytest.raises(ConfigError, match="too few"):
        fit(answers(20, seed=1, boast=1))


def test_an_answer_is_exact_when_text_ending_and_changes_are():
    real = Program(ending="0", result="one", changes=("-a.txt",))
    said = {
        "ls": real,
        "pwd": Program(ending="0", result="\x04cat a.txt\x05", changes=("-a.txt",)),
        "ls -A": Program(ending="0", result="one"),
        "cat a.txt": Program(ending="1", result="one", changes=("-a.txt",)),
        "rm a.txt": Program(ending="0", changes=("-b.txt",)),
        "wc a.txt": certain(Program(ending="?")),
    }
    mind = ScriptedForeteller(script=said, lines=list(said))
    branches = tuple(Branch(action=text, program=real, command="") for text in said)
    found = answered(mind, [Example(scene=SCENE, branches=branches, depth=0, episode="e")])
    assert [one.exact for one in found] == [True, True, False, False]


def test_a_table_that_does_not_rise_is_refused():
    with pytest.raises(ConfigError, match="does not rise"):
        calibration_of({"weights": {"all": 1}, "bias": 0, "steps": [[1, 0.5], [0, 0.6]]})
