"""Classifies errors of the database connection: what passes by itself, such as a restart, is worth another try."""

import psycopg2

# Classes of SQLSTATE: connection exception, insufficient resources, operator intervention (shutdown, restart, a
# statement that an operator canceled), system error.
_CLASSES = ("08", "53", "57", "58")
# Sessions that the server ended since they took too long.
_ENDED = ("25P03", "25P04")


# What is wrong with a query or a value, or within the server; psycopg2 itself finds some without asking the server.
_OF_QUERIES = (
    psycopg2.DataError,
    psycopg2.IntegrityError,
    psycopg2.InternalError,
    psycopg2.NotSupportedError,
    psycopg2.ProgrammingError,
)


def is_temporary(exc):
    """Whether the database, and no value or query, is the matter."""
    if exc.pgcode is None:
        # there is no answer of the server: the connection was lost or never made, or no place for one was free
        return not isinstance(exc, _OF_QUERIES)
    return exc.pgcode[:2] in _CLASSES or exc.pgcode in _ENDED
