"""The rows. Each is given a world without credentials and files, and returns what was seen."""

import json
import re
import shutil
import statistics
import subprocess
import time

from world import Sandbox, expect, windows

ODD = "Zoë & 木"  # a folder's name that is neither ASCII nor one word

ROWS = {}
TIMED = ["cache-time"]


def row(function):
    ROWS[function.__name__.strip("_").replace("_", "-")] = function
    return function


@row
def login_stdin(world):
    world.log_in().ok("logged in", "Credential Manager")
    world.expect_stored()
    config = (world.users / "AppData/Roaming/corti-auth/config.toml").read_text()
    expect(world.sandbox.client_secret not in config, "the secret is in config.toml")
    return "from a pipe; one credential, with the secret; config.toml has none"


@row
def login_file(world):
    path = world.file(f"{ODD}/secret.txt", f"{world.sandbox.client_secret}\r\n")
    world.run("login", *world.client(), "--secret-file", windows(path)).ok("logged in")
    world.expect_stored()
    return f"from a file with CRLF in a folder `{ODD}`; the credential has no line break"


@row
def login_utf16(world):
    for name, encoding in [("little", "utf-16"), ("utf8", "utf-8-sig")]:
        path = world.file(f"{name}.txt", f"{world.sandbox.client_secret}\r\n".encode(encoding))
        world.run("login", *world.client(), "--secret-file", windows(path)).ok("logged in")
        world.expect_stored()
    return "from files as PowerShell 5 writes them, UTF-16 and UTF-8 with a byte order mark"


@row
def login_typed(world):
    secret = world.sandbox.client_secret
    console = world.console("login", *world.client())
    console.until("Client secret").type(secret + "\r").until("logged in").ends(0)
    expect(secret not in console.text and secret[:6] not in console.text, "the secret is shown")
    world.expect_stored()
    return "at a console, unseen; the credential has it"


@row
def login_backspace(world):
    secret = world.sandbox.client_secret
    console = world.console("login", *world.client())
    console.until("Client secret").type(f"{secret[:5]}xé\x7f\x7f{secret[5:]}y\x7f\r").until("logged in").ends(0)
    world.expect_stored()
    return "Backspace took back 3 characters, one of them not ASCII"


@row
def login_asked(world):
    console = world.console("login")
    console.until("Environment").type("\x1b[B\x1b[B\r").until("Environment (a label or a URL)")
    console.type(f"{world.sandbox.environment}\r").until("Tenant").type("\r").until("Client id")
    console.type("sandbos\x7fx\r").until("Client secret").type(f"{world.sandbox.client_secret}\r")
    console.until("logged in").ends(0)
    world.expect_stored()
    return "a choice by arrow keys, a URL, the default tenant, a client id with Backspace, the secret"


@row
def login_ctrl_c(world):
    for until in ["Client secret", "Environment"]:
        console = world.console("login", *(world.client() if until == "Client secret" else []))
        console.until(until).type("x").interrupt().ends(130)
        expect(not world.credentials(), "a credential is stored")
    return "Ctrl-C at the hidden prompt and at the choice: exit 130, nothing stored"


@row
def login_refused(world):
    refused = world.run("login", *world.client(), "--secret-stdin", text="wrong")
    refused.ends(5, "Corti rejected the secret")
    expect(not world.credentials(), "a credential is stored")
    return "a wrong secret: exit 5, nothing stored"


@row
def login_long_secret(world):
    seen = world.run("login", *world.client(), "--no-verify", "--secret-stdin", text="s" * 3000)
    seen.ends(4, "too long for this keyring", "--store file")
    expect(not world.credentials(), "a credential is stored")
    return "3000 bytes: exit 4, the limit and `--store file` are named"


@row
def token(world):
    world.log_in()
    before = world.sandbox.mints()
    first, was_cached = world.token()
    again, is_cached = world.token()
    minted = world.sandbox.mints() - before
    expect(not was_cached and is_cached and first == again and minted == 1, f"cached: {was_cached}, {is_cached}; {minted} minted")
    expect(first.count(".") == 2, "no token")
    cache = world.users / "AppData/Local/corti-auth/cache"
    files = [it.read_bytes() for it in cache.iterdir()]
    expect(not any(first[-40:].encode() in it for it in files), "the cached token is in plain text")
    refreshed, is_cached = world.token("--refresh")
    expect(refreshed != first and not is_cached, "--refresh minted none")
    return "two commands, one mint; its file is encrypted; --refresh mints"


