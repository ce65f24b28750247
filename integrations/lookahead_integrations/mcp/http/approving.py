"""The page on which a person allows a call that was refused, served beside the endpoint to this machine alone."""

from typing import Final
from urllib.parse import parse_qs

from lookahead_integrations.mcp.http.asgi import Http
from lookahead_integrations.mcp.http.gate import loopback
from lookahead_integrations.mcp.page import DESK, PATH, Desk

_FORM: Final = 4096
"""Bytes of a filled-in form."""


def is_page(http: Http) -> bool:
    return http.path.startswith(PATH)


async def approving(http: Http, desk: Desk = DESK) -> None:
    """What is asked of it needs no token: who was sent to it knows its name, which nobody can guess."""
    if not loopback(http.peer):
        await http.refuse(404, "this page is for the machine itself")
        return
    form: dict[str, str] = {}
    if http.method == "POST":
        body = await http.body(_FORM)
        form = {name: said[-1] for name, said in parse_qs(body.decode("utf-8", "replace")).items()}
    page = desk.answer(http.method, http.path, form, http.headers)
    body = page.html.encode()
    named = {**page.headers, "content-length": str(len(body))}
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]
    await http.send({"type": "http.response.start", "status": page.status, "headers": headers})
    await http.send({"type": "http.response.body", "body": b"" if http.method == "HEAD" else body})
