"""Connection check: a sidecar takes part in a check, and reports what it has found."""

from .. import quoting

# What a sentence of a result may name.
_DATA = ("address", "detail", "found", "location", "seconds", "status")
_LONGEST = 300


def begin(env, request):
    accepted = env["mcp.connection.check"]._begin(
        request["check"].lower(), request["replica"].lower(), request["proof"]
    )
    return {"accepted": accepted}


def report(env, request):
    results = [{**result, "data": _shown(result["data"])} for result in request["results"]]
    env["mcp.connection.check"]._report(request["check"].lower(), request["replica"].lower(), results)
    return {}


def _shown(data):
    """What other servers have answered is shown to a person: on one line, and nothing in it is invisible."""
    return {key: quoting.line(str(data[key]), _LONGEST) for key in _DATA if isinstance(data.get(key), (str, int))}
