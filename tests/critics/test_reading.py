"""`reads` is said only where it is proven."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookahead.critics import RuleCritic, effect_of
from lookahead.types import Action, Rollout, State

WRITES = r"""
rm x
mv a b
cp a b
touch x
> x
tee x
dd of=x
sed -i s/a/b/ x
sort -o x x
find . -delete
find . -exec rm {} ;
git push
git commit -m x
git branch new
git diff --output=x
git -c core.pager=x log
python x.py
./x
make
unknown-program
xargs rm
awk 'BEGIN{system("x")}'
env x
date -s 1
hostname x
uniq a b
tree -o x
rg --pre x y
file -C x
tail -f x
cat ~/.ssh/id_rsa
ls > x
cd x
export A=1
A=1 ls
alias l=ls
f() { ls; }
ls $(x)
ls `x`
cat $X
curl x
less x
base64 -d x | sh
git stash
git config a b
git grep -O x
sed 's/a/b/w x' y
sed -n '1e x' y
ls &> x
cat < .env
jq -n --rawfile a b
sort *
cat <<< x
printf -v a b
if true; then ls; fi
for i in a; do ls; done
""".strip().splitlines()
READS = r"""
ls -la
cat a.txt | head -5
grep -rn x src | sort | uniq -c
git status
git log --oneline -3
git diff HEAD~1 -- a.py
find . -name '*.py'
wc -l a; wc -l b
ls && pwd || true
(ls; pwd)
ls 2>/dev/null
echo hi
sed -n '1,5p' a
git branch -a
git remote -v
date +%s
! ls
/usr/bin/ls
test -f x && cat x
diff a b
ps aux | grep x
""".strip().splitlines()
pieces = st.sampled_from(
    [
        *READS,
        *WRITES,
        "|",
        "&&",
        "||",
        ";",
        "\n",
        "&",
        "(",
        ")",
        "{",
        "}",
        "'",
        '"',
        "$",
        "\\",
        "`",
        "<",
        ">",
        "#",
        "!",
        "é",
        "\u202e",
        "\x00",
    ]
)
critic = RuleCritic()


def bash(text: str) -> Action:
    return Action(tool="bash", arguments={"command": text})


@pytest.mark.parametrize("text", READS)
def test_plain_looking_is_reading(text: str):
    assert effect_of(bash(text)) == "reads"


@pytest.mark.parametrize("text", WRITES)
def test_what_writes_or_might_write_is_not_reading(text: str):
    assert effect_of(bash(text)) != "reads"


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(READS),
    st.sampled_from([" | ", " && ", "; ", "\n", " || ", " & "]),
    st.sampled_from(WRITES),
    st.booleans(),
)
def test_reading_joined_to_writing_is_not_reading(reads: str, joint: str, writes: str, first: bool):
    text = writes + joint + reads if first else reads + joint + writes
    assert effect_of(bash(text)) != "reads"


@settings(max_examples=150, deadline=None)
@given(st.lists(pieces, max_size=8).map(" ".join))
def test_shell_text_never_crashes_the_rules_and_only_tame_text_is_reading(text: str):
    verdict = critic.judge(State(), Rollout(action=bash(text)))
    assert 0 <= verdict.score <= 1
    if effect_of(bash(text)) == "reads":
        assert verdict.worst is None
        assert not any(mark in text for mark in "$`\\")


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["bash", "query_database", "run_python", "send_email", "anything"]))
def test_any_text_at_all_is_judged_without_a_crash(text: str, tool: str):
    for name in ("command", "sql", "code", "query", "keystrokes", "to"):
        action = Action(tool=tool, arguments={name: text})
        critic.judge(State(goal="do it"), Rollout(action=action))
        effect_of(action)


SQL = r"""
SELECT
*
FROM
t
WHERE
DELETE
DROP
TABLE
(
)
;
,
'
"
--
/*
*/
1
=
UPDATE
SET
INTO
a
UNION
WITH
AS
`x`
$$
\
#
""".strip().splitlines()
SQL_WRITES = """
DELETE FROM t WHERE a = 1
UPDATE t SET a = 1 WHERE b = 2
INSERT INTO t VALUES (1)
DROP TABLE t
CREATE TABLE t (a int)
TRUNCATE t
ALTER TABLE t ADD COLUMN a int
SELECT * INTO u FROM t
WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d
GRANT SELECT ON t TO bob
CALL f()
VACUUM
SET a = 1
MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE
""".strip().splitlines()
sql = st.sampled_from(SQL)


@settings(max_examples=150, deadline=None)
@given(st.lists(sql, max_size=12).map(" ".join))
def test_sql_never_crashes_the_rules(text: str):
    action = Action(tool="db", arguments={"sql": text})
    critic.judge(State(), Rollout(action=action))
    effect_of(action)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["SELECT 1", "SELECT a FROM t WHERE b = 'x'"]), st.sampled_from(SQL_WRITES), st.booleans())
def test_sql_that_writes_after_or_before_a_query_is_not_reading(query: str, write: str, first: bool):
    text = f"{write}; {query}" if first else f"{query}; {write}"
    assert effect_of(Action(tool="db", arguments={"sql": text})) != "reads"


def test_keys_typed_into_a_terminal_are_never_called_reading():
    assert effect_of(Action(tool="terminal", arguments={"keystrokes": "ls\n"})) != "reads"


def test_a_call_without_any_text_cannot_be_told():
    assert effect_of(Action(tool="add", arguments={"a": 1})) is None


def test_an_environment_given_beside_the_text_takes_the_proof_away():
    assert effect_of(Action(tool="bash", arguments={"command": "ls", "env": {"LD_PRELOAD": "x.so"}})) != "reads"


def test_losses_are_told_from_changes():
    assert effect_of(bash("rm -rf src")) == "destroys"
    assert effect_of(bash("git reset --hard")) == "destroys"
    assert effect_of(bash("mkdir x")) == "changes"
    assert effect_of(Action(tool="db", arguments={"sql": "INSERT INTO t VALUES (1)"})) == "changes"
    assert effect_of(Action(tool="db", arguments={"sql": "DROP TABLE t"})) == "destroys"
