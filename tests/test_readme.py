"""What the README says is done here, with the README's own words as the input."""

import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lookahead import Journal, cli, search, with_lookahead
from lookahead.options import MODES
from lookahead.refusal import refusal
from lookahead.settings import JOURNAL, Settings
from lookahead.types import Action, Decision
from lookahead.worlds.choose import KNOWN, is_address

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)

PROSE = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
CODE = "\n".join([*re.findall(r"`([^`]+)`", PROSE), *(content for _, content in BLOCKS)])
"""Everything that the README shows as something to type."""


def blocks(language: str) -> list[str]:
    return [content for kind, content in BLOCKS if kind == language]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with notes that stand nowhere else."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "ideas.md").write_text("a whole Sunday of work\n")
    return tmp_path


def test_there_is_one_example_and_it_is_short():
    (example,) = blocks("python")
    assert len(example.splitlines()) <= 12


def test_the_example_refuses_to_lose_the_notes_and_explains(project: Path):
    (example,) = blocks("python")
    done = subprocess.run([sys.executable, "-c", example], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (project / "notes" / "ideas.md").read_text() == "a whole Sunday of work\n"
    said = done.stdout.splitlines()
    assert said[0] == "Not done: shell: rm -rf notes"
    assert len(said) <= 6
    assert any(line.startswith("what: ") for line in said)
    assert any(line.startswith("why: ") for line in said)
    assert any(line.startswith("allow once: ") for line in said)


def test_every_refusal_has_at_most_six_lines():
    action = Action(tool="shell", arguments={"command": "x\n" * 500})
    decision = Decision(id="d", proposed=action, choice="veto", rule="r\n" * 50, reason="because\n" * 50)
    assert len(refusal(decision).splitlines()) <= 6


def test_the_settings_shown_can_be_read(tmp_path: Path):
    rules, imagined = blocks("toml")
    (tmp_path / "lookahead.toml").write_text(rules)
    settings = Settings.load(tmp_path / "lookahead.toml")
    assert {name: line.rule for name, line in settings.policy.tools.items()} == {
        "read_*": "allow", "delete_*": "ask", "drop_*": "deny",
    }  # fmt: skip
    assert settings.budget.seconds == 10
    (tmp_path / "lookahead.toml").write_text(imagined)
    settings = Settings.load(tmp_path / "lookahead.toml")
    assert is_address(settings.endpoint)
    assert (settings.imagine.thinking, settings.imagine.samples) == ("auto", 1)


def test_every_argument_mode_and_search_is_named():
    named = set(re.findall(r"\w[\w-]*", CODE))
    assert set(inspect.signature(with_lookahead).parameters) - {"agent"} <= named
    assert set(MODES) <= named
    assert set(search.__all__) - {"Search"} <= named


def test_every_kind_of_world_that_is_named_is_known():
    (row,) = re.findall(r"^\| `world` \|(.*)$", README, re.MULTILINE)
    said = re.findall(r'`"([^"]+)"`', row)
    assert said
    assert all(f'"{kind}"' in KNOWN for kind in said)


def test_the_record_keeps_itself_out_of_git(project: Path):
    Journal(project / JOURNAL).close()
    assert (project / JOURNAL).parent.joinpath(".gitignore").read_text().splitlines()[0] == "*"


def test_deny_beats_ask_beats_preview_beats_allow():
    from lookahead.policy import Policy

    rules = ["allow", "preview", "ask", "deny"]
    for number, rule in enumerate(rules):
        policy = Policy.read(
            {"*" * (position + 1): said for position, said in enumerate(rules[: number + 1])}, "a test"
        )
        assert policy.rule_on(Action(tool="x"), None).rule == rule


def test_every_command_that_is_named_exists_and_the_other_way_round():
    named = set(re.findall(r"^lookahead (\w+) ", "\n".join(blocks("text")), re.MULTILINE))
    assert named == set(cli.names())
    assert set(re.findall(r"\blookahead (\w+)", CODE)) - {"import"} <= set(cli.names())


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake (\w+)", CODE))
    assert {"demo", "test", "check"} <= named <= targets


def test_what_ci_runs_is_what_the_readme_says():
    recipe = (ROOT / ".ci" / "run").read_text()
    assert recipe.rstrip().endswith("make test")
    assert "set -euo pipefail" in recipe


def test_what_is_to_be_installed_has_our_name_and_our_extras():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = re.findall(r"pip install \"?([\w-]+)(?:\[(\w+)\])?", README)
    assert lines
    for name, extra in lines:
        assert name == project["name"]
        assert not extra or extra in project["optional-dependencies"]


def test_every_file_that_is_linked_is_there():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_benchmark_has_a_help_and_a_row():
    told = (ROOT / "benchmarks" / "README.md").read_text()
    for path in sorted((ROOT / "benchmarks").glob("*.py")):
        if "ArgumentParser(" not in path.read_text():
            continue  # what benchmarks share
        assert f"python benchmarks/{path.name}" in told, path.name
        done = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        assert "usage:" in done.stdout
