"""Request schemas of the contract, see ``tests/wire/contract`` of the project."""

from ...exceptions import GatewayError
from .validation import (
    anything,
    boolean,
    choice,
    clamped,
    cut,
    cut_list,
    ids,
    instant,
    integer,
    lenient,
    list_of,
    mapping,
    name,
    nullable,
    proof,
    record,
    text,
    uuid,
    variant,
)

CONTRACT = 1

_limit = integer(0, 1000)
_offset = integer(0, 2**31 - 1)
_domain = list_of(anything, longest=1000)
_fields = nullable(list_of(name, longest=500))
_order = nullable(text(longest=1000))
_values = mapping

STEPS = {
    "search_read": record(
        model=name, domain=_domain, fields=_fields, limit=_limit, offset=_offset, order=_order, total=boolean
    ),
    "name_search": record(model=name, name=text(), domain=_domain, limit=_limit, offset=nullable(_offset)),
    "search_count": record(model=name, domain=_domain),
    "read": record(model=name, ids=ids(shortest=1), fields=_fields),
    "read_group": record(
        model=name,
        domain=_domain,
        groupby=list_of(name, longest=20),
        aggregates=list_of(name, longest=100),
        having=_domain,
        limit=_limit,
        offset=_offset,
        order=_order,
    ),
    "traverse": record(
        model=name,
        ids=ids(shortest=1),
        path=list_of(name, longest=10, shortest=1),
        fields=_fields,
        domain=_domain,
        limit=_limit,
        offset=nullable(_offset),
    ),
    "create": record(model=name, values=list_of(_values, shortest=1)),
    "write": record(model=name, ids=ids(shortest=1), values=_values),
    "unlink": record(model=name, ids=ids(shortest=1)),
    "call": record(model=name, method=name, ids=ids(), args=list_of(anything, longest=100), kwargs=mapping),
    "session": record(),
}

_HELLO = record(
    contract=integer(0, 2**31 - 1),
    replica=uuid,
    version=text(longest=100),
    public_url=text(longest=2000),
    wake_url=nullable(text(longest=2000)),
    wake_secret=nullable(text(longest=500, shortest=16)),
)


def _hello_of_this_contract(value, at):
    """A hello of another contract may have other members: its version is what has to be said of it."""
    theirs = value.get("contract") if isinstance(value, dict) else None
    if type(theirs) is int and theirs != CONTRACT:
        raise other_contract(theirs)
    return _HELLO(value, at)


HELLO = _hello_of_this_contract


def other_contract(theirs):
    message = (
        f"The sidecar speaks contract {theirs}, this addon speaks contract {CONTRACT}: "
        "install matching versions of both."
    )
    return GatewayError("contract", message, addon=CONTRACT, sidecar=theirs)


AUTHENTICATE = record(proof=proof, ip=nullable(text(longest=100)))

EXECUTE = record(
    call_id=uuid,
    proof=proof,
    ip=nullable(text(longest=100)),
    tool=name,
    mode=choice("read", "write", "run"),
    steps=list_of(variant("op", STEPS), longest=100, shortest=1),
    context=mapping,
    dry_run=boolean,
    deadline_ms=integer(100, 300_000),
    idempotency_key=nullable(text(longest=255, shortest=1)),
    max_chars=nullable(integer(1_000, 10_000_000)),
)

EXECUTE_BATCH = record(calls=list_of(EXECUTE, longest=100, shortest=1))

CALL_STATUS = record(proof=proof, call_id=uuid)

SCHEMA = record(proof=proof, lang=nullable(name), models=nullable(list_of(name, longest=1000)))

CHANGES = record(replica=uuid, cursor=nullable(text(longest=20_000)))

# What a sidecar has in its spool is taken if it can be understood at all: it would be sent again for ever.
_count = clamped(1, 2**31 - 1)
_id = integer(1, 2**31 - 1)
_AUDIT_ENTRY = record(
    id=uuid,
    time=instant,
    method=nullable(cut(200)),
    tool=nullable(cut(200)),
    model=nullable(cut(200)),
    res_ids=cut_list(clamped(-(2**63), 2**63), 100),
    connection=nullable(_id),
    user=nullable(_id),
    session=nullable(cut(200)),
    client=nullable(cut(200)),
    ip=nullable(cut(100)),
    status=choice("success", "error", "refused", "abandoned"),
    reason=nullable(cut(200)),
    error=nullable(cut(2000)),
    duration_ms=nullable(clamped(0, 2**31 - 1)),
    count=_count,
    call_id=nullable(uuid),
    request=nullable(cut(16_000)),
    response=nullable(cut(4_000)),
)

