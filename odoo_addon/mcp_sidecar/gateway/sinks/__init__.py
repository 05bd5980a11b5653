"""Credentials are never rendered: methods, fields and stored code that would show one to an AI tool."""
