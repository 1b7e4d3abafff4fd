"""A release, and a server that publishes it: well, or with a fault that the first part of the path names.

    http://127.0.0.1:PORT/good/corti-auth/releases/download/v0.1.0/SHA256SUMS

good: as it should be.            cut: half an archive, though the head promises all of it.
wrong-sum: another archive than the sum is of.   missing: no archive in the list.
stall: half an archive, and then nothing until the client goes away.
gone: the list, and no archive.   plain: a redirect to the same release on plain http.   ftp: a redirect to ftp.
broken: an archive whose program does not run.   other: the program says another version.
stalled: half of install.sh, and then nothing.
endless: an archive and an install.sh without an end (which is at 200 MB here).
drip: the same, but a byte comes now and then.
"""

import contextlib
import hashlib
import http.server
import io
import os
import pathlib
import platform
import re
import shutil
import ssl
import subprocess
import tarfile
import tempfile
import threading
import time
import unittest
import unittest.mock
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
VERSION = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
PROCESSOR = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine())
SYSTEM = {"Linux": "unknown-linux-musl", "Darwin": "apple-darwin", "Windows": "pc-windows-msvc"}[platform.system()]
HOST = f"{PROCESSOR}-{SYSTEM}"
EXE = ".exe" if platform.system() == "Windows" else ""
BINARY = os.environ.get("CORTI_AUTH_BINARY", str(ROOT / f"target/debug/corti-auth{EXE}"))


def needs(*tools: str):
    """For tests that are left out where these programs are not. In CI that is a failure: nobody reads there what was left out.
    Not on macOS, whose runners have neither BusyBox nor wget."""
    missing = [tool for tool in tools if not shutil.which(tool)]
    if not missing or not os.environ.get("CI") or SYSTEM != "unknown-linux-musl":
        return unittest.skipIf(missing, f"{missing} not here")

    def fail(*_):
        raise AssertionError(f"{missing} not here, and in CI every test runs")

    def replace(test):
        if not isinstance(test, type):
            return fail
        test.setUpClass = classmethod(fail)
        return test

    return replace


class Needs(unittest.TestCase):
    """Run by test_release, which imports it."""

    def outcome(self, ci: str):
        with unittest.mock.patch.dict(os.environ, {"CI": ci}):
            @needs("no-such-program")
            class Whole(unittest.TestCase):
                def test(self):
                    pass

            class Single(unittest.TestCase):
                @needs("no-such-program")
                def test(self):
                    pass

        result = unittest.TestResult()
        for case in (Whole, Single):
            unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
        return len(result.skipped), len(result.errors) + len(result.failures)

    def test_skipped_at_home(self):
        self.assertEqual(self.outcome(""), (2, 0))

    @unittest.skipUnless(SYSTEM == "unknown-linux-musl", "only for Linux")
    def test_a_failure_in_ci(self):
        self.assertEqual(self.outcome("true"), (0, 2))


def program() -> bytes:
    """The real program, made smaller."""
    if EXE:
        return pathlib.Path(BINARY).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        stripped = f"{folder}/corti-auth"
        subprocess.run(["strip", "-o", stripped, BINARY], check=True)
        return pathlib.Path(stripped).read_bytes()


def script(text: str) -> bytes:
    return f"#!/bin/sh\n{text}\n".encode()


def tar(target: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
        member = tarfile.TarInfo(f"corti-auth-{VERSION}-{target}/corti-auth")
        member.size, member.mode = len(content), 0o755
        archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def zipped(target: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"corti-auth-{VERSION}-{target}/corti-auth.exe", content)
    return file.getvalue()


def certificate(folder: pathlib.Path) -> pathlib.Path:
    """A certificate for this machine, with its key, as one file."""
    file, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", file],
        check=True, capture_output=True)
    file.write_text(file.read_text() + key.read_text())
    return file


class Release:
    """The files of a release. Other platforms' programs are a shell script that says the version."""

    def __init__(self):
        says = script(f"echo corti-auth {VERSION}")
        self.files = {}
        for system in ("unknown-linux-musl", "apple-darwin", "pc-windows-msvc"):
            for processor in ("x86_64", "aarch64"):
                target = f"{processor}-{system}"
                pack, ending = (zipped, "zip") if "windows" in system else (tar, "tar.gz")
                content = program() if target == HOST else says
                self.files[f"corti-auth-{VERSION}-{target}.{ending}"] = pack(target, content)
        self.broken = tar(HOST, script("exit 1"))
        self.other = tar(HOST, script("echo corti-auth 9.9.9"))

    def sums(self, fault: str) -> bytes:
        files = {name: self.content(fault, name) for name in self.files} if fault in ("broken", "other") else self.files
        lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items()]
        return "".join(lines if fault != "missing" else []).encode()

    def content(self, fault: str, name: str) -> bytes:
        if HOST in name and fault in ("broken", "other"):
            return getattr(self, fault)
        content = self.files[name]
        return content[:-1] + bytes([content[-1] ^ 1]) if fault == "wrong-sum" else content


class Server:
    """Publishes a release until the `with` block ends. `asked` has the paths of all requests."""

    def __init__(self, release: Release, certificate: pathlib.Path | None = None, plain: str = ""):
        self.asked: list[str] = []
        self.left = threading.Event()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked.append(self.path)
                parts = self.path.strip("/").split("/")
                fault, kind, name = parts[0], parts[2:-1], parts[-1]
                known = kind in (["releases", "download", f"v{VERSION}"], ["releases", "latest", "download"])
                if fault in ("plain", "ftp"):
                    self.send_response(302)
                    self.send_header("Location", f"{plain if fault == 'plain' else 'ftp://127.0.0.1:9'}/good/" + "/".join(parts[1:]))
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif known and name == "SHA256SUMS":
                    self.answer(release.sums(fault))
                elif known and fault == "endless" and name != "SHA256SUMS":
                    self.send_response(200)
                    self.end_headers()
                    self.send(bytes(1_000_000) for _ in range(200))
                elif known and fault == "drip" and name != "SHA256SUMS":
                    self.send_response(200)
                    self.end_headers()
                    self.send((time.sleep(0.2), b"0")[1] for _ in range(500))
                elif known and name == "install.sh":
                    known = {"repository": server.repository(fault), "version": VERSION}
                    content = re.sub(r"(?m)^default_(\w+)=''", lambda it: f"default_{it[1]}='{known[it[1]]}'",
                                     (ROOT / name).read_text()).encode()
                    self.answer(content, len(content) // 2 if fault == "stalled" else None)
                    if fault == "stalled":
                        self.wfile.flush()
                        self.connection.recv(1)  # until the client gives up
                elif known and name in release.files and fault != "gone":
                    content = release.content(fault, name)
                    with contextlib.suppress(OSError):  # the client goes away
                        self.answer(content, len(content) // 2 if fault in ("cut", "stall") else None)
                        if fault == "stall":
                            self.connection.recv(1)
                    server.left.set()
                else:
                    self.send_error(404)

            def send(self, parts):
                with contextlib.suppress(OSError):  # until the client goes away
                    for part in parts:
                        self.wfile.write(part)

            def answer(self, content: bytes, end: int | None = None):
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[:end])

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            scheme = "https"
        self.base = f"{scheme}://127.0.0.1:{self.server.server_port}"

    def repository(self, fault: str = "good") -> str:
        return f"{self.base}/{fault}/corti-auth"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
