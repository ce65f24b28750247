import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookahead_integrations.mcp.clients import toml_text
from lookahead_integrations.mcp.clients.tree import Malformed, walk

TEXT = """\
# Codex
model = "o9" # the best
"quoted key".'and another' = 1
mcp_servers.dotted.command = "a"
mcp_servers.dotted.args = ['x', "y" ,]
when = 1979-05-27 07:32:00Z
day = 1979-05-27
rate = 1.5
wild = nan
several = \"\"\"a
\\"b\\" # no comment\"\"\"\"
raw = '''x'y'''
[mcp_servers.one] # c
command = 'npx' # why
args = [
  "-y", # first
  "z",
]
env = { "A" = "b", c.d = 1 }
[mcp_servers."my server".http_headers]
"X-A" = "1"
[[profiles]]
a=1
[profiles.sub]
q=2
[[profiles]]
a=[{b=1},{b=[2,3]}]
[empty]
"""


def test_all_ways_of_writing_a_table_are_read_as_pythons_reader_reads_them():
    assert toml_text.read(TEXT).value == tomllib.loads(TEXT, parse_float=str)


def test_each_value_knows_where_it_stands():
    for node in walk(toml_text.read(TEXT)):
        if node.whole:
            assert tomllib.loads(f"it = {TEXT[node.start : node.end]}", parse_float=str)["it"] == node.value


def test_a_key_knows_every_place_where_it_is_spelled():
    servers = toml_text.read(TEXT).get("mcp_servers")
    assert servers is not None
    assert [TEXT[start:end] for start, end in servers.keys] == ["mcp_servers"] * 4
    mine = servers.node.get("my server")
    assert mine is not None
    assert [TEXT[start:end] for start, end in mine.keys] == ['"my server"']


def test_line_ends_and_the_mark_at_the_beginning_are_no_matter():
    text = "\ufeff" + TEXT.replace("\n", "\r\n")
    assert toml_text.read(text).value["mcp_servers"] == tomllib.loads(TEXT)["mcp_servers"]


@pytest.mark.parametrize(
    ("text", "line"), [("a = ", 1), ("x=1\nx=2", 2), ("[a]\nb=1\n[a.b]\nc=1", 3), ("\n[[[", 2), ("a=1\n= 2", 2)]
)
def test_what_is_wrong_is_wrong_on_its_line(text: str, line: int):
    with pytest.raises(Malformed) as caught:
        toml_text.read(text)
    assert text.count("\n", 0, caught.value.at) + 1 == line


@given(st.text(alphabet="[]{}\"'=.,# \n\tab1-", max_size=40))
def test_whatever_pythons_reader_reads_is_read_the_same_or_refused(text: str):
    try:
        expected = tomllib.loads(text, parse_float=str)
    except tomllib.TOMLDecodeError:
        expected = None
    try:
        value = toml_text.read(text).value
    except Malformed:
        return
    assert value == expected


@given(st.text())
def test_a_text_that_is_spelled_is_read_as_it_was(text: str):
    assert tomllib.loads(f"a = {toml_text.spelled(text)}")["a"] == text
