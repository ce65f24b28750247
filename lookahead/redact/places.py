"""Secrets that show by their place: in addresses, after the flags of known programs, in SQL."""

import re
from collections.abc import Iterator
from typing import Final

from lookahead.redact.fields import basic_password, mark_of
from lookahead.redact.names import Promise, promise
from lookahead.redact.providers import Find
from lookahead.redact.values import mixed, prose, random_like, stands_in

_ADDRESS: Final = re.compile(
    r"://(?P<user>[^\s:/?#\"'<>@\\\x00]{0,128}):(?P<password>(?!\d{1,5}(?:[/?#]))[^\s\"'<>\x00]{1,256})@(?=[\w.\-\[%$"
    r"({]|\Z)"
)
_USER: Final = re.compile(r"://(?P<user>[\w\-.~%+=]{16,256})(?::x-oauth-basic|:)?@")
_BEARER: Final = re.compile(r"bearer[ \t]+(?P<value>[\w\-.~+/]{8,2000}=*)")
_AUTH: Final = re.compile(
    r"(?P<call>auth ?= ?|[Ll]og_?[Ii]n|[Ss]ign_?[Ii]n|authenticate|BasicAuth|Credentials?\]?(?:::new)?)\(\s*"
    r"[\"'][^\"'\n\x00]{1,80}[\"'],\s*[\"'](?P<value>[^\"'\n\x00]{3,200})[\"']"
)
_SECURE: Final = re.compile(r"securestring\s+(?:-string\s+)?[\"'](?P<value>[^\"'\n\x00]{3,200})[\"']")
_CODE: Final = re.compile(r"code(?:\s+is)?\s*[: ]\s*(?P<value>\d{4,10})(?![\w.,]\w)")
_CODE_OF: Final = re.compile(
    r"(?:one.?time|verif\w+|security|log.?in|sign.?in|2fa|mfa|otp|pin|pass|confirm\w*|access|auth\w*)\W{1,3}\Z"
)
_ACCOUNT: Final = re.compile(
    r"(?<![\w/.:@])(?:admin|root|postgres|mysql|sa|administrator|oracle|ubuntu|ec2-user|deploy|guest|ftp|user)"
    r":(?P<value>[^\s:/@\"'<>\x00]{4,64})@[\w.\-]+"
)
_GRANT: Final = re.compile(r"[?&]code=(?P<value>[\w\-.~]{12,400})")
_BODY: Final = re.compile(
    r"secrets? (?:set|create|put|add|update)\b[^\n\x00|;]{0,200}? (?:--body|-b|--value|--secret-string"
    r"|--data)[= ](?P<q>[\"']?)(?P<value>[^\s\"'][^\n\x00\"']{2,300}?)(?:(?P=q)(?=\s|$))"
)
_BASIC: Final = re.compile(r"basic[ \t]+(?P<value>[\w\-+/]{8,2000}=*)")


def addresses(text: str) -> Iterator[Find]:
    """`scheme://user:password@host` and `https://TOKEN@host`."""
    if "://" in text and "@" in text:
        for match in _ADDRESS.finditer(text):
            user, password = match["user"], match["password"]
            # The run goes to the last @, which may belong to a path or to the next address.
            if "://" in password:
                password = password[: password.index("@")] if "@" in password[: password.index("://")] else ""
            elif "/" in password and "@" in password[: password.index("/")]:
                password = password[: password.index("@")]
            if password and not stands_in(password):
                start = match.start("password")
                yield Find(start, start + len(password), "password", password)
            if random_like(user):
                yield Find(match.start("user"), match.end("user"), "token", user)
        for match in _USER.finditer(text):
            if random_like(match["user"]):
                yield Find(match.start("user"), match.end("user"), "token", match["user"])

    if "@" in text:
        for match in _ACCOUNT.finditer(text):
            if mixed(match["value"], 5):
                yield Find(*match.span("value"), "password", match["value"])
    if "code=" in text:
        yield from (
            Find(*one.span("value"), "code", one["value"]) for one in _GRANT.finditer(text) if random_like(one["value"])
        )
    if ":5432:" in text or ":*:" in text:
        for match in _PGPASS.finditer(text):
            if mixed(match["value"], 5):
                yield Find(*match.span("value"), "password", match["value"])


