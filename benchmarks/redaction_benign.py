"""Texts that look as if they held a secret, and hold none. Made from a seed."""

import base64
import hashlib
import random
import re
import string
import struct
import uuid
import zlib
from collections.abc import Callable, Iterator
from urllib.parse import quote

NOUNS = [
    "user", "order", "invoice", "report", "cache", "worker", "session", "page", "build", "release", "folder",
    "index", "table", "message", "ticket",
]  # fmt: skip
VERBS = [
    "load", "save", "parse", "check", "render", "delete", "update", "fetch", "merge", "compute", "validate",
    "rotate", "refresh", "count", "send", "list",
]  # fmt: skip
NAMES = [
    "anna", "ben", "carla", "david", "eva", "frank", "grace", "henry", "ida", "jonas",
]  # fmt: skip
PROSE_WORDS = [
    "the", "quick", "report", "shows", "that", "most", "of", "the", "orders", "were", "shipped", "on", "time",
    "and", "no", "customer", "had", "to", "wait",
]  # fmt: skip

PROSE = r"""
the password field is required
Please enter your password and press return.
The token has expired, sign in again.
Your secret santa is Carla!
open secret_santa.txt and add a name
the tokenizer splits text into tokens
see the passwd file and /etc/passwd for users
password: must be at least 12 characters long
token: invalid
Forgot your password? Reset it here.
The key to success is patience
Error: password is incorrect
An API key is needed; create one in the settings.
Password must contain a digit and a capital letter
the secret of good tea is the water
Authorization: required
a pass through the mountains
He passed the exam with 87 points
private key not found
no credentials were given
authentication failed for user anna
the session was closed after 30 minutes
cookie policy: we use cookies
bearer of good news
basic usage of the tool
She is the author of 12 books
the token is not valid any more
password was changed
your password is too short
this token is used by the parser
key: value pairs are separated by commas
password reset requested for ben@example.com
the pin fell out of the board
rotate the signing key every 90 days
secrets are stored in the vault
token usage: 1,234 in, 56 out
"""

SETTINGS = r"""
max_tokens=«number»
token_count: «number»
"prompt_tokens": «number», "completion_tokens": «number»
password_required=true
PASSWORD_MIN_LENGTH=«number»
session_timeout = «number»
token_type: bearer
auth_method=oauth2
api_key: ${API_KEY}
password=$DB_PASSWORD
token: {{ secrets.GITHUB_TOKEN }}
PASSWORD=<your password>
secretName: web-tls
primary_key = id
key_size: «number»
tokenizer: gpt2
passwordPolicy: strict
SSH_AUTH_SOCK=/run/user/1000/ssh-agent.socket
cache_key=users:list:page:2
foreign_key: orders.customer_id
sort_key: created_at
pass_rate: 0.97
bypass: false
token_limit_per_minute: «number»
secret: null
password: ''
api_key = os.environ["API_KEY"]
token = get_token()
authorization_endpoint: https://id.example.com/authorize
public_key_file: id.pub
password: ********
credentials: include
auth: none
pin_count=«number»
signature: v1
keyboard: us-intl
token_url=https://id.example.com/oauth/token
"""

CODE = r"""
def «verb»_«noun»(self, token: str, password: str | None = None) -> bool:
    token = self._«verb»(password=password)
    if token == "«noun»": return «noun».«verb»()
for token in tokens:
const «noun»Token = await «verb»Token(req.headers.authorization);
password = getpass.getpass('Password: ')
assert «noun».key == expected_key, f'wrong key: {«noun».key}'
key, value = line.split('=')
this.password = password;
self.session.«verb»(«noun», auth=auth)
public function setSecret(string $secret): void
print(f'token={token}')
return hmac.compare_digest(signature, expected)
«noun»_keys = sorted(d.keys())
type Token struct { Kind TokenKind; Text string }
logger.info('password for %s was «verb»d', user)
if (!token) throw new Error('token missing');
passed = sum(r.passed for r in results)
raise «camel»Error("bad credentials for " + user)
@pytest.mark.parametrize('token', ['eof', 'word'])
secret = secrets.token_hex(32)
export default class PasswordField extends Component<Props> {
input type="password" name="password" id="password" required
parser.add_argument('--token', help='the token to use')
let key = format!("{}:{}", a, b);
SELECT key, count(*) FROM t GROUP BY key
"""