@row
def one_mint(world):
    world.log_in()
    before = world.sandbox.mints()
    # Longer than four programs need to start.
    world.sandbox.control("PATCH", "/knobs", {"latency_ms": 3000})
    four = [world.start(world.exe, "token", "--scope", "transcribe", stdout=subprocess.PIPE) for _ in range(4)]
    printed = {it.communicate()[0] for it in four}
    minted = world.sandbox.mints() - before
    expect(minted == 1 and len(printed) == 1, f"{minted} minted, {len(printed)} different tokens")
    return "four processes at once: one mint, one token"


@row
def cache_time(world):
    world.log_in()
    world.token()
    token = [world.exe, "token", "--scope", "transcribe"]
    # The sandbox is on this machine. Corti is not: there, a lookup and three round trips come before the answer.
    delays = {"empty": 0, "start": 0, "cached": 0, "minted": 0, "far": 100}
    commands = {"empty": [world.helper, "nothing"], "start": [world.exe, "--version"], "cached": token,
                "minted": [*token, "--refresh"], "far": [*token, "--refresh"]}
    times = {name: [] for name in commands}
    for _ in range(21):
        for name, command in commands.items():
            world.sandbox.control("PATCH", "/knobs", {"latency_ms": delays[name]})
            start = time.monotonic()
            seen = world.wine(*command)
            times[name].append((time.monotonic() - start) * 1000)
            seen.ends(2 if name == "empty" else 0)
    ms = {name: statistics.median(it) for name, it in times.items()}
    figures = (f"medians of 21: a cached token {ms['cached']:.0f} ms, minted {ms['minted']:.0f} ms, minted with 100 ms of network "
               f"{ms['far']:.0f} ms; --version {ms['start']:.0f} ms, an empty C program {ms['empty']:.0f} ms. Cached / minted: "
               f"{ms['cached'] / ms['far']:.2f} with the network (aim 0.5), {ms['cached'] / ms['minted']:.2f} without, "
               f"where --version alone is {ms['start'] / ms['minted']:.2f}")
    expect(ms["cached"] <= 0.5 * ms["far"], figures)
    return figures


@row
def inspect(world):
    world.log_in()
    limited, _ = world.token()
    world.run("inspect", text=f"{limited}\r\n").ok("limited", "transcribe", "NOT VERIFIED")
    world.run("inspect", "--verify", text=limited).ok("signature", "valid")
    path = world.file("token.txt", limited.encode("utf-16"))
    world.run("inspect", windows(path)).ok("limited")
    return "from a pipe with CRLF, with --verify, and from a UTF-16 file"


@row
def interaction(world):
    world.log_in()
    created = world.run("interaction", "create", "--json").json()
    found = re.search(r"/interactions/([0-9a-f-]{36})/", json.dumps(created))
    expect(found, f"no interaction: {created}")
    world.run("interaction", "list").ok(found[1])
    world.run("interaction", "get", found[1]).ok(found[1])
    world.run("interaction", "delete", found[1], "--yes").ok()
    world.run("interaction", "get", found[1]).ends(1)
    return "created, listed, read, deleted, gone"


@row
def session(world):
    world.log_in()
    found = world.run("session", "streams").json()
    expect(found["websocketUrl"].startswith("ws://") and found["accessToken"], f"not a session: {found}")
    world.run("session", "transcribe", "--format", "dotenv").ok("CORTI_WEBSOCKET_URL=")
    world.run("session", "transcribe", "--format", "env").ok("$env:CORTI_ACCESS_TOKEN = '")
    world.run("token", "--scope", "transcribe", "--format", "env").ok("$env:CORTI_ACCESS_TOKEN = '")
    return "JSON, a .env file, PowerShell's variables"


@row
def probe(world):
    world.log_in()
    world.run("probe", "transcribe").ok("CONFIG_ACCEPTED")
    world.run("probe", "streams").ok("CONFIG_ACCEPTED")
    return "both WebSockets opened, configured and ended"


@row
def check(world):
    world.log_in()
    world.run("check", "--scope", "transcribe").ok("the token opened only what its scopes allow")
    return "a limited token opens what it promises"


@row
def doctor(world):
    world.log_in()
    report = world.work / "report.txt"
    world.run("doctor", "--report", windows(report)).ok("wrote, read and deleted a test entry", "got a full token")
    expect(world.sandbox.client_secret not in report.read_text(), "the secret is in the report")
    world.expect_stored()
    return "store, network, token; a report without the secret; no test entry left"


