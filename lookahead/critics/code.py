"""Programs given as text to an interpreter: Python by its syntax tree, others by the words that matter."""

import ast
import re
from collections.abc import Callable, Iterator
from typing import Final

from lookahead.critics.finding import Finding, caution, danger
from lookahead.critics.losses import deleted, written
from lookahead.critics.nameset import nameset
from lookahead.critics.paths import UNKNOWN, Ground, is_secret, place

Judge = Callable[[str], Iterator[Finding]]

_DELETES: Final = nameset(
    "os.remove os.unlink os.rmdir os.removedirs shutil.rmtree pathlib.Path.unlink pathlib.Path.rmdir"
    " shutil.move os.truncate send2trash.send2trash"
)
_WHOLE: Final = frozenset(("shutil.rmtree", "os.removedirs"))
_SHELLS: Final = nameset(
    "os.system os.popen subprocess.run subprocess.call subprocess.check_call subprocess.check_output"
    " subprocess.Popen subprocess.getoutput subprocess.getstatusoutput os.execv os.execvp os.execl os.execlp"
    " os.spawnl os.spawnv os.posix_spawn pty.spawn commands.getoutput asyncio.create_subprocess_shell"
    " asyncio.create_subprocess_exec anyio.run_process"
)
_SENDS: Final = nameset(
    "requests.post requests.put requests.patch requests.delete requests.request httpx.post httpx.put"
    " httpx.patch httpx.delete httpx.request smtplib.SMTP smtplib.SMTP_SSL socket.socket"
    " socket.create_connection ftplib.FTP paramiko.SSHClient urllib.request.urlopen urllib.request.Request"
    " http.client.HTTPSConnection http.client.HTTPConnection"
)
_HIDDEN: Final = nameset(
    "eval exec compile __import__ getattr importlib.import_module ctypes.CDLL marshal.loads pickle.loads"
)
_METHODS: Final = {"unlink": False, "rmdir": False, "rmtree": True}


def python(text: str, ground: Ground, cwd: str, shell: Judge, sql: Judge) -> Iterator[Finding]:
    """What Python text does to files, programs and the network."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        yield caution("code.unread", "the Python text cannot be parsed", "what it would do cannot be told")
        yield from other(text, shell)
        return
    names: dict[str, str] = {}
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update(
                {
                    (alias.asname or alias.name.partition(".")[0]): (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
                    for alias in node.names
                }
            )
        elif isinstance(node, ast.ImportFrom):
            names.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    for node in nodes:
        if isinstance(node, ast.Call):
            yield from _call(node, names, ground, cwd, shell, sql)


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, names)}.{node.attr}"
    if isinstance(node, ast.Call):
        called = _dotted(node.func, names)
        if called == "__import__" and node.args and isinstance(node.args[0], ast.Constant):
            return str(node.args[0].value)
        return called
    return ""


def _constant(node: ast.expr | None) -> str | None:
    """A text that is certain; a list of words as one command line."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        return node.value if isinstance(node.value, str) else node.value.decode(errors="replace")
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else UNKNOWN for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _constant(node.left), _constant(node.right)
        return None if left is None and right is None else (left or UNKNOWN) + (right or UNKNOWN)
    if isinstance(node, ast.List | ast.Tuple):
        words = [_constant(item) for item in node.elts]
        return " ".join("'" + (word if word is not None else UNKNOWN).replace("'", "'\\''") + "'" for word in words)
    if isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Name | ast.Attribute):
        name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        return (
            _constant(node.args[0]) if name in ("Path", "PurePath", "str", "expanduser", "abspath", "fspath") else None
        )
    return None


