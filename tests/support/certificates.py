"""Certificates made on the spot by the openssl program, good and bad."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest


def _openssl(*words: str) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("THE PROGRAM openssl IS ABSENT: certificates cannot be made")
    subprocess.run([program, *words], check=True, capture_output=True)  # fixed words


def certificate(
    folder: Path, *, address: str = "127.0.0.1", days: int = 2
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context, and a client's that trusts its certificate; ``days`` below 0 has expired."""
    key, request, made = folder / "key.pem", folder / "request.pem", folder / "certificate.pem"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    names = ("-subj", "/CN=loopback", "-addext", f"subjectAltName=IP:{address}")
    _openssl("req", "-new", *curve, "-keyout", str(key), "-out", str(request), *names)
    signing = ("-signkey", str(key), "-days", str(days), "-copy_extensions", "copy")
    _openssl("x509", "-req", "-in", str(request), *signing, "-out", str(made))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made, key)
    return server, ssl.create_default_context(cafile=str(made))
