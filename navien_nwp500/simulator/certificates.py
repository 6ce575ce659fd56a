"""The cloud's own certificate authority, made anew for each run."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

NAMES = ("localhost", "127.0.0.1")


def make_server_context(ca_file: Path) -> ssl.SSLContext:
    """Make a TLS context for loopback and write its authority's certificate, PEM, to ``ca_file``.

    Blocks for the key generation and the writing.
    """
    authority = trustme.CA(organization_name="navien-nwp500 simulator")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*NAMES).configure_cert(context)
    authority.cert_pem.write_to_path(str(ca_file))
    return context