def schemes(text: str, low: str) -> Iterator[Find]:
    """Credentials with the name of their scheme alone."""
    for match in _BEARER.finditer(low):
        value = text[match.start("value") : match.end("value")]
        if (mixed(value, 8) or (len(value) >= 24 and random_like(value + "0"))) and not stands_in(value):
            yield Find(match.start("value"), match.end("value"), "token", value)
    for match in _AUTH.finditer(text):
        if not stands_in(match["value"]) and (match["call"].startswith("auth ") or mixed(match["value"], 5)):
            yield Find(*match.span("value"), "password", match["value"])
    for match in _SECURE.finditer(low):
        yield Find(*match.span("value"), "password", text[slice(*match.span("value"))])
    for match in _CODE.finditer(low):
        if _CODE_OF.search(low[max(match.start() - 24, 0) : match.start()]):
            yield Find(*match.span("value"), "code")
    for match in _BASIC.finditer(low):
        value = text[match.start("value") : match.end("value")]
        password = basic_password(value)
        if password:
            yield Find(match.start("value"), match.end("value"), "authorization")
            yield Find(match.start("value"), match.start("value"), "password", password)


# ---- flags -------------------------------------------------------------------------------------------------------

_V: Final = (
    r"(?:\"(?P<a>[^\"\n\x00]{1,200})\"|'(?P<b>[^'\n\x00]{1,200})'"
    r"|(?P<c>[^\s\"'`|;&<>\x00]{1,200}(?:'[^'\n\x00]{1,200}'|\"[^\"\n\x00]{1,200}\")?))"
)
_FLAG: Final = re.compile(rf" -(?P<flag>[a-z]{{1,2}}|-(?:user|proxy-user))(?P<gap>[ =]?){_V}", re.IGNORECASE)
_LETTER_FLAGS: Final[tuple[tuple[str, str, str], ...]] = (
    # flag, the programs that mean a secret by it, how it is written: glued, apart, or a user before it.
    ("p", r"mysql\w*|mariadb[\w\-]*|sshpass|7z[ar]?|rar|unrar|mycli|percona\S*|pt-\S+", "glued"),
    (
        "p",
        r"sshpass|mongo\w*|cqlsh|influx|hive|beeline|rabbitmq\w*|psexec|ipmitool|vncviewer|tsql|freebcp|isql",
        "apart",
    ),
    (
        "p",
        r"(?:docker|podman|nerdctl|buildah|skopeo|helm|az|oc|cf|argocd|ibmcloud|vault|crane|oras|nexus"
        r"|acr)\b[^|;&\n\x00]{0,80}?\blogin",
        "apart",
    ),
    ("a", r"redis-cli|valkey-cli|keydb-cli|snmp\w+", "apart"),
    ("a", r"https?", "user"),
    ("u", r"curl|http|wget|lftp|elasticsearch\S*", "user"),
    ("-user", r"curl|wget", "user"),
    ("-proxy-user", r"curl|wget", "user"),
    ("U", r"curl", "user"),
    ("U", r"smbclient|rpcclient|net|smbmap|winexe|smbget", "percent"),
    ("w", r"ldap\w+|7z|mutt", "apart"),
    ("P", r"sqlcmd|bcp|osql|zip\w*|unzip|ipmitool|cupsctl|wlst", "apart"),
    ("X", r"snmp\w+", "apart"),
    ("pw", r"plink|pscp|psftp|putty|pg_probackup|kitty", "apart"),
    ("k", r"openssl\s+enc|aescrypt|sshpass", "apart"),
    ("N", r"ssh-keygen", "apart"),
    ("K", r"openssl\s+enc", "apart"),
)
_PROGRAMS: Final = {
    number: re.compile(rf"(?:^|[\s/|;&(\"'`\x00])(?:{programs})(?:\.exe)?(?=\s|\Z)")
    for number, (_, programs, _how) in enumerate(_LETTER_FLAGS)
}
_OPTION: Final = re.compile(rf" --?(?P<name>[A-Za-z][\w.\-]{{2,60}})(?:[= ]|\s{{1,3}})(?={_V})")
_FED: Final = re.compile(
    r"(?:echo|printf)\s+(?:-\w+\s+)?[\"']?(?P<value>[^\n\x00|\"']{3,200}?)[\"']?\s*\|\s*(?:\S+\s+){0,3}?(?P<to>sudo\s+-\S"
    r"*S|passwd\s+--stdin|chpasswd|\S+\s+login\b[^\n\x00]{0,200}?--(?:password|token|pass)-stdin|gh\s+auth\s+login"
    r"|cryptsetup|gpg\s[^\n\x00]{0,100}passphrase-fd|smbpasswd|su\b|openssl\s)"
)
_GIVEN: Final = re.compile(r"<<<\s*[\"']?(?P<value>[^\s\"']{6,300})")
_OPENSSL: Final = re.compile(r"(?:-pass(?:in|out)?|-password)\s+[\"']?pass:(?P<value>[^\s\"']{1,200})")
_LITERAL: Final = re.compile(r"--from-literal[= ][\"']?(?P<name>[\w.\-]{1,80})=[\"']?(?P<value>[^\s\"']{1,400})")
_HTPASSWD: Final = re.compile(
    r"htpasswd\s+-\S*b\S*\s+(?:\S+\s+){1,2}?[\"']?(?P<value>[^\s\"'/]{3,128})[\"']?\s*(?:$|\n|[;&|\x00])"
)
_NETUSE: Final = re.compile(
    r"net\s+use\s+[^\n\x00]{0,120}/user:\S{1,80}\s+(?P<value>[^\s/]\S{2,80})"
    r"|/p(?:assword)?:(?P<other>[^\s\"'=]{3,80})(?![^\s\"'])"
)
_VAULT: Final = re.compile(r"vault\s+login\s+(?:-\S+\s+)*(?P<value>[\w.\-]{8,200})")


