"""The file of accepted tools: whole or not believed, ours alone, and no pin lost between two proxies."""

import json
import multiprocessing
import sys
from pathlib import Path
from typing import Any

import pytest

from lookahead.errors import ConfigError
from lookahead_integrations.mcp.pins.definition import Definition, Seen, changed, difference
from lookahead_integrations.mcp.pins.store import Kept, Pin, PinsDamaged, PinStore, Upstream
from lookahead_integrations.mcp.testing import tool


def pin(name: str, **fields: Any) -> Pin:
    seen = Seen.of(Definition.read(tool(name, **fields)))
    return Pin(seen=seen, accepted_at="2026-11-21T00:00:00Z", by="first sight", seen_in="2025-11-25")


def upstream(*pins: Pin) -> Upstream:
    return Upstream(name="x", first_seen="now", tools={one.seen.definition.name: one for one in pins})


@pytest.fixture
def store(tmp_path: Path) -> PinStore:
    return PinStore(tmp_path / "deep" / "pins.json")


def test_what_was_written_is_read_again(store: PinStore) -> None:
    assert store.read() == Kept()
    odd = pin("a", description='"\u202e\n', annotations={"readOnlyHint": None, "x": [None, {"y": None}]})
    kept = store.change(lambda kept: kept.with_("k", upstream(odd)))
    assert PinStore(store.path).read() == kept == store.read()
    assert kept.upstreams["k"].tools["a"].seen.sound


@pytest.mark.skipif(sys.platform == "win32", reason="has no such rights")
def test_it_is_ours_alone(store: PinStore) -> None:
    store.change(lambda kept: kept.with_("k", upstream(pin("a"))))
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in store.path.parent.iterdir()) == ["pins.json", "pins.json.lock"]
    store.path.chmod(0o666)
    with pytest.raises(PinsDamaged, match=r"others can write to it.*chmod 600"):
        store.read()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format": 2}',
        '{"format": 1, "upstreams": {"k": {}}}',
        '{"format": 1, "upstreams": {}, "more": 1}',
        '{"format": 1, "format": 1}',
        '{"format": 1, "upstreams": NaN}',
        "[" * 100_000,
        '{"format": 1, "upstreams": {}}\x00',
    ],
)
def test_a_damaged_file_is_not_believed(store: PinStore, content: str) -> None:
    store.path.parent.mkdir()
    store.path.write_text(content)
    store.path.chmod(0o600)
    with pytest.raises(PinsDamaged, match=r"cannot be believed: .*Next: "):
        store.read()
    with pytest.raises(PinsDamaged):
        store.change(lambda kept: kept)
    assert store.path.read_text() == content


def test_every_change_by_hand_is_noticed(store: PinStore) -> None:
    store.change(lambda kept: kept.with_("k", upstream(pin("a", description="one", annotations={"x": 1}), pin("b"))))
    whole = json.loads(store.path.read_text())
    assert PinStore(store.path).read()

    def damaged(change: Any) -> None:
        body = json.loads(json.dumps(whole))
        change(body["upstreams"]["k"]["tools"])
        store.path.write_text(json.dumps(body))
        with pytest.raises(PinsDamaged):
            store.read()

    damaged(lambda tools: tools["a"]["seen"]["definition"].update(description="two"))
    damaged(lambda tools: tools["a"]["seen"]["definition"].pop("annotations"))
    damaged(lambda tools: tools["a"]["seen"]["parts"].update(description="0" * 64))
    damaged(lambda tools: tools["a"]["seen"].update(check="0" * 64))
    damaged(lambda tools: tools.update(c=tools.pop("b")))
    damaged(lambda tools: tools["a"].update(seen=tools["b"]["seen"]))


def test_a_cut_off_write_is_noticed_at_every_byte(store: PinStore) -> None:
    store.change(lambda kept: kept.with_("k", upstream(pin("a", description="one"))))
    whole = store.path.read_bytes()
    for length in range(0, len(whole.rstrip()), 7):
        store.path.write_bytes(whole[:length])
        with pytest.raises(PinsDamaged):
            PinStore(store.path).read()


def test_what_is_no_file_is_not_believed(store: PinStore) -> None:
    store.path.mkdir(parents=True)
    with pytest.raises(PinsDamaged):
        store.read()
    store.path.rmdir()
    store.path.symlink_to("nowhere")
    with pytest.raises(PinsDamaged, match="link to nothing"):
        store.read()


def test_a_change_that_fails_leaves_what_was_there(store: PinStore) -> None:
    store.change(lambda kept: kept.with_("k", upstream(pin("a"))))
    before = store.path.read_bytes()

    def fails(kept: Kept) -> Kept:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.change(fails)
    assert store.path.read_bytes() == before
    assert not [path for path in store.path.parent.iterdir() if path.name.startswith(".")]


def test_a_place_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot be written: .* Next: --pins FILE"):
        PinStore(tmp_path / "file" / "pins.json").change(lambda kept: kept.with_("k", upstream()))


def _write(path: str, number: int) -> None:
    store = PinStore(path)
    for turn in range(10):
        name = f"tool_{number}_{turn}"
        store.change(lambda kept, name=name: kept.with_("k", _more(kept, name)))


def _more(kept: Kept, name: str) -> Upstream:
    before = kept.upstreams.get("k") or upstream()
    return before.model_copy(update={"tools": {**before.tools, name: pin(name)}})


def test_no_pin_is_lost_between_proxies(store: PinStore) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(str(store.path), number)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert len(store.read().upstreams["k"].tools) == 30


def test_a_secret_in_a_definition_is_not_kept_and_a_change_beside_it_is_seen() -> None:
    url = "postgres://app:Zx9Qw3Lp7Kd2@db.example/prod"
    before = Definition.read(tool("query", description=f"Queries {url}."))
    seen = Seen.of(before)
    assert "Zx9Qw3Lp7Kd2" not in seen.model_dump_json()
    assert changed(seen, before, seen_in="2025-11-25") == ()
    other = Definition.read(tool("query", description=f"Queries {url.replace('Zx9', 'Yx9')}."))
    assert changed(seen, other, seen_in="2025-11-25") == ("description",)


def test_a_change_in_the_middle_of_a_long_line_is_in_the_difference() -> None:
    long = " ".join(f"Sentence number {n} says nothing new." for n in range(200))
    before = Definition.read(tool("a", description=long))
    after = Definition.read(tool("a", description=long.replace("number 100 says", "number 100 SENDS ALL and says")))
    shown = difference(before, after)
    assert any("SENDS ALL" in line for line in shown)
    assert len(shown) < 12


def test_numbers_and_truths_that_look_alike_are_not_the_same() -> None:
    digests = {Definition.read(tool("a", annotations={"x": value})).digest for value in (1, 1.0, True, "1", None, [1])}
    assert len(digests) == 6
