"""What the groups of scripts/bench share: folders, programs and servers."""

import contextlib
import pathlib
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "target" / "bench"
TOOL = ROOT / "target" / "dist" / "corti-auth"
REALM = "/realms/base/protocol/openid-connect/token"


def run(*command, **options):
    """Runs a command that must succeed and returns what it printed."""
    return subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, **options).stdout


def free_ports(count):
    """Finds free ports."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for it in sockets:
            it.bind(("127.0.0.1", 0))
        return [it.getsockname()[1] for it in sockets]


@contextlib.contextmanager
def running(ready, *command, **options):
    """Runs a server until the block ends, which begins when `ready` holds."""
    process = subprocess.Popen(list(map(str, command)), **{"stdout": subprocess.DEVNULL} | options)
    try:
        for _ in range(300):
            if process.poll() is not None:
                sys.exit(f"bench: {command[0]} ended with {process.returncode}")
            if ready():
                break
            time.sleep(0.05)
        else:
            sys.exit(f"bench: {command[0]} is not ready after 15 s")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            # nginx without a master process loses a signal that comes just before it waits for connections.
            process.kill()
            process.wait()


def answers(port):
    """Whether somebody listens on this port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
