import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookahead.drawing import Branch, Drawing, cells, draw, plain, to_ascii


def leaf(text: str, *, imagined: bool = False, below: tuple[Branch, ...] = ()) -> Branch:
    return Branch(label=((text, "plain"),), imagined=imagined, below=below)


TREE = Branch(
    label=(("root", "strong"),),
    notes=((("a note", "faint"),),),
    below=(leaf("imagined one", imagined=True, below=(leaf("deep", imagined=True),)), leaf("real one")),
)


def test_what_is_imagined_hangs_on_a_dashed_line_and_what_is_real_on_a_solid_one():
    assert plain(draw(TREE, 40)) == [
        "root",
        "╎   a note",
        "├╌╌ imagined one",
        "│   └╌╌ deep",
        "└── real one",
    ]


def test_in_ascii_dashed_and_solid_still_differ():
    assert plain(draw(TREE, 40, ascii_only=True)) == [
        "root",
        ":   a note",
        "|.. imagined one",
        "|   `.. deep",
        "`-- real one",
    ]


def test_a_long_label_breaks_at_spaces_and_goes_on_below_its_guides():
    drawn = plain(draw(leaf("root", below=(leaf("one two three four five six", imagined=True), leaf("end"))), 22))
    assert drawn == ["root", "├╌╌ one two three four", "│       five six", "└── end"]


def test_a_word_longer_than_the_line_is_broken_and_nothing_of_it_is_lost():
    word = "x" * 100
    drawn = plain(draw(leaf(word), 30))
    assert "".join(line.strip() for line in drawn) == word
    assert max(map(len, drawn)) <= 30


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=30)), st.integers(40, 90))
def test_no_line_is_wider_than_asked_and_no_word_is_lost(words: list[str], wide: int):
    text = " ".join(word for word in words if word)
    drawn = plain(draw(leaf("root", below=(leaf(text, imagined=True),)), wide))
    assert all(cells(line) <= wide for line in drawn)
    assert "".join("".join(drawn[1:]).split())[3:] == "".join(text.split())


@pytest.mark.parametrize(("text", "expected"), [("plain", 5), ("日本", 4), ("e\u0301", 1), ("→", 1)])
def test_cells_are_counted_as_a_terminal_counts_them(text: str, expected: int):
    assert cells(text) == expected


def test_ascii_keeps_every_character_that_is_not_our_own_readable_as_its_escape():
    assert to_ascii("é → 日") == "\\xe9 -> \\u65e5"


@pytest.mark.parametrize("wide", [60, 80])
def test_rich_prints_the_same_lines_and_reads_no_markup_out_of_them(wide: int):
    from rich.console import Console

    branch = leaf("[red]root[/red]", below=(leaf("[link=http://x]a[/link] :boom:", imagined=True),))
    out = io.StringIO()
    Console(file=out, width=wide, color_system=None).print(Drawing(branch))
    assert [line.rstrip() for line in out.getvalue().splitlines()] == plain(draw(branch, wide))


def test_rich_falls_back_to_ascii_where_the_output_cannot_do_more():
    from rich.console import Console

    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as out:
        Console(file=out, width=60).print(Drawing(TREE))
        out.flush()
        assert raw.getvalue().decode("ascii").splitlines()[2] == "|.. imagined one"
