"""An exact copy clears SQL only when it has looked into the database, not when it saw a file change."""

import pytest

from lookahead.critics import RuleCritic
from lookahead.types import Action, Effect, Observation, Origin, Rollout, State, Step

FILE = Effect(happened="changed", target="app.db", what="file", before=8192, after=8192, unit="bytes", recoverable=True)
ROWS = Effect(happened="deleted", target="t", what="row", before=0, after=0, unit="rows", detail="0 of 90 rows")


def worst(sql: str, *effects: Effect, world: str = "fork:directory", argument: str = "sql", tool: str = "query") -> str:
    action = Action(tool=tool, arguments={argument: sql})
    seen = Observation(effects=effects, origin=Origin(kind="exact", world=world))
    hazard = RuleCritic().judge(State(), Rollout(action=action, steps=(Step(action=action, observation=seen),))).worst
    return hazard.severity if hazard else "nothing"


DESTROYS = [
    "drop table customers",
    "update customers set a = 0",
    "delete from customers",
    "delete from t where a < 500",
]


@pytest.mark.parametrize("sql", DESTROYS)
def test_a_changed_file_clears_no_sql(sql: str):
    assert worst(sql, FILE) in ("caution", "danger")
    assert worst(sql) in ("caution", "danger")
    code = f"import sqlite3\nsqlite3.connect('app.db').execute({sql!r})"
    assert worst(code, FILE, argument="code", tool="run_python") in ("caution", "danger")


@pytest.mark.parametrize("sql", DESTROYS)
def test_rows_that_a_copy_has_counted_do(sql: str):
    assert worst(sql, ROWS.model_copy(update={"happened": "created"})) == "nothing"
    assert worst(sql, world="fork:sqlite") == "nothing"


def test_sql_that_only_adds_or_reads_is_not_questioned():
    assert worst("insert into t values (1, 2)", FILE) in ("nothing", "note")
    assert worst("create table t (a, b)", FILE) in ("nothing", "note")
    assert worst("select * from t") == "nothing"
