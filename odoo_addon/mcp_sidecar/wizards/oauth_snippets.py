"""What to enter in an AI tool that signs in by OAuth: nothing but the URL, or a client made by hand."""

from .snippets import SERVER_NAME, as_json, quoted

AUTHORIZE_PATH, TOKEN_PATH = "/oauth/authorize", "/oauth/token"
SCOPE = "mcp:read mcp:write"
# The port of the example: it has to be that of a redirect URI of the client, and any port of a loopback address is.
CALLBACK_PORT = 8080


# === Browser login: the URL is all that a tool needs ===


def of_url(url):
    """Each tool's snippet by the tool's name."""
    return {
        "claude_code": f"claude mcp add --transport http {SERVER_NAME} {quoted(url)}\nclaude /mcp",
        "cursor": as_json({"mcpServers": {SERVER_NAME: {"url": url}}}),
        "vscode": as_json({"servers": {SERVER_NAME: {"type": "http", "url": url}}}),
        "gemini_cli": as_json({"mcpServers": {SERVER_NAME: {"httpUrl": url}}}),
        "codex": f"codex mcp add {SERVER_NAME} --url {quoted(url)}\ncodex mcp login {SERVER_NAME}",
    }


# === A client made by hand ===


def of_client(url, client_id, secret):
    """What to enter for a client, by where; without a secret for a public one."""
    return {
        "values": _values(url, client_id, secret),
        "claude_ai": _lines({"URL": url, "OAuth Client ID": client_id, "OAuth Client Secret": secret}),
        "claude_code": _claude_code(url, client_id, secret),
        "curl": _curl(url, client_id, secret),
    }


def authorize_url(url):
    return _origin(url) + AUTHORIZE_PATH


def token_url(url):
    return _origin(url) + TOKEN_PATH


def _origin(url):
    return url.removesuffix("/odoo/mcp")


def _values(url, client_id, secret):
    return _lines(
        {
            "MCP URL": url,
            "Authorization URL": authorize_url(url),
            "Token URL": token_url(url),
            "Client ID": client_id,
            "Client Secret": secret,
            "Scope": SCOPE,
            "PKCE": "S256",
            "Resource": url,
        }
    )


def _lines(values):
    return "\n".join(f"{name}: {value}" for name, value in values.items() if value)


def _claude_code(url, client_id, secret):
    # it asks for the secret itself, so that none is left in the history of the shell
    flag = " --client-secret" if secret else ""
    options = f"--client-id {quoted(client_id)}{flag} --callback-port {CALLBACK_PORT}"
    return f"claude mcp add --transport http {options} \\\n  {SERVER_NAME} {quoted(url)}"


def _curl(url, client_id, secret):
    form = {"grant_type": "client_credentials", "scope": SCOPE, "resource": url}
    lines = [f"curl {quoted(token_url(url))}", f"  -u {quoted(f'{client_id}:{secret or str()}')}"]
    lines += [f"  --data-urlencode {quoted(f'{name}={value}')}" for name, value in form.items()]
    return " \\\n".join(lines)