def _call(
    node: ast.Call, names: dict[str, str], ground: Ground, cwd: str, shell: Judge, sql: Judge
) -> Iterator[Finding]:
    called = _dotted(node.func, names)
    first = _constant(
        node.args[0] if node.args else next((k.value for k in node.keywords if k.arg in ("path", "args", "cmd")), None)
    )
    method = called.rpartition(".")[2]
    if called in _SHELLS or (method in ("system", "popen") and called.count(".") == 1 and called.startswith("os.")):
        if first is None:
            yield caution("code.runs-program", f"{called} runs a program", "which one will be known only when it runs")
        else:
            yield from shell(first)
    elif called in _DELETES or (method in _METHODS and isinstance(node.func, ast.Attribute)):
        target = (
            first
            if called in _DELETES
            else _constant(node.func.value)
            if isinstance(node.func, ast.Attribute)
            else None
        )
        whole = called in _WHOLE or method == "rmtree"
        found = deleted(
            place(target or UNKNOWN, glob=False, cwd=cwd, ground=ground), verb=f"{method} deletes", whole=whole
        )
        if found is not None:
            yield found
    elif called in ("open", "io.open") or method in ("write_text", "write_bytes"):
        yield from _opened(node, called, method, first, ground, cwd)
    elif called in _SENDS:
        yield caution(
            "leaves.request", f"{called} speaks to {first or 'another machine'}", "no copy shows what that does"
        )
    elif called in _HIDDEN:
        if (
            called == "getattr"
            and len(node.args) > 1
            and isinstance(node.args[1], ast.Constant)
            and node.args[1].value not in ("system", "remove", "rmtree", "unlink", "popen")
        ):
            return
        if called in ("exec", "eval", "compile") and first is not None and UNKNOWN not in first:
            yield from python(first, ground, cwd, shell, sql)
        else:
            yield caution(
                "code.hidden",
                f"{called} runs what cannot be read here",
                "text that is made up while it runs hides what it does",
            )
    elif method in ("execute", "executescript", "executemany") and first is not None:
        yield from sql(first)


def _opened(node: ast.Call, called: str, method: str, first: str | None, ground: Ground, cwd: str) -> Iterator[Finding]:
    if method.startswith("write_"):
        target, mode = (_constant(node.func.value) if isinstance(node.func, ast.Attribute) else None), "w"
    else:
        given = node.args[1] if len(node.args) > 1 else next((k.value for k in node.keywords if k.arg == "mode"), None)
        target, mode = first, _constant(given) if given is not None else "r"
    if mode is None or set(mode) & set("wax+"):
        found = written(
            place(target or UNKNOWN, glob=False, cwd=cwd, ground=ground), verb="writes", appended="a" in (mode or "")
        )
        if found is not None:
            yield found
    elif target is not None and is_secret(target):
        yield caution("secrets.read", f"reads {target}", "keys that were read can be passed on", loses=False)


_GRAVE: Final = re.compile(
    r"\b(rmtree|remove_tree|rmSync|rmdirSync|rm_rf|rm_r|remove_entry|fs\.rm|fs\.promises\.rm|rimraf|deleteSync|removeSync|Remove-Item|dropDatabase)\b"
    r"|\.drop\(\)|(delete|remove)(Many)?\(\s*\{\s*\}\s*[,)]"
)
_LIGHT: Final = re.compile(
    r"\b(unlink|unlinkSync|rmdir|File\.delete|File\.unlink|FileUtils|fs\.write|writeFileSync|writeFile|truncate|deleteMany|deleteOne|updateMany|remove|rename|eval|exec|fetch|Net::HTTP"
    r"|LWP|http\.request|https\.request|net\.connect|IO::Socket|child_process|spawn|file_put_contents|passthru|shell_exec|proc_open|socket)\b"
)
_RUNS: Final = re.compile(
    r"""\b(?:system|exec|execSync|spawnSync|spawn|popen|passthru|shell_exec|os\.execute|qx)\b\s*\(?\s*(['"`{])(.*?)(?<!\\)['"`}]""",
    re.DOTALL,
)


def other(text: str, shell: Judge) -> Iterator[Finding]:
    """Perl, Ruby, JavaScript, PHP, Lua, mongo: no tree, so the words that matter; shell text in quotes is parsed."""
    for match in _RUNS.finditer(text):
        yield from shell(match.group(2))
    for inside in re.findall(r"`([^`$]+)`", text):
        yield from shell(inside)
    if match := _GRAVE.search(text):
        yield danger(
            "code.deletes", f"the code uses {match.group(0)}", "whole folders or collections go with it", reach="files"
        )
    elif match := _LIGHT.search(text):
        yield caution("code.unread", f"the code uses {match.group(0)}", "what it would do cannot be told from its text")
