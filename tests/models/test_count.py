"""Tokens are counted without a network, near enough to what models count."""

import subprocess
import sys

import pytest
from model_server import Endpoint, chat

from lookahead.models.count import count, count_messages
from lookahead.models.openai import OpenAIModel
from lookahead.types import Asking, Message

# Counted by Qwen3's own tokenizer.
KNOWN = {
    "The quick brown fox jumps over the lazy dog, and nobody is surprised that it does so again today.": 21,
    '{"name": "delete_file", "arguments": {"path": "/home/user/notes/2024-11-03.txt", "force": true}}': 36,
    "drwxr-xr-x 2 root root  4096 Nov  3 10:15 build\n-rw-r--r-- 1 root root 18231 Nov  3 10:14 Makefile\n": 57,
    'def area(width: float, height: float) -> float:\n    """Of a rectangle."""\n    return width * height\n': 25,
    "La commande n'a pas été trouvée ; vérifiez le chemin et réessayez plus tard.": 22,
    '<div class="card"><a href="/items/42?sort=asc">Show all items</a></div>': 25,
    "error: failed to push some refs to 'origin'\nhint: Updates were rejected because the remote contains work\n": 22,
}


@pytest.mark.parametrize("text", KNOWN)
def test_a_text_costs_about_what_a_model_counts(text: str):
    assert abs(count(text) - KNOWN[text]) <= 0.3 * KNOWN[text]


def test_many_texts_cost_nearly_what_a_model_counts():
    assert abs(sum(map(count, KNOWN)) / sum(KNOWN.values()) - 1) < 0.1


def test_nothing_costs_nothing_and_more_costs_more():
    assert count("") == 0
    assert count("a b") < count("a b c d e f")


@pytest.mark.parametrize(
    "text", ["x" * 300_000, " " * 300_000, "\n" * 100_000, "\ud83d\ude00" * 1000, "\x00" * 1000, "<|endoftext|>"]
)
def test_no_text_is_too_odd_to_be_counted(text: str):
    assert count(text.encode("utf-16", "surrogatepass").decode("utf-16")) > 0


def test_a_prompt_costs_its_turns_and_what_frames_them():
    turns = [Message(role="user", content="one two"), Message(role="assistant", content="three")]
    assert count_messages(turns) > count("one two") + count("three")


CODE = """
import socket
def refuse(*args, **more): raise AssertionError("network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from lookahead.models.count import count
print(count("mkdir -p build && cd build"))
"""


def test_a_fresh_process_counts_without_a_network(tmp_path: object):
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    assert 5 <= int(done.stdout) <= 12


def test_without_tiktoken_it_is_guessed_by_the_length():
    code = (
        "import sys; sys.modules['tiktoken'] = None\n"
        "from lookahead.models.count import count\nprint(count('mkdir -p build && cd build'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 5 <= int(done.stdout) <= 12


@pytest.mark.anyio
@pytest.mark.parametrize(
    "usage", [{}, {"prompt_tokens": 0, "completion_tokens": 0}, "many", [1], {"prompt_tokens": "x"}]
)
async def test_what_the_engine_does_not_count_is_counted_here(endpoint: Endpoint, usage: object):
    endpoint.says(chat("three blind mice", usage=usage))
    async with OpenAIModel(endpoint.url, "m") as model:
        found = await model((Message(role="user", content="Sing a song."),), Asking())
    assert found.usage.counted == "estimate"
    assert 3 <= found.usage.generated <= 6
    assert 5 <= found.usage.prompt <= 15
    assert found.cost.tokens == found.usage.prompt + found.usage.generated
