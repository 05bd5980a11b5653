"""The gateway: plain Python between the RPC methods of `models/mcp_gateway.py` and Odoo's ORM.

`LAYERS` is the import rule: a module imports from its own package and from layers before it, never from one behind, and
within a package there is no circle. `tests/test_architecture.py` holds it. The tests mirror the packages: the test of
`policy/field_reach.py` is `tests/test_policy_field_reach.py`.

The path of an `execute` request:

1. `endpoint.endpoint` requires the service account and decodes the JSON text with the schema in `rpc.contract`.
2. `service.execute` starts the deadline, the same one in each retry of Odoo.
3. `transaction.guarded` opens a savepoint: read-only for a reading call, and refused while the master switch is off.
4. `auth.identity.authenticate` resolves the proof to a principal, and checks the address rules of its connection.
5. `policy.call_rules.check_call` checks scope, tools, models and method level, before anything stored is answered.
6. `mcp.call` answers a request that was carried out before: writes happen once.
7. `auth.identity.environment_of` makes the environment of the user, with the context that the request may set.
8. `operations.executor.run` keeps level, handles and allowed models on the cursor, where Odoo's hooks read them.
9. Each step runs its operation (`reading`, `operations`), which validates domains (`search`) and values (`fields`).
10. The ORM asks the hooks in `models/`, which ask `policy` and `sinks` again: they hold for every path of code.
11. The result is serialized (`values`), the savepoint is released, and `mcp.call` stores the answer of a write.
12. What failed is rolled back and translated into one fault of the contract, which `endpoint.endpoint` raises.

The authorization server is `oauth/`. What comes next has its place: subscriptions are `events/`, and documents that
Odoo prints are `reports/`, each a layer between `operations` and `service`, beside `audit` and `sync`.
"""

LAYERS = (
    "quoting",
    "redaction",
    "suggestions",
    "rpc",
    "transaction",
    "errors",
    "auth",
    "policy",
    "sinks",
    "values",
    "search",
    "buttons",
    "fields",
    "reading",
    "operations",
    "audit",
    "sync",
    "oauth",
    "service",
    "endpoint",
)
