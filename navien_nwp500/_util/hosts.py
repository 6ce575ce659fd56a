"""Host names and IP addresses."""

from __future__ import annotations

import ipaddress
import re


def is_host(host: str | None) -> bool:
    """Return True for an IP address or a name that can be looked up."""
    if not host or re.search(r"[\s\x00-\x20\x7f/\\@%?#]", host):
        return False
    if ":" in host:
        return is_ip_address(host)
    try:
        host.encode("idna")
    except UnicodeError:  # an empty or too long part
        return False
    return True


def is_ip_address(host: str) -> bool:
    """Return True for an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return True for ``localhost`` and the addresses of this machine's loopback interface."""
    if is_ip_address(host):
        return ipaddress.ip_address(host).is_loopback
    return host.rstrip(".").lower() == "localhost"


def address_text(host: str, port: int) -> str:
    """Return ``host:port``, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
