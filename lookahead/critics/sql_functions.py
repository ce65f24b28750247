"""Functions in SQL: which only compute, and which reach for files, programs, other servers or sequences."""

from collections.abc import Iterator
from typing import Any, Final

from lookahead.critics.finding import Finding, caution, danger
from lookahead.critics.nameset import nameset

_RUNS: Final = frozenset(
    ["sys_exec", "sys_eval", "xp_cmdshell", "load_extension", "pg_execute_server_program", "shell", "exec_cmd"]
)
_FILES: Final = nameset(
    "lo_export lo_import pg_read_file pg_read_binary_file pg_ls_dir pg_stat_file load_file readfile writefile"
    " edit pg_write_file pg_file_write pg_file_unlink pg_file_rename lo_from_bytea openrowset opendatasource"
    " bfilename utl_file"
)
_SERVERS: Final = nameset(
    "dblink dblink_exec dblink_connect dblink_send_query http_get http_post http_put http_delete openquery url"
)
_STOPS: Final = frozenset(
    ["pg_terminate_backend", "pg_cancel_backend", "pg_reload_conf", "pg_rotate_logfile", "pg_promote", "pg_switch_wal"]
)
_LOSES: Final = frozenset(["lo_unlink", "pg_drop_replication_slot", "pg_replication_slot_advance", "drop_chunks"])
_HIDES: Final = frozenset(["query_to_xml", "database_to_xml", "table_to_xml", "cursor_to_xml", "xmlquery"])


PURE: Final = nameset(
    "now version date time datetime strftime julianday unixepoch ifnull nvl typeof printf format instr substr hex"
    " quote glob total changes random age"
    " current_database current_schema database user schema char_length octet_length lpad rpad position strpos left"
    " right reverse repeat md5 sha1 sha2"
    " to_char to_date to_number to_timestamp date_part make_date jsonb_array_length json_array_length json_each"
    " json_type json_valid generate_series"
    " array_length string_agg percentile_cont percentile_disc width_bucket pg_size_pretty pg_relation_size"
    " pg_total_relation_size pg_database_size"
    " pg_table_size obj_description col_description format_type pg_get_indexdef pg_get_viewdef"
    " pg_get_constraintdef last_insert_rowid row_count isnull"
    " isnumeric charindex patindex datename getdate sysdatetime dateadd datediff str iif len"
)
"""Functions that only compute, where sqlglot has no class of its own for them."""


def function_findings(node: Any) -> Iterator[Finding]:
    if type(node).__name__ != "Anonymous":
        return
    name = str(node.this).lower()
    if name in _RUNS:
        yield danger("sql.program-run", f"calls {name}", "it runs programs on the server")
    elif name in _LOSES:
        yield danger("sql.object-deleted", f"calls {name}", "what it deletes does not come back")
    elif name in _FILES:
        yield danger("sql.file-touched", f"calls {name}", "it reads or writes files of the server", loses=False)
    elif name in _SERVERS:
        yield caution("sql.other-server", f"calls {name}", "it speaks to another server")
    elif name in _STOPS:
        yield caution("sql.connection-killed", f"calls {name}", "work of others is cut off")
    elif name in _HIDES:
        yield caution("sql.hidden", f"calls {name}", "it runs SQL that is given as text")
