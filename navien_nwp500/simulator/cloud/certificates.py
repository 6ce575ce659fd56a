"""The certificate authority of the simulated cloud, made anew for each run without a saved state.

trustme makes it, or the program openssl on 32-bit ARM, where trustme needs a compiler.
"""

from __future__ import annotations

import importlib.util
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

NAMES = ("localhost", "127.0.0.1")
HAS_TRUSTME = importlib.util.find_spec("trustme") is not None
OPENSSL = shutil.which("openssl")

if not HAS_TRUSTME and OPENSSL is None:
    raise ModuleNotFoundError("no trustme", name="trustme or the program openssl")

_OWNER = "navien-nwp500 simulator"
_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
_LIFE = ["-days", "3650"]
_CONFIGURATION = """\
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
authorityKeyIdentifier = keyid
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
"""


class Certificates(NamedTuple):
    """PEM texts: the authority's certificate, and the server's key with its certificate."""

    authority: str
    server: str


def make_certificates() -> Certificates:
    """Make an authority and a server certificate for loopback.

    This blocks while keys are generated. Raise OSError if openssl fails.
    """
    if not HAS_TRUSTME:
        return _use_openssl()
    import trustme

    authority = trustme.CA(organization_name=_OWNER)
    server = authority.issue_cert(*NAMES).private_key_and_cert_chain_pem
    return Certificates(authority.cert_pem.bytes().decode(), server.bytes().decode())


def make_server_context(certificates: Certificates) -> ssl.SSLContext:
    """Return a TLS context of the server. Raise OSError, also for invalid certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory(prefix="navilink-tls-") as folder:
        path = Path(folder, "server.pem")
        path.touch(mode=0o600)
        path.write_text(certificates.server)
        context.load_cert_chain(path)
    return context


def _use_openssl() -> Certificates:
    with tempfile.TemporaryDirectory(prefix="navilink-tls-") as folder:
        Path(folder, "config").write_text(_CONFIGURATION)
        new = ["req", "-config", "config", *_KEY]
        signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "2", *_LIFE]
        server = ["-extfile", "config", "-extensions", "server", "-out", "server.pem"]
        for arguments in (
            [*new, "-x509", "-extensions", "authority", "-subj", f"/O={_OWNER}", *_LIFE]
            + ["-keyout", "ca.key", "-out", "ca.pem"],
            [*new, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"],
            ["x509", "-req", "-in", "server.csr", *signing, *server],
        ):
            done = subprocess.run(
                [OPENSSL or "openssl", *arguments], cwd=folder, capture_output=True, text=True
            )
            if done.returncode:
                raise OSError(f"openssl failed to make a certificate: {done.stderr.strip()}")
        names = ("ca.pem", "server.key", "server.pem")
        authority, key, certificate = (Path(folder, name).read_text() for name in names)
        return Certificates(authority, key + certificate)