def options(text: str) -> Iterator[Find]:
    """What follows an option whose name says that it is a secret."""
    if " -" not in text and not text.startswith("-"):
        return
    # Each begins with a space, which the engine runs to; the first may have none.
    for match in _OPTION.finditer(" " + text):
        yield from _option(match)
    if "secret" in text:
        yield from (
            Find(*match.span("value"), "secret", match["value"])
            for match in _BODY.finditer(text)
            if not stands_in(match["value"])
        )
    if "from-literal" in text:
        for match in _LITERAL.finditer(text):
            if not stands_in(match["value"]) and (promise(match["name"]) or mixed(match["value"], 6)):
                yield Find(match.start("value"), match.end("value"), "secret", match["value"])


def flags(text: str) -> Iterator[Find]:
    """What programs are given on their command line."""
    if " -" in text or "--" in text:
        for match in _FLAG.finditer(text):
            yield from _lettered(text, match)
        if "pass:" in text:
            yield from (Find(*match.span("value"), "password", match["value"]) for match in _OPENSSL.finditer(text))
        if "htpasswd" in text:
            yield from (Find(*match.span("value"), "password", match["value"]) for match in _HTPASSWD.finditer(text))
    if "|" in text and ("echo" in text or "printf" in text):
        for match in _FED.finditer(text):
            value, start = match["value"].strip(), match.start("value")
            if match["to"].startswith("chpasswd") and ":" in value:
                start, value = start + value.index(":") + 1, value[value.index(":") + 1 :]
            if not stands_in(value):
                yield Find(start, start + len(value), "password", value)
    if "<<<" in text:
        for match in _GIVEN.finditer(text):
            if mixed(match["value"], 6) and not stands_in(match["value"]):
                yield Find(*match.span("value"), "secret", match["value"])
    if "/user:" in text or "/p:" in text or "/password:" in text:
        for match in _NETUSE.finditer(text):
            which = "value" if match["value"] else "other"
            yield Find(*match.span(which), "password", match[which])
    if "vault" in text:
        for match in _VAULT.finditer(text):
            if mixed(match["value"], 8):
                yield Find(*match.span("value"), "token", match["value"])


def _lettered(text: str, match: re.Match[str]) -> Iterator[Find]:
    group = match.lastgroup or "c"
    group = next((one for one in "abc" if match[one] is not None), group)
    value, start = match[group], match.start(group)
    flag = match["flag"]
    if len(flag) == 2 and flag not in ("pw",):
        # `-pSECRET`: the second letter belongs to the value.
        if group != "c" or match["gap"]:
            return
        flag, value, start = flag[0], flag[1] + value, start - 1
        glued = True
    else:
        glued = not match["gap"]
    line = text[max(match.start() - 300, 0) : match.start()]
    line = line[max(line.rfind("\n"), line.rfind("\x00")) + 1 :]
    for number, (letter, _, how) in enumerate(_LETTER_FLAGS):
        if (
            letter != flag
            or (how == "glued" or (how == "user" and glued)) != glued
            or not _PROGRAMS[number].search(line)
        ):
            continue
        if how in ("user", "percent"):
            sign = "%" if how == "percent" else ":" if ":" in value else ","
            user, found, secret = value.partition(sign)
            if secret[:1] in ("'", '"') and secret[-1:] == secret[:1]:
                secret, value = secret[1:-1], value[:-1]
            if not found or not secret or stands_in(secret) or user in ("http", "https"):
                continue
            yield Find(start + len(value) - len(secret), start + len(value), "password", secret)
        elif not stands_in(value) and not value.startswith("-") and len(value) >= 3:
            yield Find(start, start + len(value), "password", value)
        return


