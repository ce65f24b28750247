"""A page on this machine where a person says yes to one call, whose client cannot ask them."""

import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from html import escape
from time import time
from typing import Final

from lookahead.canonical import digest_of
from lookahead.held import Held
from lookahead.journal import Approval, Granted, Journal
from lookahead.policy import Policy
from lookahead.types import Decision
from lookahead_integrations.mcp.confirm import shown

PATH: Final = "/lookahead/approve/"
"""Where the page is; what follows names the question, and nobody can guess it."""
MOST: Final = 1000
"""So many questions are open at once; the oldest goes first."""

HEADERS: Final[Mapping[str, str]] = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
"""Of every answer: nothing is loaded, framed, kept, or told to others."""

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;border:1px solid;padding:1rem}"
    "button{font:inherit;padding:.5rem 1rem}"
    ":root{color-scheme:light dark}"
)


@dataclass(frozen=True, kw_only=True)
class Page:
    """What to answer a browser."""

    status: int
    html: str
    headers: Mapping[str, str] = field(default_factory=lambda: HEADERS)


@dataclass(frozen=True, kw_only=True)
class _Open:
    """A question that waits, and what only its own page knows."""

    decision: Decision
    binding: str
    journal: Journal
    lives: float
    until: float
    yes: str = field(default_factory=lambda: secrets.token_urlsafe(24))


@dataclass(kw_only=True, eq=False)
class Desk:
    """The questions that can be answered on a page, once each."""

    base: str = ""
    """`http://127.0.0.1:PORT`, from the moment that somebody serves the page there; empty: nobody does."""
    _open: OrderedDict[str, _Open] = field(default_factory=OrderedDict[str, _Open], repr=False)

    def link(self, journal: Journal, policy: Policy) -> Callable[[Held], str | None]:
        """Opens a question for a call that was refused, where there is a page to answer it."""

        def offer(held: Held) -> str | None:
            if not self.base or not held.binding:
                return None
            name, lives = secrets.token_urlsafe(24), policy.approval_seconds
            self._open[name] = _Open(
                decision=held.decision, binding=held.binding, journal=journal, lives=lives, until=time() + lives
            )
            if len(self._open) > MOST:
                self._open.popitem(last=False)
            return f"{self.base}{PATH}{name}"

        return offer

    def answer(self, method: str, path: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Page:
        """GET shows what would be done; POST of the form on that page allows it, once. `headers` are in lower case."""
        name = path.removeprefix(PATH)
        question = self._open.get(name) if path.startswith(PATH) else None
        if question is None or time() > question.until:
            self._open.pop(name, None)
            return _page(404, "Nothing waits here", "This was answered already, or is too old. Have it called again.")
        if method in ("GET", "HEAD"):
            return _asked(question)
        if method != "POST":
            return _page(405, "Not understood", "Open this page in a browser.")
        if not self._from_here(headers) or not compare_digest(form.get("yes", "").encode(), question.yes.encode()):
            return _page(403, "Not allowed", "This answer does not come from the page that asks. Open it anew.")
        del self._open[name]
        if form.get("answer") != "allow":
            return _page(200, "Not allowed", "Nothing was done, and nothing will be.")
        question.journal.append(Granted(approval=_approval(question)))
        return _page(200, "Allowed, once", "Now have the agent call it again, unchanged.")

    def _from_here(self, headers: Mapping[str, str]) -> bool:
        """Whether it was on our own page, as a browser says of a form. Who does not say is no browser."""
        site = headers.get("sec-fetch-site", "same-origin")
        return headers.get("origin") == self.base and site == "same-origin"


DESK: Final = Desk()
"""The one of this process: whoever serves HTTP says where (`base`) and lets it answer below `PATH`."""


def _approval(question: _Open) -> Approval:
    now = time()
    return Approval(
        id=secrets.token_hex(8),
        binding=question.binding,
        granted_at=now,
        expires_at=now + question.lives,
        by="whoever opened the page",
        seen=digest_of(shown(question.decision)),
    )


def _asked(question: _Open) -> Page:
    form = (
        f'<form method="post"><input type="hidden" name="yes" value="{escape(question.yes)}">'
        '<button name="answer" value="refuse" autofocus>Do not do it</button> '
        '<button name="answer" value="allow">Allow this call, once</button></form>'
    )
    return _page(200, "May this be done?", f"<pre>{escape(shown(question.decision))}</pre>{form}", markup=True)


def _page(status: int, title: str, said: str, *, markup: bool = False) -> Page:
    body = said if markup else f"<p>{escape(said)}</p>"
    return Page(
        status=status,
        html=f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>",
    )
