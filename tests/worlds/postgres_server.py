"""A real PostgreSQL server for the tests: its own directory, a unix socket, gone when the tests end."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """The newest directory that holds a server."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    found += [path.parent for path in Path("/opt/homebrew/opt").glob("postgresql*/bin/initdb")]
    onpath = shutil.which("initdb")
    if not found and onpath is not None and shutil.which("postgres"):
        return Path(onpath).resolve().parent
    return max(found, default=None, key=lambda path: float(path.parent.name) if path.parent.name.isdigit() else 0.0)


def unprivileged() -> tuple[str, list[str]] | None:
    """Who runs the server, and how to become them: it refuses to run as root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name, []
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        if shutil.which("setpriv"):
            return name, ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        if shutil.which("runuser"):
            return name, ["runuser", "-u", name, "--"]
    return None


def missing() -> str | None:
    if binaries() is None:
        return "no PostgreSQL server here: install the package postgresql to run these tests"
    if unprivileged() is None:
        return "PostgreSQL refuses to run as root, and neither setpriv nor runuser is here"
    return None


@contextmanager
def server() -> Generator[str]:
    """A running server; yields how to connect to it."""
    folder, become = binaries(), unprivileged()
    assert folder is not None
    assert become is not None
    user, prefix = become
    # A short path: the name of a unix socket may have 107 bytes.
    home = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        if os.geteuid() == 0:
            shutil.chown(home, user)
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": str(home)}

        def run(*command: str) -> None:
            subprocess.run([*prefix, *command], check=True, cwd=home, env=environment, stdout=subprocess.DEVNULL)

        data = str(home / "data")
        run(str(folder / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8")
        options = f"-k {home} -c listen_addresses='' -c fsync=off -c max_connections=20 -c shared_buffers=8MB"
        control = str(folder / "pg_ctl")
        run(control, "-D", data, "-o", options, "-l", str(home / "log"), "-w", "start")
        try:
            yield f"host={home} user=postgres dbname=postgres"
        finally:
            run(control, "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)
