"""The certificate authority of the simulated cloud, made anew for each run.

trustme makes it, or the program openssl on 32-bit ARM, where trustme needs a compiler.
"""

from __future__ import annotations

import importlib.util
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path

NAMES = ("localhost", "127.0.0.1")
HAS_TRUSTME = importlib.util.find_spec("trustme") is not None
OPENSSL = shutil.which("openssl")

if not HAS_TRUSTME and OPENSSL is None:
    raise ModuleNotFoundError("no trustme", name="trustme or the program openssl")

_OWNER = "navien-nwp500 simulator"
_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
_LIFE = ["-days", "365"]
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


def make_server_context(ca_file: Path) -> ssl.SSLContext:
    """Return a TLS context for loopback, and write its authority's PEM certificate to ``ca_file``.

    This blocks while keys are generated. Raise OSError if openssl fails.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if not HAS_TRUSTME:
        _use_openssl(context, ca_file)
        return context
    import trustme

    authority = trustme.CA(organization_name=_OWNER)
    authority.issue_cert(*NAMES).configure_cert(context)
    authority.cert_pem.write_to_path(str(ca_file))
    return context


def _use_openssl(context: ssl.SSLContext, ca_file: Path) -> None:
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
        context.load_cert_chain(Path(folder, "server.pem"), Path(folder, "server.key"))
        shutil.copyfile(Path(folder, "ca.pem"), ca_file)