def _option(match: re.Match[str]) -> Iterator[Find]:
    means = promise(match["name"])
    if means < Promise.LIKELY:
        return
    group = next(one for one in "abc" if match[one] is not None)
    value = match[group]
    if stands_in(value) or value.startswith(("-", "[redacted")) or len(value) < 3 or prose(value):
        return
    if means is Promise.LIKELY and not mixed(value):
        return
    if "token" in match["name"] and value.isdigit():
        return
    yield Find(match.start(group) - 1, match.end(group) - 1, mark_of(match["name"]), value)


# ---- SQL and files with a place for a password -------------------------------------------------------------------

_QUOTED: Final = r"(?P<q>\\*['\"])(?P<value>[^'\"\n\x00]{1,200})(?P=q)"
_PARAMETER: Final = re.compile(r"[:?@$]\w{0,3}")
_IDENTIFIED: Final = re.compile(r"identified\s+(?:with\s+[\w'\"`]+\s+)?(?:by|as)\s+(?:password\s+)?" + _QUOTED)
_PASSWORD: Final = re.compile(r"password(?:\s*\(\s*|\s+(?:for\s+[^=\n\x00]{1,80}=\s*)?)" + _QUOTED)
_INSERT: Final = re.compile(
    r"(?:insert|replace)\s+into\s+[\w.`\"\[\]]{1,80}\s*\((?P<names>[^()]{1,1000})\)\s*values\s*(?P<rows>\([^;]{1,8000})"
)
_CELL: Final = re.compile(r"\s*(?:'(?P<a>(?:[^']|'')*+)'|\"(?P<b>[^\"]*+)\"|(?P<c>[^,()'\"]++))\s*(?P<end>[,)]|\Z)")
_PGPASS: Final = re.compile(
    r"(?m)(?:^|(?<=\x00))[\w.\-*]{1,80}:(?:\d{2,5}|\*):[\w.\-*]{1,60}:[\w.\-*]{1,60}:(?P<value>[^\s:][^\s]{2,128})$"
)


def statements(text: str, low: str) -> Iterator[Find]:
    """Passwords in SQL: of accounts, and in columns whose name says so."""
    for pattern in (_IDENTIFIED, _PASSWORD):
        for match in pattern.finditer(low):
            value = text[match.start("value") : match.end("value")]
            if (
                not stands_in(value)
                and not prose(value)
                and not _PARAMETER.fullmatch(value)
                and value.rstrip()[-1] not in ":?"
            ):
                yield Find(*match.span("value"), "password", value)
    if " into " in low:
        for match in _INSERT.finditer(low):
            yield from _rows(text, match)


def _rows(text: str, match: re.Match[str]) -> Iterator[Find]:
    names = [name.strip(" \n\t`\"[]'") for name in text[match.start("names") : match.end("names")].split(",")]
    means = [promise(name) for name in names]
    if not any(means):
        return
    place, column = match.start("rows"), -1
    while place < match.end("rows"):
        if column < 0:
            place = text.find("(", place, match.end("rows")) + 1
            if not place:
                return
            column = 0
        cell = _CELL.match(text, place, match.end("rows"))
        if not cell:
            return
        group = next((one for one in "abc" if cell[one] is not None), "c")
        value = cell[group] or ""
        promised = means[column] if group != "c" and column < len(means) else Promise.NOTHING
        likely = promised is Promise.LIKELY and mixed(value)
        if promised and not stands_in(value) and (promised is Promise.SURELY or likely or random_like(value)):
            yield Find(*cell.span(group), mark_of(names[column]), value)
        place = cell.end()
        column = -1 if cell["end"] != "," else column + 1
