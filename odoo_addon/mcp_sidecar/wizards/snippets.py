"""What to paste into each AI tool, so that it finds this server and shows its key."""

import json
import re

# What the server is called in the AI tool's own configuration.
SERVER_NAME = "odoo"
# Where nothing better is known, so that the form of the snippets can be seen all the same. They hold a real key, so
# this must never be a real host: no name under .invalid is (RFC 2606).
EXAMPLE_URL = "https://YOUR-SIDECAR.invalid/odoo/mcp"


def filled_in(url, key):
    """Each tool's snippet by the tool's name."""
    return {name: write(url, f"Bearer {key}", key) for name, write in _SNIPPETS.items()}


# === Commands ===


def _claude_code(url, bearer, _key):
    header = quoted(f"Authorization: {bearer}")
    return f"claude mcp add --transport http {SERVER_NAME} {quoted(url)} \\\n  --header {header}"


def _curl(url, bearer, _key):
    client = {"name": "curl", "version": "1"}
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    headers = {
        "Authorization": bearer,
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
    }
    lines = [f"curl {quoted(url)}"]
    lines += [f"  -H {quoted(f'{name}: {value}')}" for name, value in headers.items()]
    # nothing in it needs the double quotes, and it can be read this way
    return " \\\n".join([*lines, f"  -d '{json.dumps(hello)}'"])


def quoted(text):
    # double quotes are what Windows understands as well
    return '"' + re.sub(r'([\\"$`])', r"\\\1", text) + '"'


# === JSON ===


def _claude_desktop(url, bearer, _key):
    # Its file takes local programs only, hence the bridge; and it breaks arguments at spaces, hence the variable.
    args = ["-y", "mcp-remote", url, "--header", "Authorization:${AUTH_HEADER}"]
    if url.startswith("http://"):
        args.append("--allow-http")
    return as_json({"mcpServers": {SERVER_NAME: {"command": "npx", "args": args, "env": {"AUTH_HEADER": bearer}}}})


def _cursor(url, bearer, _key):
    return as_json({"mcpServers": {SERVER_NAME: {"url": url, "headers": {"Authorization": bearer}}}})


def _gemini_cli(url, bearer, _key):
    # "url" would be the older transport
    return as_json({"mcpServers": {SERVER_NAME: {"httpUrl": url, "headers": {"Authorization": bearer}}}})


def _vscode(url, bearer, _key):
    return as_json({"servers": {SERVER_NAME: {"type": "http", "url": url, "headers": {"Authorization": bearer}}}})


def as_json(value):
    return json.dumps(value, indent=2)


# === Other forms ===
# A JSON string is a string in YAML and TOML as well.


def _continue_dev(url, bearer, _key):
    return (
        "mcpServers:\n"
        f"  - name: {json.dumps(SERVER_NAME)}\n"
        '    type: "streamable-http"\n'
        f"    url: {json.dumps(url)}\n"
        "    requestOptions:\n"
        "      headers:\n"
        f"        Authorization: {json.dumps(bearer)}"
    )


def _codex(url, bearer, _key):
    return (
        f"[mcp_servers.{SERVER_NAME}]\n"
        f"url = {json.dumps(url)}\n"
        f"http_headers = {{ Authorization = {json.dumps(bearer)} }}"
    )


def _n8n(url, _bearer, key):
    return f"Endpoint: {url}\nServer Transport: HTTP Streamable\nAuthentication: Bearer Auth\nBearer Token: {key}"


def _header(url, bearer, _key):
    return f"URL: {url}\nAuthorization: {bearer}"


_SNIPPETS = {
    "claude_code": _claude_code,
    "claude_desktop": _claude_desktop,
    "cursor": _cursor,
    "vscode": _vscode,
    "gemini_cli": _gemini_cli,
    "continue_dev": _continue_dev,
    "codex": _codex,
    "n8n": _n8n,
    "curl": _curl,
    "header": _header,
}