SQL = r"""
SELECT id, email FROM «noun»s WHERE token_count > «digits» ORDER BY id;
CREATE TABLE users (id INT PRIMARY KEY, password VARCHAR(255) NOT NULL, api_key TEXT)
UPDATE «noun»s SET state = 'done' WHERE id = «digits»
ALTER TABLE sessions ADD FOREIGN KEY (user_id) REFERENCES users(id)
SELECT password_changed_at FROM users WHERE password IS NULL
INSERT INTO «noun»s (name, note) VALUES ('«name»', '«words»')
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reporting
UPDATE users SET password = $1 WHERE id = $2
"""

LOG = r"""
«stamp» INFO [«noun»-«digits»] request «uuid» took «digits» ms
«stamp» WARN token refresh failed for user «name» (attempt «digits»)
«stamp» DEBUG GET /api/v1/«noun»s?page=«digits»&limit=50 200
«stamp» ERROR session «uuid» not found
«stamp» INFO commit «sha1» deployed
«stamp» sshd[«digits»]: Accepted publickey for «name» from 10.0.0.«digits» port «digits» ssh2
«stamp» auth: password authentication succeeded
«stamp» kernel: usb 1-«digits»: new high-speed device number «digits»
«stamp» tokens: «digits» in, «digits» out, cost $0.0«digits»
"""

URLS = r"""
https://example.com/«noun»s/«digits»?page=2&sort=name
https://github.com/acme/«noun»/commit/«sha1»
http://localhost:8080/«noun»/@scope/«noun»
https://cdn.example.net/assets/app.«md5».min.js
git@github.com:acme/tools.git
https://en.wikipedia.org/wiki/«camel»
https://example.org/search?q=«query»
postgres://localhost:5432/main
redis://cache:6379/0
https://registry.npmjs.org/«noun»/-/«noun»-«digits».«digits».0.tgz
https://$USER:$PASS@example.com/x
ssh://git@host.example:22/repo.git
https://docs.example.com/api/authentication#token-«verb»
https://img.example.com/«uuid».png?w=200&h=100
"""

COMMANDS = r"""
docker run -p 8080:80 -u 1000:1000 «noun»:latest
mkdir -p build/out && cp -a src build
git push -u origin main
psql -U postgres -p 5432 -d main
curl -u "$USER:$PASS" https://example.com
ssh -p 2222 deploy@example.com uptime
kubectl get secrets -n kube-system
npm run test -- --token-limit 50
mysql -u root -p main
pytest tests/test_«noun».py -k password -x
pass show email/work
gpg --list-secret-keys --keyid-format long
passwd --status anna
grep -rn 'api_key' src | head -20
openssl rand -hex 32
find . -name '*.pem' -perm 600
cat ~/.ssh/id_ed25519.pub
mv secrets.example.env .env
chmod 600 private_key.pem
tar -xzf keyboard-layouts.tar.gz
aws configure list-profiles
ssh-keygen -t ed25519 -C anna@example.com
redis-cli -h cache -p 6379 ping
rm -rf /tmp/«noun»-«digits»
"""

Make = Callable[[random.Random], str]


def _words(r: random.Random, count: int) -> str:
    return " ".join(r.choices(PROSE_WORDS, k=count))


def _hash(r: random.Random, name: str = "sha256") -> str:
    return hashlib.new(name, r.randbytes(16)).hexdigest()


def _uuid(r: random.Random) -> str:
    return str(uuid.UUID(bytes=r.randbytes(16), version=4))


def _coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _camel(r: random.Random) -> str:
    return "".join(word.title() for word in r.choices(NOUNS + VERBS, k=r.randrange(3, 8)))


def _snake(r: random.Random) -> str:
    return "_".join(r.choices(NOUNS + VERBS, k=r.randrange(3, 9)))


def _path(r: random.Random) -> str:
    root = r.choice(["/home/anna/", "/usr/share/", "./", "C:\\Users\\ben\\", "s3://bucket/"])
    parts = r.choices([*NOUNS, *VERBS, "src", "lib", "v2", "node_modules", "tests"], k=r.randrange(2, 6))
    return root + "/".join(parts) + r.choice([".py", ".json", ".tar.gz", ""])


