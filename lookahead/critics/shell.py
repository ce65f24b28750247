"""Shell text as the list of programs that it would run, whatever they are wrapped, quoted or hidden in."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from lookahead.critics.calls import Call, Inner, Redirect, Script
from lookahead.critics.constant import printed
from lookahead.critics.grammar import BRANCHES, WITHOUT_PROGRAM, WORDS, Node, cleaned, tree_of
from lookahead.critics.nameset import nameset
from lookahead.critics.paths import UNKNOWN
from lookahead.critics.words import HOME, Word, Words, text_of
from lookahead.critics.wrappers import SHELLS, unwrapped

DEEPEST: Final = 60
MOST_CALLS: Final = 400
LONGEST: Final = 200_000
_RUN_BY_OTHERS: Final = nameset(
    "PROMPT_COMMAND PS0 GIT_SSH_COMMAND GIT_EDITOR GIT_PAGER GIT_EXTERNAL_DIFF GIT_ASKPASS SSH_ASKPASS PAGER"
    " MANPAGER EDITOR VISUAL LESSOPEN"
    " GIT_SEQUENCE_EDITOR GIT_PROXY_COMMAND BROWSER"
)
"""Variables whose text some program hands to a shell."""


def read_shell(
    text: str, *, cwd: str = "", within: "_Walk | None" = None, shares: bool = False, **context: Any
) -> Script:
    """Parse a text and everything inside it that is again shell text."""
    walk = _Walk(cwd=cwd, context=context, depth=within.depth + 1 if within else 0)
    if within is not None:
        walk.words.variables, walk.files = dict(within.words.variables), within.files
    if len(text) > LONGEST:
        walk.script.unread.append("the text is too long to be read whole")
        text = text[:LONGEST]
    text, hidden = cleaned(text.replace(HOME, "$HOME"))
    if hidden:
        walk.script.unread.append("there are invisible or control characters in it")
    root, broken = tree_of(text)
    if broken:
        walk.script.unread.append("it is not complete shell text")
    try:
        walk.block(root)
    except RecursionError:
        walk.script.unread.append("it is nested too deeply")
    if broken:
        _guess(text, walk)
    if within is not None and shares:
        within.words.variables, within.cwd = walk.words.variables, walk.cwd
    return walk.script


def _guess(text: str, walk: "_Walk") -> None:
    """Pick programs out of broken text line by line, so that a missing bracket hides nothing."""
    for piece in re.split(r"[\n;&|(){}]+|\b(?:then|do|else)\b", text)[:MOST_CALLS]:
        fields = [field.strip("'\"\\") for field in piece.replace(",", " ").split()]
        if fields:
            walk.run(
                [Word(re.sub(r"[\\'\"]", "", item), known=False, glob="*" in item) for item in fields], plain=False
            )


@dataclass(slots=True)
class _Walk:
    cwd: str = ""
    context: dict[str, Any] = field(default_factory=dict[str, Any])
    depth: int = 0
    level: int = 0
    script: Script = field(default_factory=Script)
    branches: int = 0
    words: Words = field(init=False)
    files: dict[str, str] = field(default_factory=dict[str, str])
    """Files that this text itself has written, where what it wrote is certain."""

    def __post_init__(self) -> None:
        self.words = Words(inner=self._substituted)

    # Statements.

    def block(self, node: Node) -> None:
        for child in node.named_children:
            self.statement(child)

    def statement(
        self,
        node: Node,
        redirects: tuple[Redirect, ...] = (),
        stdin: str | None = None,
        fed_by: tuple[Call, ...] = (),
    ) -> list[Call]:
        """Walk one statement; the calls that it makes come back, for the rest of a pipeline."""
        if self.level > DEEPEST or len(self.script.calls) > MOST_CALLS:
            if "it is too large or nested too deeply" not in self.script.unread:
                self.script.unread.append("it is too large or nested too deeply")
            return []
        before = len(self.script.calls)
        self.level += 1
        kind = node.type
        if redirects and kind in WITHOUT_PROGRAM:
            self._block_redirects(redirects, fed_by)
        if kind == "command":
            self._command(node, redirects, stdin, fed_by)
        elif kind == "redirected_statement":
            self._redirected(node, redirects, stdin, fed_by)
        elif kind == "pipeline":
            self._pipeline(node.named_children, redirects, stdin, fed_by)
        elif kind in ("variable_assignment", "variable_assignments"):
            self._assign(node)
        elif kind in ("declaration_command", "unset_command"):
            self._declare(node)
        elif kind in ("for_statement", "c_style_for_statement"):
            self._for(node, stdin, fed_by)
        elif kind == "function_definition":
            self._function(node)
        elif kind == "subshell":
            cwd, variables = self.cwd, dict(self.words.variables)
            self._children(node, redirects, stdin, fed_by)
            self.cwd, self.words.variables = cwd, variables
        elif kind in ("comment", "heredoc_body", "heredoc_end", "heredoc_start", "file_descriptor"):
            pass
        else:
            self.script.odd |= kind not in ("program", "list", "negated_command")
            self.branches += kind in BRANCHES
            self._children(node, redirects, stdin, fed_by)
            self.branches -= kind in BRANCHES
        self.level -= 1
        return self.script.calls[before:]

    def _children(
        self, node: Node, redirects: tuple[Redirect, ...], stdin: str | None, fed_by: tuple[Call, ...]
    ) -> None:
        statements = [child for child in node.named_children if child.type not in WORDS]
        last = statements[-1] if node.type in ("list", "negated_command") and statements else None
        if redirects and last is None:
            self._block_redirects(redirects, fed_by)
        for child in node.named_children:
            if child.type in WORDS:
                self.words.read(child)
            else:
                self.statement(child, redirects if child == last else (), stdin, fed_by)

    def _block_redirects(self, redirects: tuple[Redirect, ...], fed_by: tuple[Call, ...]) -> None:
        self.script.calls.append(Call(name="(block)", redirects=redirects, fed_by=fed_by, cwd=self.cwd, **self.context))

    def _pipeline(
        self, stages: list[Node], redirects: tuple[Redirect, ...], stdin: str | None, fed_by: tuple[Call, ...]
    ) -> None:
        for stage in stages:
            calls = self.statement(stage, redirects if stage is stages[-1] else (), stdin, fed_by)
            fed_by = (*fed_by, *(calls or [Call(name="(block)")]))
            # Only a stage that is one program has output that is certain.
            stdin = printed(calls[-1].name, calls[-1].texts, calls[-1].stdin) if len(calls) == 1 else None

    def _redirected(
        self, node: Node, redirects: tuple[Redirect, ...], stdin: str | None, fed_by: tuple[Call, ...]
    ) -> None:
        body = node.child_by_field_name("body")
        after: list[Node] = []
        for child in node.named_children:
            if child == body:
                continue
            if child.type == "heredoc_redirect":
                text, more, following = self._heredoc(child)
                stdin, redirects = text, (*redirects, *more)
                after.extend(following)
            elif child.type == "herestring_redirect":
                stdin = self._here_string(child)
            elif child.type == "file_redirect":
                redirects = (*redirects, *self._redirect(child))
        if body is None:
            self.script.calls.append(Call(name="", redirects=redirects, cwd=self.cwd, **self.context))
            return
        calls = self.statement(body, redirects, stdin, fed_by)
        for follower in after:
            output = printed(calls[-1].name, calls[-1].texts, calls[-1].stdin) if len(calls) == 1 else None
            if follower.type == "pipeline":
                self._pipeline(follower.named_children, (), output, tuple(calls))
            else:
                self.statement(follower, (), output, tuple(calls))

    def _heredoc(self, node: Node) -> tuple[str, tuple[Redirect, ...], list[Node]]:
        text, redirects, after = "", tuple[Redirect, ...](), list[Node]()
        start = next((text_of(child) for child in node.named_children if child.type == "heredoc_start"), "")
        for child in node.named_children:
            if child.type == "heredoc_body":
                literal = any(mark in start for mark in "'\"\\")
                text = text_of(child) if literal else self._filled(child)
            elif child.type == "file_redirect":
                redirects = (*redirects, *self._redirect(child))
            elif child.type not in ("heredoc_start", "heredoc_end", "file_descriptor"):
                after.append(child)
        return text, redirects, after

    def _filled(self, body: Node) -> str:
        """A here-document with its variables in place; its substitutions run, so they are walked too."""
        raw, at, parts = body.text, body.start, list[str]()
        for child in body.named_children:
            if child.type == "heredoc_content":
                continue
            parts.append(raw[at - body.start : child.start - body.start])
            parts.append(self.words.value(child)[-1])
            at = child.end
        parts.append(raw[at - body.start :])
        return "".join(parts)

    def _here_string(self, node: Node) -> str:
        return "".join(self.words.value(child)[-1] for child in node.named_children if child.type in WORDS)

    def _redirect(self, node: Node) -> tuple[Redirect, ...]:
        operator = next((child.type for child in node.children if not child.is_named), ">")
        target = node.child_by_field_name("destination")
        if target is None:
            return ()
        return tuple(Redirect(operator, word.text, word.glob) for word in self.words.read(target))

    # Words and variables.

    def _command(
        self, node: Node, redirects: tuple[Redirect, ...], stdin: str | None, fed_by: tuple[Call, ...]
    ) -> None:
        words: list[Word] = []
        plain = True
        for child in node.children:
            if child.type == "variable_assignment":
                plain = False
                self._value(child)
            elif child.type == "file_redirect":
                redirects = (*redirects, *self._redirect(child))
            elif child.type == "herestring_redirect":
                stdin = self._here_string(child)
            elif child.type == "command_name":
                words.extend(self.words.read(child.children[0] if child.child_count == 1 else child))
            elif child.is_named:
                words.extend(self.words.read(child))
            elif child.type in ("==", "=~", "$"):
                words.append(Word(child.type))
        plain = plain and all(word.known for word in words)
        self.run(words, plain=plain, redirects=redirects, stdin=stdin, fed_by=fed_by)

    def _assign(self, node: Node) -> None:
        self.script.odd = True
        for part in node.named_children if node.type == "variable_assignments" else [node]:
            name, values = self._value(part)
            self._set(name, values)

    def _set(self, name: str, values: tuple[str, ...]) -> None:
        old = self.words.variables.get(name, ()) if self.branches else ()
        self.words.variables[name] = (*old, *values)[-16:]

    def _value(self, node: Node) -> tuple[str, tuple[str, ...]]:
        name = node.child_by_field_name("name")
        value = node.child_by_field_name("value")
        values = self.words.value(value) if value is not None else ("",)
        written = text_of(name) if name is not None else ""
        if any(child.type == "+=" for child in node.children):
            old = self.words.variables.get(written, ("",))
            values = tuple(head + tail for head in old for tail in values)[:16]
        if written in _RUN_BY_OTHERS:
            for value_text in values:
                read = read_shell(value_text, cwd=self.cwd, within=self, **self.context)
                self.script.calls.extend(read.calls[:MOST_CALLS])
        return written, values

    def _declare(self, node: Node) -> None:
        self.script.odd = True
        for child in node.named_children:
            if child.type == "variable_assignment":
                self._set(*self._value(child))
            elif child.type in WORDS:
                self.words.read(child)

    def _for(self, node: Node, stdin: str | None, fed_by: tuple[Call, ...]) -> None:
        self.script.odd = True
        variable = node.child_by_field_name("variable")
        values = node.children_by_field_name("value")
        texts = tuple(word.text for value in values for word in self.words.read(value))[:16]
        if variable is not None:
            self.words.variables[text_of(variable)] = texts or (UNKNOWN,)
        self.branches += 1
        for child in node.named_children:
            if child.type in ("do_group", "compound_statement"):
                self.statement(child, (), stdin, fed_by)
        self.branches -= 1

    def _function(self, node: Node) -> None:
        self.script.odd = True
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name is not None and body is not None:
            if re.search(rf"(?<![\w-]){re.escape(text_of(name))}\s*\|\s*{re.escape(text_of(name))}\s*&", text_of(body)):
                self.script.calls.append(Call(name=":fork-bomb", **self.context))
            self.branches += 1
            self.statement(body)
            self.branches -= 1

    def _substituted(self, node: Node) -> str | None:
        self.script.odd = True
        cwd, variables = self.cwd, dict(self.words.variables)
        calls: list[Call] = []
        for child in node.named_children:
            calls.extend(self.statement(child))
        self.cwd, self.words.variables = cwd, variables
        if node.type == "process_substitution" or not calls:
            return None
        return printed(calls[-1].name, calls[-1].texts, calls[-1].stdin)

    # Programs.

    def run(
        self,
        words: list[Word],
        *,
        plain: bool,
        redirects: tuple[Redirect, ...] = (),
        stdin: str | None = None,
        fed_by: tuple[Call, ...] = (),
    ) -> None:
        """Note a call, and everything that it runs in turn."""
        while words and not words[0].text:
            words = words[1:]
        if not words:
            if redirects:
                self.script.calls.append(
                    Call(name="", redirects=redirects, cwd=self.cwd, fed_by=fed_by, **self.context)
                )
            return
        name = re.split(r"[/\\]", words[0].text.rstrip("/"))[-1] or words[0].text
        call = Call(
            name=name.lower().removesuffix(".exe"),
            path=words[0].text,
            args=tuple(words[1:]),
            cwd=self.cwd,
            redirects=redirects,
            stdin=stdin,
            fed_by=fed_by,
            plain=plain,
            **self.context,
        )
        self.script.calls.append(call)
        if call.name in ("cd", "pushd", "chdir"):
            self._move(call)
            return
        if call.name in ("read", "mapfile", "readarray", "getopts", "printf"):
            for word in call.args:
                if re.fullmatch(r"[A-Za-z_]\w*", word.text) and (call.name != "printf" or "-v" in call.texts):
                    self.words.variables[word.text] = (UNKNOWN,)
        if self.depth > 8:
            self.script.unread.append("it is nested too deeply")
            return
        self._remember(call)
        for inner in (*unwrapped(call), *self._written(call)):
            context = {**self.context, "elsewhere": inner.elsewhere or self.context.get("elsewhere", "")}
            if inner.text is not None:
                shares = call.name == "eval"
                read = read_shell(inner.text, cwd=inner.cwd or self.cwd, within=self, shares=shares, **context)
                self.script.calls.extend(read.calls[:MOST_CALLS])
                self.script.unread.extend(read.unread)
                self.script.odd = True
            else:
                nested = _Walk(cwd=inner.cwd or self.cwd, context=context, depth=self.depth + 1)
                nested.files = self.files
                nested.run(list(inner.words), plain=plain, redirects=(), stdin=stdin, fed_by=fed_by)
                self.script.calls.extend(nested.script.calls)
                self.script.unread.extend(nested.script.unread)
                self.script.odd |= nested.script.odd

    def _remember(self, call: Call) -> None:
        text = printed(call.name, call.texts, call.stdin)
        for redirect in call.redirects:
            if redirect.operator in (">", ">|", ">>") and text is not None:
                self.files[redirect.target.removeprefix("./")] = text
        if call.name == "tee" and call.stdin is not None:
            self.files.update({target.removeprefix("./"): call.stdin for target in call.texts if target[:1] != "-"})

    def _written(self, call: Call) -> Iterator[Inner]:
        """A file that was written a moment ago and is run now: its text is known."""
        script = next((text for text in call.texts if text[:1] != "-"), "")
        run = script if call.name in SHELLS or call.name in ("source", ".") else call.path if "/" in call.path else ""
        text = self.files.get(run.removeprefix("./"))
        if text is not None:
            yield Inner(text=text)

    def _move(self, call: Call) -> None:
        targets = [text for text in call.texts if not text.startswith("-") or text == "-"]
        target = targets[0] if targets else "~"
        if target == "-":
            target = UNKNOWN
        joined = target if target.startswith(("/", "~", UNKNOWN)) or not self.cwd else f"{self.cwd}/{target}"
        self.cwd = joined
