"""A Wine of its own with corti-auth.exe, a sandbox on this machine, and what a row of rows.py asks of them."""

import fcntl
import json
import os
import pathlib
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
CROSS = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target/cross"))
EXE = pathlib.Path(os.environ.get("CORTI_AUTH_EXE", CROSS / "x86_64-pc-windows-gnu/debug/corti-auth.exe"))
BINARY = pathlib.Path(os.environ.get("CORTI_AUTH_BINARY", ROOT / "target/debug/corti-auth"))
WINE = shutil.which("wine64") or "/usr/lib/wine/wine64"
WINESERVER = shutil.which("wineserver") or "/usr/lib/wine/wineserver64"
COMPILER = "x86_64-w64-mingw32-gcc"


class Wrong(Exception):
    """What was seen is not what is wanted."""


def expect(condition, seen):
    if not condition:
        raise Wrong(seen)


def processes_of(folder: pathlib.Path) -> list[int]:
    """The processes with this folder in a variable or on the command line."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if any(os.fsencode(folder) in (process / it).read_bytes() for it in ["environ", "cmdline"]):
                found.append(int(process.name))
        except OSError:  # it has ended
            pass
    return found


def windows(path) -> str:
    """A path of this machine as Windows programs name it."""
    return "Z:" + str(path).replace("/", "\\")


class Seen:
    """How a command ended, and what it printed."""

    def __init__(self, code: int, out: bytes, err: bytes):
        self.code, self.out, self.err = code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")

    def __str__(self):
        return f"exit {self.code}: {self.out[:1500]}{self.err[:1500]}"

    def ok(self, *texts: str):
        return self.ends(0, *texts)

    def ends(self, code: int, *texts: str):
        expect(self.code == code, f"exit {code} is wanted, not {self}")
        for text in texts:
            expect(text in self.out + self.err, f"{text!r} is not in {self}")
        return self

    def json(self):
        return json.loads(self.ok().out)


class Sandbox:
    """`corti-auth sandbox` on this machine, until `stop`."""

    def __init__(self, folder: pathlib.Path, secret: str | None = None, port=0):
        ready = folder / "ready.json"
        more = []
        if secret:
            (folder / "given-secret").write_text(secret)
            more = ["--secret-file", folder / "given-secret"]
        self.process = subprocess.Popen(
            [BINARY, "sandbox", "--port", str(port), "--ready-file", ready, *more], stdout=subprocess.DEVNULL)
        while not ready.exists():
            expect(self.process.poll() is None, "the sandbox does not start")
            time.sleep(0.02)
        vars(self).update(json.loads(ready.read_text()))
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def control(self, method: str, path: str, body=None):
        request = urllib.request.Request(f"{self.environment}/_sandbox{path}", method=method,
                                         headers={"Authorization": f"Bearer {self.control_token}"},
                                         data=json.dumps(body).encode() if body else None)
        with self.opener.open(request, timeout=30) as answer:
            return json.load(answer)

    def mints(self) -> int:
        return self.control("GET", "/counters")["token_requests"]

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Console:
    """A program on its own terminal, the controlling one of its session: Wine gets Ctrl-C as SIGINT from it."""

    def __init__(self, world, *arguments, variables=None):
        self.master, terminal = os.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
        self.process = world.start(*arguments, variables=variables, stdin=terminal, stdout=terminal, stderr=terminal,
                                   start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(terminal)
        self.raw, self.read = b"", 0
        world.doing = self

    def __str__(self):
        return f"{self.process.args[1:]}, which shows {self.text!r}"

    @property
    def text(self) -> str:
        """All that was shown, without the movements of the cursor."""
        text = re.sub(r"\x1b\[(\d*)C", lambda it: " " * int(it[1] or 1), self.raw.decode("utf-8", "replace"))
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)

    def more(self) -> bool:
        try:
            chunk = os.read(self.master, 65536)
        except OSError:  # its end, on Linux
            chunk = b""
        self.raw += chunk
        return bool(chunk)

    def until(self, text: str):
        """Waits for a text after the one that was waited for last."""
        while text not in self.text[self.read:]:
            expect(self.more(), f"{text!r} is not shown, but {self.text!r}")
        self.read = self.text.index(text, self.read) + len(text)
        return self

    def type(self, keys: str):
        # Waits until Wine turns off echo and line mode.
        while termios.tcgetattr(self.master)[3] & (termios.ICANON | termios.ECHO):
            time.sleep(0.01)
        os.write(self.master, keys.encode())
        return self

    def interrupt(self):
        """Presses Ctrl-C, which the terminal takes in each of its modes."""
        os.write(self.master, b"\x03")
        return self

    def ends(self, code: int):
        found = self.process.wait()
        # Not until the terminal's end: Wine's console may keep it for some seconds.
        while select.select([self.master], [], [], 0)[0] and self.more():
            pass
        os.close(self.master)
        expect(found == code, f"exit {code} is wanted, not {found}: {self.text!r}")
        return self


class World:
    """A Wine of its own, a sandbox, and an empty home for each row. `close` ends whatever was started."""

    def __init__(self, folder: pathlib.Path):
        self.folder, self.work = folder, folder / "work"
        self.exe, self.helper = folder / "bin/corti-auth.exe", folder / "bin/helper.exe"
        self.variables = {
            "PATH": os.environ["PATH"], "HOME": str(folder / "home"), "LC_ALL": "C.UTF-8", "WINEPREFIX": str(folder / "wine"),
            "TMPDIR": str(folder), "WINEDEBUG": "-all", "WINEDLLOVERRIDES": "mscoree,mshtml=",
        }
        self.doing = None  # what was started last

    def open(self):
        for name in ["home", "bin", "wine"]:
            (self.folder / name).mkdir()
        for name in [EXE.name, "bcryptprimitives.dll"]:
            shutil.copy(EXE.with_name(name), self.exe.with_name(name))
        source = pathlib.Path(__file__).with_name("helper.c")
        subprocess.run([COMPILER, "-O1", "-municode", "-o", self.helper, source, "-ladvapi32"], check=True)
        self.start_wine()
        # Wine 8 calls itself Windows 7 by default.
        self.wine("reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f").ok()
        self.sandbox = Sandbox(self.folder)
        [self.users] = [it for it in (self.folder / "wine/drive_c/users").iterdir() if it.name != "Public"]

    def start_wine(self):
        """Starts Wine's server and services, to stay. Otherwise each program starts its own, and is slow."""
        silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([WINESERVER, "-p"], env=self.variables, check=True, **silent)
        expect(self.start("wineboot", **silent).wait() == 0, "Wine does not start")

    def end_wine(self):
        """Ends Wine with all its programs."""
        subprocess.run([WINESERVER, "-k"], env=self.variables, check=False, stderr=subprocess.DEVNULL)
        subprocess.run([WINESERVER, "-w"], env=self.variables, check=False)

    def close(self):
        self.end_wine()
        while left := processes_of(self.folder):
            for process in left:
                try:
                    os.kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.05)

    # Programs

    def start(self, *arguments, variables=None, **options):
        self.doing = words = [str(it) for it in arguments]
        return subprocess.Popen([WINE, *words], env=self.variables | (variables or {}), cwd=self.folder, **options)

    def wine(self, *arguments, text: str | bytes = b"", variables=None) -> Seen:
        process = self.start(*arguments, variables=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate(text.encode() if isinstance(text, str) else text)
        return Seen(process.returncode, out, err)

    def run(self, *arguments, **options) -> Seen:
        """corti-auth, which never prints the secret."""
        seen = self.wine(self.exe, *arguments, **options)
        expect(self.sandbox.client_secret not in seen.out + seen.err, f"the secret is in what {arguments} prints")
        return seen

    def console(self, *arguments, **options) -> Console:
        return Console(self, self.exe, *arguments, **options)

    # Its state

    def fresh(self):
        self.wine(self.helper, "forget").ok()
        for name in ["Roaming", "Local"]:
            shutil.rmtree(self.users / "AppData" / name / "corti-auth", ignore_errors=True)
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()
        self.sandbox.control("DELETE", "/knobs")

    def credentials(self) -> dict[str, str]:
        """The secrets in the Credential Manager, by their targets."""
        lines = self.wine(self.helper, "credentials").ok().out.splitlines()
        fields = [line.split("\t") for line in lines]
        return {target: bytes.fromhex(blob).decode() for target, _, _, blob in fields}

    def expect_stored(self, secret=None):
        """Exactly one credential, with the secret."""
        found, target = self.credentials(), f"{self.sandbox.environment}/base/sandbox.corti-auth"
        expect(found == {target: secret or self.sandbox.client_secret}, f"other credentials than of {target}: {list(found)}")

    def client(self) -> list[str]:
        return ["--environment", self.sandbox.environment, "--tenant", "base", "--client-id", "sandbox"]

    def log_in(self, *more) -> Seen:
        return self.run("login", *self.client(), "--secret-stdin", *more, text=self.sandbox.client_secret).ok()

    def token(self, *more, **options) -> tuple[str, bool]:
        """A token, and whether it was cached."""
        found = self.run("token", "--scope", "transcribe", "--json", *more, **options).json()
        return found["access_token"], found["cached"]

    def file(self, name: str, content: bytes | str) -> pathlib.Path:
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path