def _png(r: random.Random) -> str:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = r.randrange(2, 12)
    rows = b"".join(b"\0" + r.randbytes(size * 3) for _ in range(size))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0))
    return _coded(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


FILLERS: dict[str, Make] = {
    "noun": lambda r: r.choice(NOUNS),
    "verb": lambda r: r.choice(VERBS),
    "name": lambda r: r.choice(NAMES),
    "number": lambda r: str(r.randrange(100_000)),
    "digits": lambda r: str(r.randrange(100)),
    "uuid": _uuid,
    "sha1": lambda r: _hash(r, "sha1"),
    "md5": lambda r: _hash(r, "md5")[:8],
    "camel": _camel,
    "words": lambda r: _words(r, 5),
    "query": lambda r: quote(_words(r, 4)),
    "stamp": lambda r: f"2026-0{r.randrange(1, 9)}-1{r.randrange(9)}T0{r.randrange(9)}:12:{r.randrange(10, 59)}.042Z",
}


def _filled(templates: str) -> Make:
    lines = templates.strip().splitlines()
    return lambda r: re.sub("«(\\w+)»", lambda gap: FILLERS[gap[1]](r), r.choice(lines))


MAKERS: dict[str, Make] = {
    "git commit": lambda r: f"commit {_hash(r, 'sha1')}",
    "bare sha1": lambda r: _hash(r, "sha1"),
    "uuid": lambda r: f"request id {_uuid(r)}",
    "bare uuid": _uuid,
    "sha256": lambda r: f"{_hash(r)}  dist/{r.choice(NOUNS)}.whl",
    "sha512": lambda r: f"sha512:{_hash(r, 'sha512')}",
    "integrity": lambda r: f'"integrity": "sha512-{_coded(r.randbytes(64))}"',
    "image digest": lambda r: f"acme/{r.choice(NOUNS)}@sha256:{_hash(r)}",
    "path": _path,
    "path in a sentence": lambda r: f"wrote {_path(r)} ({r.randrange(10**6)} bytes)",
    "version": lambda r: (
        f"{r.choice(NOUNS)}=={r.randrange(9)}.{r.randrange(30)}.4rc{r.randrange(5)}+build.{r.randrange(9999)}"
    ),
    "camel case": _camel,
    "snake case": _snake,
    "shouting": lambda r: f"{_snake(r).upper()}_{r.randrange(99)}",
    "code": _filled(CODE),
    "sql": _filled(SQL),
    "log": _filled(LOG),
    "prose": _filled(PROSE),
    "settings": _filled(SETTINGS),
    "url": _filled(URLS),
    "command": _filled(COMMANDS),
    "base64 of text": lambda r: _coded(_words(r, r.randrange(4, 40)).encode()),
    "base64 of json": lambda r: _coded(
        f'{{"page": {r.randrange(99)}, "name": "{r.choice(NAMES)}", "token_count": 12}}'.encode()
    ),
    "image": _png,
    "data url": lambda r: f'<img src="data:image/png;base64,{_png(r)}">',
    "e-mail": lambda r: f"{r.choice(NAMES)}.{r.choice(NOUNS)}{r.randrange(99)}@mail.example.com",
    "telephone": lambda r: f"+49 {r.randrange(100, 999)} {r.randrange(10**6, 10**8)}",
    "colour": lambda r: f"background: #{r.randrange(16**6):06x}; color: #{r.randrange(16**3):03x}",
    "number": lambda r: str(r.randrange(10 ** r.randrange(3, 20))),
    "lorem": lambda r: _words(r, r.randrange(5, 60)),
    "percent signs": lambda r: quote(f"{_words(r, 6)} & {r.choice(NAMES)}@example.com"),
    "hex of text": lambda r: _words(r, 4).encode().hex(),
    "public key": lambda r: (
        f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{_coded(r.randbytes(32))[:43]} {r.choice(NAMES)}@laptop"
    ),
    "object id": lambda r: f"pod/{r.choice(NOUNS)}-{''.join(r.choices(string.ascii_lowercase + string.digits, k=10))}",
    "table": lambda r: f"| {r.choice(NOUNS)} | {r.randrange(999)} | passed | key {r.randrange(9)} |",
}


def benign(rng: random.Random, count: int) -> Iterator[tuple[str, str]]:
    """So many texts with the name of their kind; every kind as often as every other."""
    kinds = list(MAKERS)
    for number in range(count):
        kind = kinds[number % len(kinds)]
        yield kind, MAKERS[kind](rng)