@row
def status(world):
    world.run("status").ends(4, "corti-auth login")
    world.log_in()
    world.run("status").ok("present", "Credential Manager")
    found = world.run("status", "--online", "--json").json()
    expect(found["secret"] == "present", f"not present: {found}")
    world.wine(world.helper, "forget").ok()
    world.run("status").ends(4, "not stored")
    return "not logged in: 4; logged in: present, also --online; entry deleted elsewhere: 4"


@row
def rotate(world):
    first, second = "first-secret-0123456789", "second-secret-0123456789"
    client = None
    try:
        for secret in [first, second]:
            port = 0 if client is None else int(client.environment.rsplit(":", 1)[1])
            if client:
                client.stop()
            client = Sandbox(world.work, secret, port)
            if secret == first:
                world.run("login", "--environment", client.environment, "--client-id", "sandbox", "--secret-stdin", text=first).ok()
                world.token()
        world.run("rotate", "--secret-stdin", text="wrong").ends(5)
        expect(list(world.credentials().values()) == [first], "a wrong secret replaced the stored one")
        world.run("rotate", "--secret-stdin", text=f"{second}\r\n").ok("no longer works")
        expect(list(world.credentials().values()) == [second], "the credential does not have the new secret")
        expect(not world.token()[1], "a token of the old secret is still used")
    finally:
        if client:
            client.stop()
    return "a wrong secret changes nothing; the new one is stored, and old tokens are not used"


@row
def logout(world):
    world.log_in()
    world.token()
    world.run("logout").ok("removed its secret from", "removed 1 cached token")
    expect(not world.credentials(), "the credential is still there")
    world.run("status").ends(4, "not stored")
    world.run("token", "--scope", "transcribe").ends(4, "not logged in")
    world.run("logout").ok("was not logged in")
    cache = world.users / "AppData/Local/corti-auth/cache"
    files = [it.name for it in cache.iterdir() if it.suffix != ".lock"]
    expect(not files, f"left in the cache: {files}")
    return "credential and cached token removed; status and token: 4; a second logout is fine"


@row
def exec_(world):
    world.log_in()
    expect(world.run("exec", "--full", "--", "cmd", "/c", "exit", "7").code == 7, "not the program's exit code")
    secrets = {"corti_client_secret": world.sandbox.client_secret, "Corti_Auth_Passphrase_File": "Z:\\secret", "COPY": world.sandbox.client_secret}
    seen = world.run("exec", "--full", "--profile", "default", "--", "cmd", "/c", "set", variables=secrets).ok("CORTI_ACCESS_TOKEN=ey")
    for name in secrets:
        expect(f"\n{name.lower()}=" not in seen.out.lower(), f"{name} is in the program's environment")
    world.run("exec", "--full", "--", "no-such-program").ends(127, "no-such-program: command not found")
    # A shell on Unix sees 8 bits of it.
    for more in ["", "--refresh-url"]:
        script = f"@{windows(world.exe)} exec --full {more} -- cmd /c exit -1073741510\r\n@echo code %errorlevel%\r\n@exit 0\r\n"
        world.wine("cmd", "/c", windows(world.file("code.cmd", script))).ok("code -1073741510")
    return "exit codes 7, 127, and one of 32 bits whole; no secret in its environment"


@row
def exec_script(world):
    world.log_in()
    world.file("a tool/tool.cmd", "@echo first %1, and %2\r\n@exit 9\r\n")
    folder = windows(world.work / "a tool")
    for name, variables in [("tool", {"WINEPATH": folder}), (f"{folder}\\tool", {}), (f"{folder}\\tool.cmd", {})]:
        world.run("exec", "--full", "--", name, "one", "t wo", variables=variables).ends(9, 'first one, and "t wo"')
    seen = world.run("exec", "--full", "--", f"{folder}\\tool", "a\nb")
    seen.ends(126, "cannot be run", "batch file arguments are invalid")
    return "a .cmd by its bare name, by its path, and with its extension; a line break in an argument: exit 126"


@row
def exec_ctrl_c(world):
    world.log_in()
    for more in [[], ["--refresh-url"]]:
        console = world.console("exec", "--full", *more, "--", windows(world.helper), "wait")
        console.until("waiting").interrupt().until("tidied up").ends(5)
    return "the program takes Ctrl-C, tidies up, and its exit code 5 comes back, also with --refresh-url"


