"""Who is at the other end of a connection."""

from __future__ import annotations

import ipaddress
from collections.abc import MutableMapping
from typing import Any

from app.limits import NOBODY


def client_address(scope: MutableMapping[str, Any]) -> str:
    """The client's address; of IPv6 the network, which is one subscriber's."""
    host = str((scope.get("client") or (NOBODY, 0))[0])
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else host
