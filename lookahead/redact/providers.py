"""The tokens of providers, which show by their first letters."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from lookahead.redact.values import changes


class Find(NamedTuple):
    """A stretch of text to be redacted, what to call it, and what to remember of it ("" for nothing)."""

    start: int
    end: int
    kind: str
    secret: str = ""


_W: Final = r"[A-Za-z0-9_\-]"
_PREFIXES: Final = (
    "rubygems sntryu sntrys glsa glc figd figo lin_api lin_oauth nfp nfc ntn secret gsk r8 pplx xai lsv2_pt lsv2_sk "
    "pcsk sbp sb_secret pscale_tkn pscale_pw pscale_oauth fw tgp_v1 ops hrku phc phx phs dckr dop whs mlx rpa csk "
    "nvapi voyage re ory_at ory_st tok pat cfut cfat tskey-[a-z]+ ctp patu flyv1 fo1 fm2 jina bearer CLOJARS xau api "
    "auth key token access apify_api tfp e2b sgp lip ddp eyp"
)


def _api() -> str:
    """What many more providers do: their letters, a dash or underscore, and twenty random letters and digits."""
    prefixes = "|".join(_PREFIXES.split())
    return rf"(?:{prefixes}|v1\.0)[_\-](?=[A-Za-z0-9_\-]{{0,40}}\d)[A-Za-z0-9]{_W}{{19,}}"


# Each begins with its public prefix; what may follow is no stricter than the provider keeps it.
_TOKENS: Final[tuple[tuple[str, str], ...]] = (
    ("aws-key", r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA|AGPA|ANPA|ANVA|APKA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    ("github-token", r"gh[a-z]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255}"),
    ("gitlab-token", rf"(?:gl[a-z]{{2,6}}|GR1348941)-{_W}{{16,}}|GR1348941{_W}{{16,}}"),
    ("slack-token", rf"xox[a-z](?:\.xox[a-z])?-{_W}{{10,}}|xapp-{_W}{{10,}}|xwfp-{_W}{{10,}}"),
    ("stripe-key", r"(?:[srp]k|restricted)_(?:(?:live|test|prod)_)?[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{16,}"),
    ("google-key", rf"AIza{_W}{{30,}}|GOCSPX-{_W}{{20,}}|ya29\.[\w\-.]{{20,}}|1//0{_W}{{30,}}|AQ\.Ab{_W}{{20,}}"),
    ("anthropic-key", rf"sk-ant-{_W}{{16,}}"),
    ("openai-key", rf"sk-(?:proj|svcacct|admin|None|or|lf|live|test)-{_W}{{16,}}|(?:sk|sess)-[A-Za-z0-9]{{20,}}"),
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
    ("private-key", r"MI[A-Za-z0-9+/]{5,6}(?:IBAAKCAQ|IBADANBgkqh|CAQEE)[A-Za-z0-9+/=\s\\]{30,}"),
    ("private-key", r"(?:MHcCAQEE|MC4CAQAwBQYDK2Vw|MIGHAgEAMB)[A-Za-z0-9+/=\s\\]{30,}"),
    ("password-hash", r"\$(?:1|2[abxy]|5|6|y|argon2id?|scrypt|pbkdf2[a-z0-9\-]*)\$[A-Za-z0-9./$=,+]{20,}"),
    ("api-token", _api()),
)
_PUBLIC_API: Final = re.compile(r"(?:secret|bearer|auth|key|token|access|api|re|tok|pat|ops|dop)[_\-]")


_FRONT: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:A[KSBCRIGN][A-Z]A|gh[a-z]_|github_pat_|gl[a-z]{2,6}-|GR13|xox[a-z]|xapp-|xwfp-"
    r"|[a-z]{2,10}[_\-]|AIza|GOCSPX-|SK[0-9a-f]|[0-9a-f]{32}-us"
    r"|EAA[A-Za-z0-9]|dapi[0-9a-f]|[MNO][A-Za-z0-9_\-]{22,27}(?![A-Za-z0-9_\-])|AZDO|AGE-S|AT[A-Z]{2,4}|AKCp|cmVmdG"
    r"|NR[A-Z]{2}-|PMAK-|LTAI|AKID|b3Bl|MI[A-Za-z0-9]|MHcC|MC4C"
    r"|(?:sq0|r8|xai|v1|fo1|fm2|lsv2|e2b|CLOJARS|tgp_v1)[a-z_\-.])"
)


@cache
def _tokens() -> re.Pattern[str]:
    inner = "|".join(f"(?P<k{number}>{pattern})" for number, (_, pattern) in enumerate(_TOKENS))
    return re.compile(f"(?<![A-Za-z0-9])(?:{inner})")


def tokens(text: str, start: int = 0, end: int | None = None, before: int = 0) -> Iterator[Find]:
    """The tokens of known providers that begin between two places, or `before` so many letters ahead of the first."""
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
