"""What SQL can lose or open, in the dialects that it may be written in."""

import pytest

from lookahead.critics import effect_of


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("DELETE FROM users", "danger"),
        ("DELETE FROM users WHERE 1 = 1", "danger"),
        ("DELETE FROM users WHERE id = id", "danger"),
        ("DELETE FROM users WHERE id = 3 OR 'a' = 'a'", "danger"),
        ("DELETE FROM users WHERE NOT FALSE", "danger"),
        ("DELETE FROM users WHERE id = 3", "caution"),
        ("DELETE FROM users WHERE id = 3 AND 1 = 1", "caution"),
        ("UPDATE users SET a = 1", "danger"),
        ("UPDATE users SET a = 1 WHERE id = 3", "note"),
        ("DROP TABLE a, b", "danger"),
        ("DROP VIEW v", "caution"),
        ("DROP TEMPORARY TABLE t", "note"),
        ("TRUNCATE a", "danger"),
        ("ALTER TABLE t DROP COLUMN a", "danger"),
        ("ALTER TABLE t ADD COLUMN a int", "note"),
        ("SELECT 'DROP TABLE x'", "nothing"),
        ("SELECT 1; DROP TABLE x", "danger"),
        ("WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d", "danger"),
        ("EXPLAIN DELETE FROM t", "nothing"),
        ("EXPLAIN ANALYZE DELETE FROM t", "danger"),
        ("EXPLAIN (ANALYZE, VERBOSE) DELETE FROM t", "danger"),
        ("COPY t TO PROGRAM 'sh'", "danger"),
        ("SELECT a INTO OUTFILE '/tmp/x' FROM t", "danger"),
        ("EXEC master..xp_cmdshell 'dir'", "danger"),
        ("GRANT SELECT ON t TO PUBLIC", "danger"),
        ("INSERT INTO t VALUES (1)", "nothing"),
        ("CREATE TABLE t (a int)", "nothing"),
        ("this is not SQL", "caution"),
        ("SELECT FROM WHERE ((", "caution"),
    ],
)
def test_how_bad_a_statement_is(text: str, severity: str, judge):
    assert judge.severity(text, "sql") == severity


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1--1; DELETE FROM t",
        "SELECT 'a\\'; DROP TABLE t; --'",
        "SELECT 1 /*!50000 ; DROP TABLE t */",
        "SELECT 1 # x\n; DELETE FROM t",
        "SELECT $$a$$; DROP TABLE t",
    ],
)
def test_text_that_dialects_read_differently_is_judged_by_the_worst_reading(text: str, judge):
    assert judge.severity(text, "sql") == "danger"
    assert effect_of(judge.action(text, "sql")) != "reads"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM t WHERE a = 1",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "SELECT count(*), now() FROM t",
        "SHOW TABLES",
        "PRAGMA table_info(t)",
        "EXPLAIN SELECT 1",
        "SELECT 1; SELECT 2",
    ],
)
def test_queries_that_only_compute_are_reading(text: str, judge):
    assert effect_of(judge.action(text, "sql")) == "reads"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM t FOR UPDATE",
        "SELECT * INTO u FROM t",
        "SELECT nextval('s')",
        "SELECT my_function(1)",
        "SELECT lo_unlink(1)",
        "PRAGMA user_version = 3",
        "EXPLAIN ANALYZE SELECT f()",
        "SET x = 1",
        "BEGIN",
        "VACUUM",
        "CALL f()",
        "",
        ";",
    ],
)
def test_nothing_that_could_write_is_called_reading(text: str, judge):
    assert effect_of(judge.action(text, "sql")) != "reads"