@row
def store_file(world):
    passphrase = {"CORTI_AUTH_PASSPHRASE_FILE": windows(world.file("passphrase.txt", "correct horse\r\n"))}
    world.run("login", *world.client(), "--store", "file", "--secret-stdin", text=world.sandbox.client_secret, variables=passphrase).ok()
    expect(not world.credentials(), "a credential is stored")
    secrets = world.users / "AppData/Roaming/corti-auth/secrets"
    files = [it for it in secrets.iterdir() if it.suffix != ".lock" and it.is_file() and it.stat().st_size]
    expect(len(files) == 1 and world.sandbox.client_secret.encode() not in files[0].read_bytes(), f"not one encrypted file: {files}")
    expect(not world.token(variables=passphrase)[1], "no token")
    console = world.console("token", "--scope", "transcribe", "--refresh").until("assphrase")
    console.type("correct horsx\x7fe\r").until("ey").ends(0)
    world.run("logout").ok("removed its secret from")
    expect(not files[0].exists(), "the file is still there")
    return "one encrypted file, no credential; a token by a passphrase from a file, and typed; removed by logout"


@row
def secret_command(world):
    (world.work / "a tool").mkdir()
    tool = shutil.copy(world.helper, world.work / "a tool/helper.exe")
    secret = world.file(f"{ODD}/secret.txt", world.sandbox.client_secret)
    (world.work / "secret.txt").write_text(world.sandbox.client_secret)
    commands = [f'cmd /c type {windows(world.work / "secret.txt")}', f'"{windows(tool)}" print "{windows(secret)}"']
    for name, command in zip(["one", "two"], commands):
        seen = world.run("login", "-p", name, *world.client(), "--secret-command", command)
        expect(seen.code == 0, f"{command}: {seen}")
        world.run("token", "-p", name, "--scope", "transcribe", "--refresh").ok("ey")
    expect(not world.credentials(), "a credential is stored")
    return r"cmd /c type Z:\…\secret.txt, and quoted paths with spaces"


@row
def secret_script(world):
    world.file("tool.cmd", f"@type {windows(world.file('secret.txt', world.sandbox.client_secret))}\r\n")
    path = {"WINEPATH": windows(world.work)}
    world.run("login", *world.client(), "--secret-command", "tool", variables=path).ok()
    expect(not world.credentials(), "a credential is stored")
    return "a .cmd by its bare name"


@row
def sandbox(world):
    console = world.console("sandbox", "--ready-file", windows(world.work / "ready.json")).until("Ctrl-C stops it")
    ready = json.loads((world.work / "ready.json").read_text())
    seen = world.run("token", "--scope", "transcribe", variables={
        "CORTI_ENVIRONMENT": ready["environment"], "CORTI_CLIENT_ID": ready["client_id"],
        "CORTI_CLIENT_SECRET": ready["client_secret"]}).ok("ey")
    expect(ready["client_secret"] not in seen.out, "the secret is printed")
    console.until("CORTI_SANDBOX_TOKEN").interrupt().ends(0)
    expect("$env:CORTI_ENVIRONMENT = " in console.text, f"variables for another shell: {console.text}")
    expect(not (world.work / "ready.json").exists(), "the ready file is left")
    return "ready file, a token from it, PowerShell's variables; Ctrl-C: exit 0, ready file removed"


@row
def sandbox_program(world):
    program = [windows(world.exe), "token", "transcribe"]
    own = {"CORTI_CLIENT_ID": "mine", "CORTI_AUTH_PROFILE": "mine"}
    world.run("sandbox", "--", *program, variables=own).ok("ey")
    world.run("sandbox", "--", "cmd", "/c", "exit", "7").ends(7)
    world.run("sandbox", "--", "no-such-program").ends(127, "no-such-program: command not found")
    return "a token from the sandbox and none of the user's variables; exit codes 7 and 127"


