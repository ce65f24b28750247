"""Secrets that show by their form: the tokens of providers, signed tokens, private keys, and plain randomness."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from lookahead.redact.names import changes, shape


class Find(NamedTuple):
    """A stretch of text to be redacted, what to call it, and what to remember of it ("" for nothing)."""

    start: int
    end: int
    kind: str
    secret: str = ""


_W: Final = r"[A-Za-z0-9_\-]"
# Each begins with its public prefix; what may follow is no stricter than the provider keeps it.
_TOKENS: Final[tuple[tuple[str, str], ...]] = (
    ("aws-key", r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA|AGPA|ANPA|ANVA|APKA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    ("github-token", r"gh[a-z]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255}"),
    ("gitlab-token", rf"(?:gl[a-z]{{2,6}}|GR1348941)-{_W}{{16,}}|GR1348941{_W}{{16,}}"),
    ("slack-token", rf"xox[a-z](?:\.xox[a-z])?-{_W}{{10,}}|xapp-{_W}{{10,}}|xwfp-{_W}{{10,}}"),
    ("stripe-key", r"(?:[srp]k|rk|whsec|restricted)_(?:(?:live|test|prod)_)?[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{16,}"),
    ("google-key", rf"AIza{_W}{{30,}}|GOCSPX-{_W}{{20,}}|ya29\.[\w\-.]{{20,}}|1//0{_W}{{30,}}|AQ\.Ab{_W}{{20,}}"),
    ("anthropic-key", rf"sk-ant-{_W}{{16,}}"),
    ("openai-key", rf"sk-(?:proj|svcacct|admin|None|or|lf|live|test)-{_W}{{16,}}|sk-[A-Za-z0-9]{{20,}}|sess-[A-Za-z0-9]{{32,}}"),
    ("huggingface-token", r"(?:hf|api_org)_[A-Za-z0-9]{20,}"),
    ("npm-token", r"npm_[A-Za-z0-9]{30,}"),
    ("pypi-token", rf"pypi-{_W}{{20,}}"),
    ("sendgrid-key", rf"SG\.{_W}{{16,}}\.{_W}{{16,}}"),
    ("twilio-key", r"SK[0-9a-f]{32}(?![A-Za-z0-9])"),
    ("mailgun-key", r"key-[0-9a-z]{32}(?![A-Za-z0-9])"),
    ("mailchimp-key", r"[0-9a-f]{32}-us\d{1,2}(?![A-Za-z0-9])"),
    ("brevo-key", r"xkeysib-[0-9a-f]{32,}(?:-\w+)?|xsmtpsib-[0-9a-f]{32,}(?:-\w+)?"),
    ("digitalocean-token", r"do[opr]_v1_[0-9a-f]{40,}"),
    ("shopify-token", r"shp(?:at|ca|pa|ss)_[0-9A-Za-z]{20,}"),
    ("square-token", rf"sq0[a-z]{{3}}-{_W}{{16,}}|EAAA[lE]{_W}{{40,}}"),
    ("facebook-token", r"EAA[A-Za-z0-9]{40,}"),
    ("databricks-token", r"dapi[0-9a-f]{32}(?:-\d)?"),
    ("vault-token", rf"hv[sbr]\.{_W}{{20,}}"),
    ("doppler-token", r"dp\.[a-z]{2,6}\.[A-Za-z0-9_.\-]{20,}"),
    ("terraform-token", rf"[A-Za-z0-9]{{14}}\.atlasv1\.{_W}{{30,}}"),
    ("discord-token", rf"[MNO][A-Za-z0-9_\-]{{22,27}}\.{_W}{{6,7}}\.{_W}{{25,}}"),
    ("telegram-token", rf"\d{{8,10}}:[A-Za-z]{_W}{{33,35}}(?![A-Za-z0-9])"),
    ("azure-secret", r"[\w~.\-]{3}\d?[78]Q~[\w~.\-]{31,34}|AZDO[A-Za-z0-9]{20,}"),
    ("age-key", r"AGE-SECRET-KEY-1[A-Z0-9]{30,}"),
    ("atlassian-token", r"AT[A-Z]{2,4}T?3x[A-Za-z0-9_\-=]{20,}"),
    ("docker-token", rf"dckr_[a-z]{{2,4}}_{_W}{{16,}}"),
    ("artifactory-token", r"AKCp[A-Za-z0-9]{40,}|cmVmdGtu[A-Za-z0-9]{30,}"),
    ("newrelic-key", r"NRAK-[A-Z0-9]{20,}|NRJS-[0-9a-f]{16,}|NRII-[\w\-]{20,}"),
    ("postman-key", r"PMAK-[0-9a-f]{20,}-[0-9a-f]{30,}"),
    ("alibaba-key", r"LTAI[A-Za-z0-9]{12,26}(?![A-Za-z0-9])"),
    ("tencent-key", r"AKID[A-Za-z0-9]{28,40}(?![A-Za-z0-9])"),
    ("ssh-key", r"b3BlbnNzaC1rZXktdjE[A-Za-z0-9+/=]{40,}"),
    ("private-key", r"(?:MI[A-Za-z0-9+/]{5,6}(?:IBAAKCAQ|IBADANBgkqh|CAQEE)|MHcCAQEE|MC4CAQAwBQYDK2Vw|MIGHAgEAMB)[A-Za-z0-9+/=\s\\]{30,}"),
    ("password-hash", r"\$(?:1|2[abxy]|5|6|y|argon2id?|scrypt|pbkdf2[a-z0-9\-]*)\$[A-Za-z0-9./$=,+]{20,}"),
    (
        "api-token",
        rf"(?:rubygems|sntryu|sntrys|glsa|glc|figd|figo|lin_api|lin_oauth|nfp|nfc|ntn|secret|gsk|r8|pplx|xai|lsv2_pt|lsv2_sk|pcsk|sbp|sb_secret"
        rf"|pscale_tkn|pscale_pw|pscale_oauth|fw|tgp_v1|ops|hrku|phc|phx|phs|dckr|dop|whs|mlx|rpa|csk|nvapi|voyage|re|ory_at|ory_st|tok|pat|cfut|cfat"
        rf"|tskey-[a-z]+|ctp|patu|flyv1|fo1|fm2|jina|bearer|v1\.0|CLOJARS|xau|api|auth|key|token|access|apify_api|tfp|e2b|sgp|lip|ddp|eyp)[_\-]"
        rf"(?=[A-Za-z0-9_\-]{{0,40}}\d)(?=[A-Za-z0-9_\-]{{0,60}}[A-Za-z]\d?[A-Za-z0-9_\-]*)[A-Za-z0-9]{_W}{{19,}}"
    ),
)  # fmt: skip
_PUBLIC_API: Final = re.compile(r"(?:secret|bearer|auth|key|token|access|api|re|tok|pat|ops|dop)[_\-]")


_FRONT: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:A[KSBCRIGN][A-Z]A|gh[a-z]_|github_pat_|gl[a-z]{2,6}-|GR13|xox[a-z]|xapp-|xwfp-|[a-z]{2,10}[_\-]|AIza|GOCSPX-|SK[0-9a-f]|[0-9a-f]{32}-us"
    r"|EAA[A-Za-z0-9]|dapi[0-9a-f]|[MNO][A-Za-z0-9_\-]{22,27}(?![A-Za-z0-9_\-])|AZDO|AGE-S|AT[A-Z]{2,4}|AKCp|cmVmdG|NR[A-Z]{2}-|PMAK-|LTAI|AKID|b3Bl|MI[A-Za-z0-9]|MHcC|MC4C"
    r"|(?:sq0|r8|xai|v1|fo1|fm2|lsv2|e2b|CLOJARS|tgp_v1)[a-z_\-.])"
)


@cache
def _tokens() -> re.Pattern[str]:
    inner = "|".join(f"(?P<k{number}>{pattern})" for number, (_, pattern) in enumerate(_TOKENS))
    return re.compile(f"(?<![A-Za-z0-9])(?:{inner})")


def tokens(text: str, start: int = 0, end: int | None = None, before: int = 0) -> Iterator[Find]:
    """The tokens of known providers that begin between two places of the text, or `before` so many letters ahead of them."""
    limit = len(text) if end is None else end
    fronts = [] if not before else [start - before]
    fronts += (match.start() for match in _FRONT.finditer(text, start, limit))
    past = -1
    for front in fronts:
        match = _tokens().match(text, front) if front >= past else None
        if match is None:
            continue
        kind = _TOKENS[int((match.lastgroup or "k0")[1:])][0]
        if kind == "api-token" and _PUBLIC_API.match(match[0]) and changes(match[0].split("_", 1)[-1]) < 0.36:
            continue
        past = match.end()
        yield Find(match.start(), match.end(), kind, match[0])


_JWT: Final = re.compile(
    r"eyJ[A-Za-z0-9_\-]{5,}\.eyJ?[A-Za-z0-9_\-]{2,}(?:\.[A-Za-z0-9_\-]*){0,3}|eyJ[A-Za-z0-9_\-]{12,}\.\.[\w.\-]{20,}"
)
_ARMOUR: Final = re.compile(r"-----BEGIN[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_ARMOUR_END: Final = re.compile(r"-----END[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_SENTENCE: Final = re.compile(r"\b(?:and|with|the|or|ends?) ")
_ARMOURED: Final = re.compile(
    r"(?:(?:\\++[nrt]|[\s\"'+,>|#*\x00\\])*+(?:[A-Za-z0-9+/]{20,}+={0,2}|(?:Proc-Type|DEK-Info|Comment|Version): [^\n\\]{1,100}+))*+"
    r"(?:(?:\\++[nrt]|[\s\"'+,>|#*\x00])*+[A-Za-z0-9+/]{1,19}={1,2})?"
)
_PUTTY: Final = re.compile(r"Private-Lines: \d{1,4}\s+(?P<body>(?:[A-Za-z0-9+/=]{1,64}\s*){1,200})")
_HOOK: Final = re.compile(
    r"https://(?:hooks\.slack\.com/(?:services|workflows|triggers)/|(?:ptb\.|canary\.)?discord(?:app)?\.com/api/webhooks/\d{5,25}/"
    r"|[\w.\-]{1,80}\.webhook\.office\.com/|chat\.googleapis\.com/v1/spaces/|api\.telegram\.org/bot)(?P<path>[^\s\"'<>\\]{8,300})"
)


_AZURE: Final = re.compile(r"(?<![\w~.\-])[\w~.\-]{3}\d?[78]Q~[\w~.\-]{31,34}")


def marked(text: str) -> Iterator[Find]:
    """Secrets that announce themselves: private keys in their armour, signed tokens, hooks that anybody may post to."""
    if "PRIVATE KEY" in text:
        yield from _armoured(text)
    if "Private-Lines" in text:
        for match in _PUTTY.finditer(text):
            yield Find(match.start("body"), match.end("body"), "private-key", match["body"].replace("\n", ""))
    if "Q~" in text:
        for match in _AZURE.finditer(text):
            yield Find(match.start(), match.end(), "azure-secret", match[0])
    if "eyJ" in text:
        for match in _JWT.finditer(text):
            yield Find(match.start(), match.end(), "jwt", match[0])
    if "https://" in text and ("hook" in text or "telegram" in text or "spaces" in text):
        for match in _HOOK.finditer(text):
            yield Find(match.start("path"), match.end("path"), "webhook", match["path"])


def _armoured(text: str) -> Iterator[Find]:
    past = 0
    for match in _ARMOUR.finditer(text):
        if match.start() < past:
            continue
        end = _ARMOUR_END.search(text, match.end(), match.end() + 20_000)
        inside = _ARMOURED.match(text, match.end())
        past = end.end() if end else inside.end() if inside else match.end()
        body = re.sub(r"\\+[nr]|[^A-Za-z0-9+/=]", "", text[match.end() : end.start() if end else past])
        body = "" if end and _SENTENCE.search(text, match.end(), end.start()) else body
        if len(body) >= (24 if end else 40):
            yield Find(match.start(), past, "private-key", body)
        else:
            past = match.end()


_STRETCH: Final = 16
_CLASS: Final = bytes(
    97 if i < 128 and (chr(i).isalnum() or chr(i) in "_-+/=") else 32 for i in range(256)
)  # fmt: skip
_LONG_RUN: Final = b"a" * _STRETCH


def runs(text: str) -> Iterator[tuple[int, int]]:
    """The unbroken runs of at least sixteen letters of the base64 alphabets: what could be a token or hide one."""
    classes = text.encode("latin-1", "replace").translate(_CLASS)
    start = classes.find(_LONG_RUN)
    while start >= 0:
        end = classes.find(b" ", start)
        end = len(classes) if end < 0 else end
        yield start, end
        start = classes.find(_LONG_RUN, end)


_LONE: Final = re.compile(r"[A-Za-z0-9_\-]{32,128}(?![A-Za-z0-9_\-])")
_KEY_LENGTHS: Final = frozenset((40, 43, 44, 54, 56, 64, 86, 88))
"""As long as keys of 30, 32, 40, 48 and 64 bytes are in base64; other lengths with its signs are data."""
_DIGEST: Final = re.compile(
    r"(?:sha(?:1|224|256|384|512)|md5|blake[23][a-z]?|SHA256|h1|integrity)[-:=_ ]{1,3}[\"']?\Z|(?:pub|public|digest|hash|checksum|integrity|fingerprint|etag)[\w\-]{0,12}[\"']?\s{0,2}[:=]\s{0,2}[\"']?\Z",
    re.IGNORECASE,
)
_DATA: Final = re.compile(r"iVBOR|/9j/|R0lGOD|UEsDB|H4sI|JVBER|UklGR|d09G|AAABAA|Qk0")
_DIGESTED: Final = re.compile(r"(?:sha\d{1,3}|md5|h1|blake\d\w?)[\-:=]", re.IGNORECASE)
_NOT_LONE: Final = re.compile(
    r"AAAA[BCE][23]N|Qm[1-9A-HJ-NP-Za-km-z]{44}|[A-Z0-9]{2,}_[A-Z0-9_]+\Z|iVBOR|/9j/|R0lGOD|UEsDB|H4sI|JVBER|UklGR|d09G|AAABAA|Qk0|MII[A-Z]"
    r"|(?:cs|pi|seti|ch|cus|sub|evt|req|msg|chatcmpl|run|thread|asst|call|toolu|resp)_|chatcmpl-|[0-9a-fA-F\-]+\Z"
)
_ADDRESS: Final = re.compile(r"://[^\s\"'<>]*\Z")
_SCHEMED: Final = re.compile(r"(?:base64%|data:[\w/+.;\-=]{0,60},|://[^\s\"'<>]{0,200}/d/|ssh-\w+ )\Z")


def is_data(run: str) -> bool:
    """True for a picture, an archive or a font in base64, by its first letters."""
    return len(run) > 60 and _DATA.match(run) is not None


def lone(text: str, start: int, end: int) -> Iterator[Find]:
    """Tokens without any name beside them that a reader would still be sure of: long, mixed, and in no order."""
    run = text[start:end]
    before = text[max(start - 200, 0) : start]
    if _NOT_LONE.match(run) or _DIGESTED.match(run) or _SCHEMED.search(before):
        return
    whole = end - start in _KEY_LENGTHS and ("/" in run or "+" in run) and "=" not in run.rstrip("=")
    if whole and _ADDRESS.search(before) is None and not (run.startswith("/") or run.count("/") > 5):
        found = [(start, end)]
    else:
        found = [match.span() for match in _LONE.finditer(text, start, end) if "+" not in run]
    for first, last in found:
        value = text[first:last].rstrip("=")
        before = text[max(first - 200, 0) : first]
        if sure(value) and not (_DIGEST.search(before[-32:]) or _SCHEMED.search(before)):
            yield Find(first, last, "token", text[first:last])


_SIGN: Final = re.compile(r"[/_+\-]")


def sure(value: str) -> bool:
    """Small letters, capitals and digits, all of them often and strewn: no identifier, path, digest or sentence."""
    kinds = shape(value)
    lower, upper, digits = kinds.count(0), kinds.count(1), kinds.count(2)
    length = len(value)
    if min(digits * 16, upper * 7, lower * 7) < length or len(set(value)) < 16 or _NOT_LONE.match(value):
        return False
    parts = _SIGN.split(value)
    return len(parts) <= 2 + length // 16 and changes(value) >= 0.42 and not all(_readable(part) for part in parts)


_WORD: Final = re.compile(r"(?:[A-Z]?[a-z]{2,}+|[A-Z]{2,}+|\d++)++\Z")


def _readable(part: str) -> bool:
    return _WORD.match(part) is not None or len(part) < 4
