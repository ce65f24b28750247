"""A real PostgreSQL server for the tests: its own directory, a unix socket, gone when the tests end."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

SCHEMA = """
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
CREATE TABLE team(id serial PRIMARY KEY, name text UNIQUE);
CREATE TABLE member(
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  team int REFERENCES team ON DELETE CASCADE, name text NOT NULL);
CREATE TABLE promise(id int PRIMARY KEY, other int REFERENCES promise DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE log(what text);
CREATE TABLE reading(day int, temp float) PARTITION BY RANGE (day);
CREATE TABLE reading_one PARTITION OF reading FOR VALUES FROM (0) TO (10);
CREATE TABLE reading_two PARTITION OF reading FOR VALUES FROM (10) TO (20);
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO log VALUES ('gone ' || old.name); RETURN old; END $$;
CREATE TRIGGER gone AFTER DELETE ON member FOR EACH ROW EXECUTE FUNCTION noted();
CREATE FUNCTION sly() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_reload_conf(); END $$;
CREATE FUNCTION slier() RETURNS int LANGUAGE sql AS $$ SELECT 1 FROM (SELECT sly()) s $$;
CREATE FUNCTION dynamic(t text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE t; END $$;
CREATE VIEW peek AS SELECT pg_reload_conf() AS done;
CREATE VIEW peek_again AS SELECT * FROM peek;
CREATE TABLE trap(a int);
CREATE FUNCTION spring() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM sly(); RETURN new; END $$;
CREATE TRIGGER springs BEFORE INSERT ON trap FOR EACH ROW EXECUTE FUNCTION spring();
INSERT INTO team(name) VALUES ('red'), ('blue');
INSERT INTO member(team, name) VALUES (1, 'Ann'), (1, 'Bob'), (2, 'Cid');
INSERT INTO reading VALUES (1, 20.5), (2, 21), (12, 19);
"""
"""What is in it for the tests: cascades, parts, triggers, and functions and views that hide something."""

BEYOND = [
    "COMMIT",
    "DELETE FROM team; COMMIT; SELECT 1",
    "DELETE FROM team; /* ; */ end",
    "ROLLBACK; DELETE FROM team",
    "BEGIN; DELETE FROM team",
    "PREPARE TRANSACTION 'x'",
    "SAVEPOINT a",
    "VACUUM team",
    "COPY team TO '/tmp/x'",
    "COPY team FROM PROGRAM 'id'",
    "CREATE DATABASE other",
    "DROP DATABASE postgres",
    "ALTER SYSTEM SET work_mem = '1MB'",
    "CREATE ROLE mallory",
    "CREATE EXTENSION dblink",
    "CREATE INDEX CONCURRENTLY i ON team(name)",
    "CREATE TEMP TABLE mine(a int)",
    "SELECT 1 INTO TEMP mine",
    "LOAD 'evil'",
    "SET statement_timeout = 0",
    "SELECT set_config('statement_timeout', '0', false)",
    "LISTEN door",
    "LOCK TABLE team",
    "SELECT pg_terminate_backend(1)",
    'SELECT "pg_terminate_backend"(1)',
    "SELECT pg_catalog . /* x */ pg_reload_conf ( )",
    'SELECT U&"pg\\005freload_conf"()',
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/x')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_advisory_lock(1)",
    "SELECT query_to_xml('select pg_reload_conf()', true, true, '')",
    "SELECT pg_switch_wal()",
    "SELECT pg_stat_reset()",
    "SELECT sly()",
    "SELECT slier()",
    "SELECT dynamic('COMMIT')",
    "SELECT * FROM peek",
    "SELECT * FROM peek_again",
    "INSERT INTO trap VALUES (1)",
    "DO $$ BEGIN COMMIT; END $$",
    "DO $$ BEGIN EXECUTE 'select pg_' || 'reload_conf()'; END $$",
    "DO LANGUAGE plpython3u $$ import os $$",
    "CREATE FUNCTION f() RETURNS int LANGUAGE c AS '/tmp/evil.so'",
    "CREATE FUNCTION f() RETURNS bool LANGUAGE sql AS 'SELECT pg_reload_conf()'; SELECT f()",
    "CREATE FUNCTION f() RETURNS bool LANGUAGE/**/internal AS 'pg_reload_conf'; SELECT f()",
    "CREATE FUNCTION f() RETURNS bool LANGUAGE $$internal$$ AS 'pg_reload_conf'; SELECT f()",
    "CREATE FUNCTION f() RETURNS bool AS '--' LANGUAGE E'\\x69nternal'",
    "SELECT lo_unlink(1)",
    "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION noted()",
    "SELECT lastval()",
]
"""What acts outside the transaction, or might."""


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