@row
def folders(world):
    home = world.work / ODD
    for name in ["roaming", "local"]:
        (home / name).mkdir(parents=True)
    appdata = ["set", f"APPDATA={windows(home / 'roaming')}", "&&", "set", f"LOCALAPPDATA={windows(home / 'local')}", "&&"]

    def run(*arguments, **options):
        return world.wine("cmd", "/c", *appdata, windows(world.exe), *arguments, **options)

    run("login", *world.client(), "--secret-stdin", text=world.sandbox.client_secret).ok()
    expect((home / "roaming/corti-auth/config.toml").exists(), "config.toml is elsewhere")
    cached = [run("token", "--scope", "transcribe", "--json").json()["cached"] for _ in range(2)]
    expect(cached == [False, True] and list((home / "local/corti-auth/cache").glob("*.token")), f"cached: {cached}")
    run("status").ok(windows(home / "roaming"))
    run("logout").ok()
    folder = ["--config-dir", windows(home / "other")]
    world.run("login", *folder, *world.client(), "--secret-stdin", text=world.sandbox.client_secret).ok()
    world.run("status", *folder).ok(windows(home / "other"))
    world.expect_stored()
    return f"%APPDATA%, %LOCALAPPDATA% and --config-dir in `{ODD}`"


@row
def variables(world):
    given = {"Corti_Environment": world.sandbox.environment, "corti_client_id": "sandbox",
             "Corti_Client_Secret": world.sandbox.client_secret}
    world.run("token", "--scope", "transcribe", variables=given).ok("ey")
    world.run("status", variables=given).ok("present")
    return "a client by variables, written in another case"


@row
def demo(world):
    world.run("demo").ok("nothing is left behind")
    expect(not world.credentials(), "a credential is left")
    return "8 steps; no credential left"


@row
def profiles(world):
    world.log_in("-p", "first")
    world.log_in("-p", "second")
    world.run("profile", "list").ok("first", "second")
    world.run("profile", "use", "second").ok()
    world.run("profile", "rename", "second", "third").ok()
    found = world.run("profile", "show", "-p", "third", "--json").json()
    expect(found["client_id"] == "sandbox", f"not the client: {found}")
    world.run("profile", "remove", "first").ok()
    world.expect_stored()
    world.run("profile", "remove", "third").ok()
    expect(not world.credentials(), "the credential is left")
    return "list, use, rename, show, remove; the secret goes with the last profile"


@row
def completions(world):
    script = world.run("completions", "powershell").ok("Register-ArgumentCompleter").out
    expect("corti-auth" in script, "it completes another command")
    asked = {"CORTI_AUTH_COMPLETE": "powershell"}
    world.log_in("-p", "acme")
    world.run("--", "corti-auth", "token", "--pro", variables=asked).ok("--profile")
    world.run("--", "corti-auth", "token", "--profile", "ac", variables=asked).ok("acme")
    folder = windows(world.file("tools/only-program.cmd", "@exit 0\r\n").parent)
    offered = world.run("--", "corti-auth", "exec", "full", "--", "only-pro", variables=asked | {"WINEPATH": folder})
    expect(offered.ok().out.split() == ["only-program"], f"programs: {offered}")
    return "PowerShell's script; it completes an option, a profile, and a program after --"


# What only a POSIX shell has.
POSIX = re.compile(r"command -v|\bls -l|\brm |\bexport |\bunset |printenv|\$\(|\bHOME\b|chmod|~/|secret-tool|XDG_|\$CORTI|\beval ")


@row
def hints(world):
    world.log_in()
    secret = {"CORTI_ENVIRONMENT": "eu", "CORTI_CLIENT_ID": "x", "CORTI_CLIENT_SECRET": world.sandbox.client_secret}
    broken = {"CORTI_AUTH_STORE": "nothing"}
    cases = [
        world.run("exec", "--full", "--", "no-such-program"),
        world.run("exec", "--full", "--", windows(world.folder)),
        world.run("login", "-p", "new", variables=secret),
        world.run("login", "-p", "new", "--secret-stdin", variables=broken),
        world.run("status", variables=secret),
        world.run("token", "--scope", "transcribe", "-e", "us"),
        world.run("token", "--scope", "transcribe", variables={"CORTI_CLIENT_SECRET": "x"}),
        world.run("profile", "import", windows(world.file(".env", "CORTI_CLIENT_ID=x\nCORTI_CLIENT_SECRET=y\n"))),
        world.run("inspect", windows(world.folder)),
        world.run("login", *world.client(), "-p", "new", "--secret-file", windows(world.folder)),
        world.run("logout", variables=secret),
        world.wine("cmd", "/c", "set", "APPDATA=", "&&", windows(world.exe), "status"),
    ]
    found = [line for it in cases for line in (it.out + it.err).splitlines() if POSIX.search(line)]
    expect(not found, " / ".join(found))
    return f"{len(cases)} failures: no hint for a POSIX shell alone"
