"""IP allow and deny lists of a connection: their syntax, and whether an address is in them."""

from ipaddress import IPv6Network, ip_address, ip_network

_MAPPED = IPv6Network("::ffff:0:0/96")


class InvalidLine(ValueError):
    """A line that names neither an address nor a network."""

    def __init__(self, number, line, hint=None):
        super().__init__(line)
        self.number = number
        self.line = line
        self.hint = hint


def networks(text):
    """The networks that a text lists: an address or a network a line, comments from ``#`` on."""
    found = []
    for number, line in enumerate((text or "").splitlines(), 1):
        entry = line.partition("#")[0].strip()
        if entry:
            found.append(_network(number, entry))
    return found


def _network(number, entry):
    if "%" in entry:
        raise InvalidLine(number, entry)  # a zone means something on one machine only
    try:
        network = ip_network(entry)
    except ValueError as exc:
        raise InvalidLine(number, entry, _hint(entry)) from exc
    if network.version == 6 and network.subnet_of(_MAPPED):
        # an IPv4 address in the clothes of IPv6
        return ip_network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return network


def _hint(entry):
    """The network that the entry lies in, where it names an address inside of it."""
    try:
        return str(ip_network(entry, strict=False))
    except ValueError:
        return None


def is_allowed(allowed, blocked, address):
    """Whether an address may come in: blocked wins, and where nothing is allowed by name, all is."""
    try:
        address = ip_address(address or "")
    except ValueError:
        # an unknown address passes no rule
        return not allowed and not blocked
    address = getattr(address, "ipv4_mapped", None) or address
    return not _is_in(address, blocked) and (not allowed or _is_in(address, allowed))


def _is_in(address, networks_):
    return any(address in network for network in networks_)
