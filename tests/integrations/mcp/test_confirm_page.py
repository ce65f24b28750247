"""The page on which a person says yes, whose client cannot ask them."""

import re
from pathlib import Path

import pytest
from mcp_rig import Rig, rig, said

from lookahead_integrations.mcp.modes.guard import guard
from lookahead_integrations.mcp.page import MOST, PATH, Desk
from lookahead_integrations.mcp.testing import text

pytestmark = pytest.mark.anyio
BASE = "http://127.0.0.1:8123"
BROWSER = {"origin": BASE, "sec-fetch-site": "same-origin"}
ASK = {"write": "ask"}


@pytest.fixture
def desk() -> Desk:
    return Desk(base=BASE)


def behind(it: Rig, desk: Desk) -> None:
    it.mode = guard(it.server, session=it.session, link=desk.link(it.journal, it.session.line.guard.policy))


async def path_of(it: Rig, desk: Desk, **arguments: str) -> str:
    behind(it, desk)
    found = re.search(rf"the user can open {BASE}(\S+), or lookahead journal", said(await it.use("write", **arguments)))
    assert found is not None
    return found[1]


def form(desk: Desk, path: str, answer: str = "allow") -> dict[str, str]:
    found = re.search(r'name="yes" value="([^"]+)"', desk.answer("GET", path, {}, {}).html)
    assert found is not None
    return {"yes": found[1], "answer": answer}


async def test_a_yes_on_the_page_allows_the_call_once(tmp_path: Path, desk: Desk):
    async with rig(tmp_path, policy=ASK) as it:
        path = await path_of(it, desk, path="a")
        page = desk.answer("GET", path, {}, {})
        assert page.status == 200
        assert "write: a" in page.html
        assert desk.answer("POST", path, form(desk, path), BROWSER).status == 200
        assert await it.use("write", path="a") == text("done")
        assert (await it.use("write", path="a"))["isError"] is True


async def test_to_look_at_the_page_allows_nothing(tmp_path: Path, desk: Desk):
    async with rig(tmp_path, policy=ASK) as it:
        path = await path_of(it, desk)
        desk.answer("GET", path, {"yes": "allow", "answer": "allow"}, BROWSER)
        desk.answer("GET", f"{path}?answer=allow", {}, BROWSER)
        assert (await it.use("write"))["isError"] is True


async def test_an_answer_is_good_once(tmp_path: Path, desk: Desk):
    async with rig(tmp_path, policy=ASK) as it:
        path = await path_of(it, desk)
        filled = form(desk, path)
        assert desk.answer("POST", path, filled, BROWSER).status == 200
        assert desk.answer("POST", path, filled, BROWSER).status == 404
        assert desk.answer("GET", path, {}, {}).status == 404


async def test_a_no_on_the_page_is_a_no(tmp_path: Path, desk: Desk):
    async with rig(tmp_path, policy=ASK) as it:
        path = await path_of(it, desk)
        desk.answer("POST", path, form(desk, path, "refuse"), BROWSER)
        assert (await it.use("write"))["isError"] is True


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": BASE, "sec-fetch-site": "cross-site"},
        {"origin": "http://127.0.0.1:9999"},
    ],
)
async def test_an_answer_from_elsewhere_allows_nothing(tmp_path: Path, desk: Desk, headers: dict[str, str]):
    async with rig(tmp_path, policy=ASK) as it:
        path = await path_of(it, desk)
        assert desk.answer("POST", path, form(desk, path), headers).status == 403
        assert (await it.use("write"))["isError"] is True


async def test_an_answer_without_what_only_the_page_knows_allows_nothing(tmp_path: Path, desk: Desk):
    async with rig(tmp_path, policy=ASK) as it:
        path, other = await path_of(it, desk, path="a"), await path_of(it, desk, path="b")
        for guess in ({}, {"yes": ""}, {"yes": "\u00e4"}, form(desk, other)):
            assert desk.answer("POST", path, {"answer": "allow", **guess}, BROWSER).status == 403
        assert (await it.use("write", path="a"))["isError"] is True


async def test_a_page_that_nobody_was_sent_to_is_not_there(desk: Desk):
    for path in (PATH, f"{PATH}guess", "/", f"{PATH}../x", "/lookahead/approve"):
        assert desk.answer("GET", path, {}, {}).status == 404


async def test_a_question_that_is_too_old_is_closed(tmp_path: Path, desk: Desk):
    async with rig(tmp_path, policy={**ASK, "approval_seconds": 0.000001}) as it:
        path = await path_of(it, desk)
        assert desk.answer("GET", path, {}, {}).status == 404


async def test_what_a_stranger_wrote_is_no_markup(tmp_path: Path, desk: Desk):
    async with rig(tmp_path, policy=ASK) as it:
        path = await path_of(it, desk, path='<script>alert(1)</script>" onload="x')
        page = desk.answer("GET", path, {}, {})
        assert "<script" not in page.html
        assert 'onload="' not in page.html
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "no-store"


async def test_open_questions_are_bounded(tmp_path: Path, desk: Desk):
    async with rig(tmp_path, policy=ASK) as it:
        behind(it, desk)
        for number in range(3):
            await it.use("write", number=number)
        assert len(desk._open) == 3
        assert MOST == 1000


async def test_where_no_page_is_served_none_is_named(tmp_path: Path):
    async with rig(tmp_path, policy=ASK) as it:
        behind(it, Desk())
        assert "http" not in said(await it.use("write"))


async def test_what_only_the_policy_can_allow_has_no_page(tmp_path: Path, desk: Desk):
    async with rig(tmp_path, policy={"write": "deny"}) as it:
        behind(it, desk)
        assert "http" not in said(await it.use("write"))
