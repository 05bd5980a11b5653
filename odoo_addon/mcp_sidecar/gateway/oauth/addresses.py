"""Addresses of the authorization server: which issuers are this server, and which resources are its endpoint."""

from ..sync import public_urls

MCP_PATH = "/odoo/mcp"


def is_issuer(env, settings, issuer):
    """Whether that is the confirmed public URL, or a listed previous one."""
    known = {public_urls.normalized(settings.public_url), *env["mcp.server.settings"]._previous_origins()} - {None}
    return not issuer.endswith("/") and public_urls.normalized(issuer) in known


def resource_of(issuer):
    return issuer + MCP_PATH


def is_resource(env, settings, resource):
    """Whether that is the endpoint of this server, at its address of now or one of before."""
    return resource.endswith(MCP_PATH) and is_issuer(env, settings, resource.removesuffix(MCP_PATH))


def default_resource(settings):
    """The endpoint of this server at its address of now, or None where it has none yet."""
    return resource_of(settings.public_url) if settings.public_url else None