_number = integer(0, 2**31 - 1)
APPEND_AUDIT = lenient(
    record(replica=uuid, entries=list_of(_AUDIT_ENTRY, longest=500, shortest=1), seen=nullable(_number))
)

_ALARM = record(
    id=text(longest=64, shortest=16),
    kind=choice("lowered", "changed", "missing", "deleted"),
    sequence=_number,
    missing=clamped(0, 2**31 - 1),
    time=instant,
)

CHECK_AUDIT = record(replica=uuid, seen=nullable(_number), after=_number, alarms=list_of(_ALARM, longest=32))

_SESSION = record(
    session=name,
    connection=_id,
    user=_id,
    client=nullable(cut(200)),
    ip=nullable(cut(100)),
    era=choice("legacy", "modern"),
    created=instant,
    last_activity=instant,
    requests=clamped(0, 2**31 - 1),
    live=boolean,
)

SYNC_SESSIONS = lenient(record(replica=uuid, complete=boolean, sessions=list_of(_SESSION, longest=1000)))

# === OAuth ===

_uri = text(longest=2000, shortest=1)
_address = nullable(text(longest=100))
_scope = nullable(list_of(name, longest=50))
_auth_method = choice("none", "client_secret_basic", "client_secret_post")
_CLIENT = record(client_id=_uri, secret=nullable(proof), auth_method=_auth_method)

OAUTH_CLIENT = record(client_id=_uri)

OAUTH_REGISTER = record(
    client_id=_uri,
    name=name,
    redirect_uris=list_of(_uri, longest=50),
    auth_method=_auth_method,
    secret=nullable(proof),
    grant_types=list_of(name, longest=10),
    client_uri=nullable(_uri),
    software_id=nullable(name),
    ip=_address,
)

_DOCUMENT = record(
    name=name,
    redirect_uris=list_of(_uri, longest=50, shortest=1),
    client_uri=nullable(_uri),
    expires_in=clamped(0, 30 * 86400),
)

OAUTH_BEGIN = record(
    request=proof,
    browser=proof,
    client_id=_uri,
    document=nullable(_DOCUMENT),
    redirect_uri=_uri,
    state=nullable(text(longest=4096)),
    code_challenge=text(longest=43, shortest=43),
    scope=_scope,
    resource=_uri,
    issuer=_uri,
    ip=_address,
)

OAUTH_RESUME = record(request=proof, browser=proof, approval=nullable(proof), code=proof)

OAUTH_TOKEN = record(
    client=_CLIENT,
    code=proof,
    redirect_uri=nullable(_uri),
    code_challenge=nullable(text(longest=43, shortest=43)),
    resource=nullable(_uri),
    access=proof,
    refresh=proof,
    ip=_address,
)

OAUTH_REFRESH = record(
    client=_CLIENT,
    token=proof,
    scope=_scope,
    resource=nullable(_uri),
    access=proof,
    refresh=proof,
    ip=_address,
)

OAUTH_CLIENT_CREDENTIALS = record(client=_CLIENT, scope=_scope, resource=nullable(_uri), access=proof, ip=_address)

OAUTH_REVOKE = record(client=_CLIENT, token=proof)

OAUTH_INTROSPECT = record(client=_CLIENT, token=proof)

BEGIN_CHECK = record(check=uuid, replica=uuid, proof=proof)

# In the order in which they build on each other.
CHECKED = (
    "address",
    "reachable",
    "resource_metadata",
    "server_metadata",
    "oauth_paths",
    "challenge",
    "session",
    "stream",
    "clock",
    "proxy",
)

_RESULT = record(
    name=choice(*CHECKED),
    status=choice("ok", "warning", "failed", "skipped"),
    code=nullable(name),
    data=mapping,
)

REPORT_CHECK = record(check=uuid, replica=uuid, results=list_of(_RESULT, longest=50))
