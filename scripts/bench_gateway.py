"""The group `gateway` of scripts/bench: `serve` beside nginx, oauth2-proxy and Node, in front of the same upstream.

Each server runs on the second core; the client and the upstream share the first. A round measures one server after the other,
and a ratio is that of one round: its median, least and greatest are printed. CPU time is user and system time of the server's
process; other programs disturb it less than a rate. All servers write an access log to a file, except Node, which has none.
"""

import asyncio
import concurrent.futures
import contextlib
import copy
import functools
import itertools
import json
import os
import pathlib
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

from bench_tools import FOLDER, TOOL, answers, free_ports, run, running
from bench_upstream import ANSWER, AUDIO, LAST_CHUNK, MESSAGE

OAUTH2_PROXY = FOLDER / "oauth2-proxy" / "oauth2-proxy"
HERE = pathlib.Path(__file__).resolve().parent
CLIENT_CORE, ONE_CORE = 0, ["taskset", "-c", "1"]
LIST = "/v2/languages/"
SOCKET = "/audio-bridge/v2/transcribe"
UPLOAD = "/v2/interactions/6f9c1a1e-5a0f-4a54-9f43-2f4d1a7c8b90/recordings/"
GIB = 1 << 30

# What a clinic would allow, with limits that no load reaches.
SERVE = """listen = ["127.0.0.1:{port}"]
public_url = "http://127.0.0.1:{port}"
[[issuer]]
url = "{issuer}"
audience = "account"
algorithms = ["RS256"]
groups = "realm_access.roles"
[limits]
rate = "100000/s"
burst = 100000
requests = 1000
sockets = 10000
body = "2GiB"
[[rule]]
groups = ["offline_access"]
allow = [{allow}]
{decide}"""
RULES = '"transcribe", "session.transcribe", "languages.list", "facts.*", "documents.*", "interactions.*", "recordings.*"'

# One process, so that its CPU time is that of the work.
NGINX = """daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
  access_log {log}; client_max_body_size 0; keepalive_requests 1000000000; map $http_upgrade $closes {{ default upgrade; "" ""; }}
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream behind {{ server 127.0.0.1:{behind}; keepalive 64; keepalive_requests 1000000000; }}
  {upstreams}
  server {{ listen 127.0.0.1:{port} backlog=4096{tls}; {locations} }}
}}
"""
TLS = " ssl; ssl_protocols TLSv1.3; ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key"
PROXY = """proxy_http_version 1.1; proxy_set_header Connection $closes; proxy_set_header Upgrade $http_upgrade;
  proxy_request_buffering off; location / { proxy_pass http://behind; }"""
# As in deploy/forward-auth/nginx.conf, as far as the same is possible with both authorizers.
FORWARD_AUTH = """proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffer_size 16k; proxy_buffers 4 16k;
  location / {{ auth_request /_ask; {then} }}
  location = /_ask {{ internal; proxy_pass http://authorizer{path}; proxy_pass_request_body off;
    proxy_set_header Connection ""; proxy_set_header Content-Length ""; {ask} }}"""
AUTHORIZER = "upstream authorizer {{ server 127.0.0.1:{port}; keepalive 64; keepalive_requests 1000000000; }}"
DECIDE = """[decide]
engine_key_file = "{file}"
full = true
"""
ASK_SERVE = """proxy_set_header Host 127.0.0.1:{port}; proxy_set_header X-Corti-Engine-Key {key};
  proxy_set_header X-Corti-Method $request_method; proxy_set_header X-Corti-Uri $request_uri;
  proxy_set_header X-Corti-Upgrade "";"""
AFTER_SERVE = """auth_request_set $token $upstream_http_authorization; auth_request_set $tenant $upstream_http_tenant_name;
  auth_request_set $target $upstream_http_x_corti_target; proxy_set_header Authorization $token;
  proxy_set_header Tenant-Name $tenant; proxy_pass http://behind$target;"""
ASK_OAUTH2_PROXY = "proxy_set_header Host 127.0.0.1:{port};"
AFTER_OAUTH2_PROXY = """auth_request_set $user $upstream_http_x_auth_request_user; proxy_set_header X-User $user;
  proxy_pass http://behind;"""
FIXED = """location /v2/ {{ default_type application/json; return 200 '{answer}'; }}
  location /realms/ {{ proxy_pass http://behind; }}"""
AUDIO_BRIDGE = """location /audio-bridge/ {{ proxy_pass http://127.0.0.1:{live}; proxy_http_version 1.1;
    proxy_set_header Connection upgrade; proxy_set_header Upgrade websocket; }}"""

# In the manner of the proxy that Corti shows as an example: it looks only whether there is a token. That one forwards WebSockets
# and no REST; both are here.
NODE = """import { Agent, createServer, request } from "node:http";
import { WebSocket, WebSocketServer } from "ws";
const [port, upstream, socketUpstream] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true });
const headers = { authorization: "Bearer x", "tenant-name": "base" };
const hasToken = (incoming) => new URL(incoming.url, "http://x").searchParams.has("proxy-auth-token");
const server = createServer((incoming, outgoing) => {
  if (!hasToken(incoming)) return outgoing.writeHead(401).end();
  const path = new URL(incoming.url, "http://x").pathname;
  const call = request(`${upstream}${path}`, { method: incoming.method, headers, agent }, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.headers);
    answer.pipe(outgoing);
  });
  call.on("error", () => outgoing.destroy());
  incoming.pipe(call);
});
const sockets = new WebSocketServer({ noServer: true });
server.on("upgrade", (incoming, socket, head) => {
  if (!hasToken(incoming)) return socket.destroy();
  sockets.handleUpgrade(incoming, socket, head, (client) => {
    const corti = new WebSocket(`${socketUpstream}/audio-bridge/v2/transcribe?tenant-name=base&token=x`);
    const isOpen = new Promise((resolve) => corti.on("open", resolve));
    client.on("message", async (data, isBinary) => { await isOpen; corti.send(data, { binary: isBinary }); });
    corti.on("message", (data, isBinary) => client.send(data, { binary: isBinary }));
    for (const [one, other] of [[client, corti], [corti, client]]) {
      one.on("error", () => other.terminate());
      one.on("close", () => other.terminate());
    }
  });
});
server.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 });
"""


class Server:
    """A server under test: its process, and how requests reach it."""

    def __init__(self, name, process, port, prefix="", query="", headers=None):
        self.name, self.pid, self.port = name, process.pid, port
        self.prefix, self.query, self.headers = prefix, query, headers or {}
        self.idle = self.memory("VmRSS")
        self.authorizer = None

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{self.path(path)}"

    def path(self, path):
        return f"{self.prefix}{path}{self.query}"

    def head(self, method, path, *more):
        lines = [f"{method} {self.path(path)} HTTP/1.1", f"Host: 127.0.0.1:{self.port}",
                 *(f"{name}: {value}" for name, value in self.headers.items()), *more, "", ""]
        return "\r\n".join(lines).encode()

    def cpu(self):
        """The seconds of CPU that it has used, with its authorizer's."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return own + (self.authorizer.cpu() if self.authorizer else 0)

    def memory(self, field):
        """Its memory in KiB: VmRSS, or VmHWM since forget_peak."""
        return int(re.search(rf"^{field}:\s+(\d+)", pathlib.Path(f"/proc/{self.pid}/status").read_text(), re.M)[1])

    def forget_peak(self):
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")


def wrk(server, path, seconds):
    """Requests per second, and CPU seconds per request."""
    headers = [f"-H{name}: {value}" for name, value in server.headers.items()]
    before = server.cpu()
    said = run("wrk", "-t1", "-c32", f"-d{seconds}s", *headers, server.url(path)).decode()
    cpu = server.cpu() - before
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"bench: {server.name}: {said}")
    return float(re.search(r"Requests/sec: +([\d.]+)", said)[1]), cpu / int(re.search(r"(\d+) requests in", said)[1])


class Client(asyncio.Protocol):
    """A WebSocket that counts the answers to its audio."""

    def __init__(self, server):
        self.request = server.head("GET", SOCKET, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
        self.head, self.received, self.opened = b"", 0, asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data):
        if self.head is None:
            self.received += len(data)
            return
        self.head += data
        head, end, rest = self.head.partition(b"\r\n\r\n")
        if end:
            is_open = head.startswith(b"HTTP/1.1 101 ")
            self.opened.set_result(None) if is_open else self.opened.set_exception(SystemExit(f"bench: {head.decode()}"))
            self.head, self.received = None, len(rest)

    def connection_lost(self, error):
        if not self.opened.done():
            self.opened.set_exception(SystemExit("bench: a WebSocket was not opened"))


async def open_sockets(server, count):
    """Opens WebSockets, 20 at once, and returns them with the seconds that each took."""
    async def one():
        started = time.monotonic()
        _, client = await asyncio.get_running_loop().create_connection(lambda: Client(server), "127.0.0.1", server.port)
        await client.opened
        return client, time.monotonic() - started
    opened = []
    for first in range(0, count, 20):
        opened += await asyncio.gather(*(one() for _ in range(min(20, count - first))))
    return [client for client, _ in opened], [seconds for _, seconds in opened]


async def cpu_to_open(server, count):
    """CPU seconds for each WebSocket that is opened."""
    before = server.cpu()
    clients, _ = await open_sockets(server, count)
    cpu = server.cpu() - before
    for client in clients:
        client.transport.abort()
    return cpu / count


async def talk(server, count, seconds):
    """Sends audio over `count` WebSockets, each 250 ms. Returns CPU seconds per message, KiB per WebSocket, missing answers."""
    clients, _ = await open_sockets(server, count)
    before, started, messages = server.cpu(), time.monotonic(), int(seconds * 4)
    for message in range(messages):
        for first in range(0, count, 20):
            for client in clients[first:first + 20]:
                client.transport.write(MESSAGE)
            due = started + (message + (first + 20) / count) / 4
            await asyncio.sleep(max(0, due - time.monotonic()))
    expected, patience = messages * len(ANSWER), time.monotonic() + 60
    while (missing := sum(expected - client.received for client in clients)) and time.monotonic() < patience:
        await asyncio.sleep(0.05)
    cpu, memory = (server.cpu() - before) / (messages * count), (server.memory("VmRSS") - server.idle) / count
    for client in clients:
        client.transport.abort()
    return cpu, memory, missing // len(ANSWER)


def upload(server):
    """Sends a chunked GiB; returns the seconds it took, the CPU seconds, and by how much memory grew at most, in KiB."""
    block = bytes(1 << 20)
    chunk = b"%x\r\n%b\r\n" % (len(block), block)
    server.forget_peak()
    empty, cpu, started = server.memory("VmHWM"), server.cpu(), time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(server.head("POST", UPLOAD, "Transfer-Encoding: chunked", "Content-Type: application/octet-stream"))
        for _ in range(GIB // len(block)):
            connection.sendall(chunk)
        connection.sendall(LAST_CHUNK)
        head = connection.recv(4096)
        if not head.startswith(b"HTTP/1.1 200 "):
            sys.exit(f"bench: {server.name}: {head.decode()}")
    return time.monotonic() - started, server.cpu() - cpu, server.memory("VmHWM") - empty


class Gateway:
    """The group: starts the servers and compares them."""

    def __init__(self, bench, stack):
        self.bench, self.options, self.stack, self.folder = bench, bench.options, stack, FOLDER / "gateway"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)
        self.sandbox = bench.ready["environment"]
        realm = self.sandbox.rpartition(":")[2]
        self.knobs(token_lifetime=7200)
        environment = bench.environment | bench.client | {"CORTI_ENVIRONMENT": self.sandbox}
        jwt = run(TOOL, "token", "--full", "--no-cache", env=environment).decode().strip()
        self.bearer = {"Authorization": f"Bearer {jwt}"}
        languages = [{"code": f"{n:03}", "name": f"Language {n}", "endpoints": ["transcribe", "streams"]} for n in range(14)]
        self.answers = FIXED.format(answer=json.dumps({"languages": languages}))
        self.fixed = self.nginx("the upstream", realm, self.answers, [])
        (self.live,) = free_ports(1)
        self.start(lambda: answers(self.live), sys.executable, HERE / "bench_upstream.py", self.live, realm)

    def knobs(self, **settings):
        """Changes the sandbox."""
        headers = {"Authorization": f"Bearer {self.bench.ready['control_token']}"}
        url = f"{self.sandbox}/_sandbox/knobs"
        urllib.request.urlopen(urllib.request.Request(url, json.dumps(settings).encode(), headers, method="PATCH")).close()

    def start(self, ready, *command, **options):
        return self.stack.enter_context(running(ready, *command, **options))

    def log(self, name):
        return self.stack.enter_context((self.folder / f"{name}.log").open("ab"))

    def serve(self, behind, allow=RULES, ready="/readyz", core=ONE_CORE, decide="", scheme="http"):
        """Starts `serve` in front of the upstream at the port `behind`."""
        (port,) = free_ports(1)
        config = self.folder / f"{port}.toml"
        config.write_text(SERVE.format(port=port, issuer=f"{self.sandbox}/realms/base", allow=allow, decide=decide))
        config.chmod(0o600)
        environment = self.bench.environment | self.bench.client | {
            "CORTI_ENVIRONMENT": f"{scheme}://127.0.0.1:{behind}", "SSL_CERT_FILE": str(FOLDER / "ca.pem")}
        def is_ready():
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}{ready}") as answer:
                return answer.status == 200
        process = self.start(is_ready, *core, TOOL, "serve", "--config", config, env=environment, stdout=self.log("serve"),
                             stderr=subprocess.DEVNULL)
        return Server("serve", process, port, "/corti", headers=self.bearer)

    def nginx(self, name, behind, locations=PROXY, core=ONE_CORE, upstreams="", tls=""):
        """Starts nginx in front of the upstream at the port `behind`."""
        (port,) = free_ports(1)
        folder = self.folder / f"nginx-{port}"
        folder.mkdir()
        log = folder / "access.log" if core else "off"
        text = NGINX.format(folder=folder, log=log, port=port, behind=behind, locations=locations, upstreams=upstreams,
                            tls=tls)
        (folder / "nginx.conf").write_text(text)
        command = [*core, "nginx", "-c", folder / "nginx.conf", "-e", folder / "error.log"]
        return Server(name, self.start(lambda: answers(port), *command), port)

    def oauth2_proxy(self, *more):
        if not OAUTH2_PROXY.exists():
            run("go", "install", "github.com/oauth2-proxy/oauth2-proxy/v7@v7.15.6",
                env=os.environ | {"GOBIN": str(OAUTH2_PROXY.parent), "GOFLAGS": "-mod=mod"})
        (port,) = free_ports(1)
        log = self.log("oauth2-proxy")
        process = self.start(
            lambda: answers(port), *ONE_CORE, OAUTH2_PROXY, f"--http-address=127.0.0.1:{port}",
            f"--upstream=http://127.0.0.1:{self.fixed.port}/", "--provider=oidc",
            f"--oidc-issuer-url={self.sandbox}/realms/base", "--client-id=account", "--client-secret=x",
            f"--cookie-secret={os.urandom(16).hex()}", "--cookie-secure=false", "--email-domain=*", "--skip-jwt-bearer-tokens",
            "--oidc-email-claim=sub", f"--redirect-url=http://127.0.0.1:{port}/oauth2/callback", *more, stdout=log,
            stderr=log)
        return Server("oauth2-proxy", process, port, headers=self.bearer)

    def asking(self, authorizer, path, ask, then):
        """Starts an nginx that asks an authorizer about each request. Both are on the second core."""
        locations = FORWARD_AUTH.format(path=path, ask=ask, then=then)
        upstreams = AUTHORIZER.format(port=authorizer.port)
        nginx = self.nginx(f"nginx + {authorizer.name}", self.fixed.port, locations, upstreams=upstreams)
        nginx.authorizer, nginx.prefix, nginx.headers = authorizer, authorizer.prefix, authorizer.headers
        return nginx

    def node(self):
        folder = FOLDER / "node"
        if not (folder / "node_modules" / "ws").exists():
            folder.mkdir(exist_ok=True)
            run("npm", "install", "--silent", "--ignore-scripts", "--prefix", folder, "ws@8.18.3")
        (folder / "proxy.mjs").write_text(NODE)
        (port,) = free_ports(1)
        process = self.start(lambda: answers(port), *ONE_CORE, "node", folder / "proxy.mjs", port,
                             f"http://127.0.0.1:{self.fixed.port}", f"ws://127.0.0.1:{self.live}")
        return Server("Node", process, port, query="?proxy-auth-token=x")

    def rounds(self, measured):
        """Measures everything in turn, again and again. Returns the results by name, each of them a list."""
        results = {name: [] for name in measured}
        for number in range(self.options.rounds + 1):
            for name, measure in measured.items():
                result = measure()
                # The first round warms up.
                if number:
                    results[name].append(result)
        return {name: list(zip(*all)) for name, all in results.items()}

    def compare(self, what, ours, theirs, peer, aim, least, form):
        """Adds a row: our figures as multiples of those of the same rounds of a peer. `aim` is the least or the greatest ratio."""
        ratios = [one / other for one, other in zip(ours, theirs)]
        ratio = statistics.median(ratios)
        text = f"{ratio:.3g} ({min(ratios):.3g} to {max(ratios):.3g}) × {peer}, {form(statistics.median(theirs))}"
        holds = ratio >= aim if least else ratio <= aim
        self.bench.row(what, form(statistics.median(ours)), text, f"{'≥' if least else '≤'} {aim:.3g} ×", holds, ratio)

    # --- what is measured ------------------------------------------------------------------------------------

    def rest(self):
        """A small answer, and a decision alone."""
        serve, nginx = self.serve(self.fixed.port), self.nginx("nginx", self.fixed.port)
        own = copy.copy(serve)
        own.prefix = ""
        asked = {"serve": (serve, LIST), "nginx": (nginx, LIST), "oauth2-proxy": (self.oauth2_proxy(), LIST),
                 "Node": (self.node(), LIST), "the upstream": (self.fixed, LIST), "me": (own, "/broker/v1/me"),
                 "/healthz": (own, "/healthz")}
        results = self.rounds({name: functools.partial(wrk, *one, self.options.seconds) for name, one in asked.items()})
        rate, cpu = ({name: all[part] for name, all in results.items()} for part in (0, 1))
        for peer, aim in (("nginx", 0.5), ("oauth2-proxy", 1.5), ("Node", 2)):
            self.compare("small JSON answer", rate["serve"], rate[peer], peer, aim, True, "{:.0f} /s".format)
            self.compare("its CPU time", cpu["serve"], cpu[peer], peer, 1 / aim, False, micros)
        self.compare("the upstream alone", rate["the upstream"], rate["serve"], "serve", 3, True, "{:.0f} /s".format)
        self.compare("a decision: /broker/v1/me", rate["me"], rate["/healthz"], "/healthz", 0.85, True, "{:.0f} /s".format)

    def forward_auth(self):
        """A small answer by an nginx that asks about each request."""
        key, file = os.urandom(32).hex(), self.folder / "engine.key"
        file.touch(mode=0o600)
        file.write_text(key)
        serve = self.serve(self.fixed.port, decide=DECIDE.format(file=file))
        oauth2_proxy = self.oauth2_proxy("--set-xauthrequest")
        ask = ASK_SERVE.format(port=serve.port, key=key)
        ours = self.asking(serve, "/decide/nginx", ask, AFTER_SERVE)
        ask = ASK_OAUTH2_PROXY.format(port=oauth2_proxy.port)
        theirs = self.asking(oauth2_proxy, "/oauth2/auth", ask, AFTER_OAUTH2_PROXY)
        results = self.rounds({it.name: functools.partial(wrk, it, LIST, self.options.seconds) for it in (ours, theirs)})
        (rate, cpu), (their_rate, their_cpu) = results[ours.name], results[theirs.name]
        self.compare("nginx + /decide", rate, their_rate, theirs.name, 1.5, True, "{:.0f} /s".format)
        self.compare("its CPU time", cpu, their_cpu, theirs.name, 1 / 1.5, False, micros)

    def replicas(self):
        """A small answer by two replicas on two cores, and by nginx on one.

        The client and the upstream need a core too. So each one's answers in a second of its own CPU time are counted.
        """
        pair = [self.serve(self.fixed.port, core=["taskset", "-c", str(core)]) for core in range(2)]
        nginx = self.nginx("nginx", self.fixed.port)
        def each_second(*servers):
            with concurrent.futures.ThreadPoolExecutor() as pool:
                return sum(1 / cpu for _, cpu in pool.map(lambda it: wrk(it, LIST, self.options.seconds), servers)),
        results = self.rounds({"replicas": lambda: each_second(*pair), "nginx": lambda: each_second(nginx)})
        self.compare("two replicas, by CPU time", results["replicas"][0], results["nginx"][0], "one nginx", 0.9, True,
                     "{:.0f} /s".format)

    def cold(self):
        """Two hundred requests before there is a token."""
        self.knobs(latency_ms=500)
        before = self.bench.sandbox_mints()
        serve = self.serve(self.fixed.port, '"languages.list"', "/healthz")
        statuses = asyncio.run(at_once(serve, 200))
        minted = self.bench.sandbox_mints() - before
        self.knobs(latency_ms=0)
        good = statuses.count(b"200")
        holds = minted == 1 and good == 200
        self.bench.row("200 requests at once, cold", f"{minted} mint", f"{good} answers", "1 mint", holds, minted)

    def upload(self):
        """A chunked GiB."""
        servers = {"serve": self.serve(self.live), "nginx": self.nginx("nginx", self.live)}
        results = self.rounds({name: functools.partial(upload, one) for name, one in servers.items()})
        (ours, cpu, growth), (theirs, their_cpu, their_growth) = results["serve"], results["nginx"]
        speed = lambda seconds: [GIB / it for it in seconds]
        rate = lambda it: f"{it / 1e6:.0f} MB/s"
        self.compare("1 GiB upload", speed(ours), speed(theirs), "nginx", 0.7, True, rate)
        self.compare("its CPU time", cpu, their_cpu, "nginx", 1 / 0.7, False, "{:.2f} s".format)
        self.bench.row("its memory", f"{max(growth)} KiB", f"nginx {max(their_growth)} KiB", "≤ 8192 KiB", max(growth) <= 8192,
                       max(growth))

    def handshakes(self):
        """How much later a WebSocket is open."""
        direct = copy.copy(self.fixed)
        direct.port = self.live
        servers = {"serve": self.serve(self.live), "nginx": self.nginx("nginx", self.live), "direct": direct}
        async def opened(server):
            clients, seconds = await open_sockets(server, 200)
            for client in clients:
                client.transport.abort()
            return seconds
        results = self.rounds({name: lambda one=one: asyncio.run(opened(one)) for name, one in servers.items()})
        p99 = {name: statistics.quantiles(itertools.chain(*all), n=100)[98] * 1e3 for name, all in results.items()}
        added = p99["serve"] - p99["direct"]
        self.bench.row("handshake, p99, added", f"{added:.1f} ms", f"nginx {p99['nginx'] - p99['direct']:.1f} ms, direct "
                       f"{p99['direct']:.1f} ms", "≤ 50 ms", added <= 50, added)

    def sockets(self):
        """Audio over many WebSockets."""
        count, seconds = self.options.sockets, self.options.seconds * 2
        servers = {"serve": self.serve(self.live), "nginx": self.nginx("nginx", self.live), "Node": self.node()}
        results = self.rounds({name: lambda one=one: asyncio.run(talk(one, count, seconds)) for name, one in servers.items()})
        (ours, memory, missing) = results["serve"]
        for peer, aim in (("nginx", 1.3), ("Node", 0.5)):
            self.compare(f"CPU of an audio message, {count} sockets", ours, results[peer][0], peer, aim, False, micros)
        peers = ", ".join(f"{peer} {max(results[peer][1]):.1f} KiB" for peer in ("nginx", "Node"))
        self.bench.row("memory of a socket", f"{max(memory):.1f} KiB", peers, "≤ 32 KiB", max(memory) <= 32, max(memory))
        self.bench.row("lost messages", str(sum(missing)), "", "0", sum(missing) == 0, sum(missing))


    def capacity(self):
        """What scripts/load counts with: the cost of `serve` with TLS to Corti."""
        locations = self.answers + AUDIO_BRIDGE.format(live=self.live)
        upstream = self.nginx("TLS", self.sandbox.rpartition(":")[2], locations, [], tls=TLS.format(folder=FOLDER))
        serve, count = self.serve(upstream.port, scheme="https"), self.options.sockets
        results = self.rounds({
            "message": lambda: asyncio.run(talk(serve, count, self.options.seconds * 2)),
            "call": lambda: wrk(serve, LIST, self.options.seconds),
            "opened": lambda: (asyncio.run(cpu_to_open(serve, count)),)})
        figures = (("an audio message", results["message"][0], micros), ("a REST call", results["call"][1], micros),
                   ("to open a WebSocket", results["opened"][0], micros),
                   ("memory of a WebSocket", results["message"][1], "{:.1f} KiB".format))
        for what, all, form in figures:
            figure = statistics.median(all)
            self.bench.row(f"with TLS to Corti: {what}", form(figure), f"{form(min(all))} to {form(max(all))}", "", True, figure)


def micros(seconds):
    return f"{seconds * 1e6:.1f} µs"


async def at_once(server, count):
    """Sends requests at once, and returns the statuses."""
    async def one():
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(server.head("GET", LIST, "Connection: close"))
        answer = await reader.read()
        return answer[9:12]
    return await asyncio.gather(*(one() for _ in range(count)))


def measure(bench):
    """Measures the group."""
    if missing := [it for it in ("wrk", "taskset", "go", "npm") if not shutil.which(it)]:
        sys.exit(f"bench: install {', '.join(missing)}")
    if os.cpu_count() < 2:
        sys.exit("bench: the group gateway needs two cores")
    cores, limit = os.sched_getaffinity(0), resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
    # What is started here inherits it.
    os.sched_setaffinity(0, {CLIENT_CORE})
    try:
        for part in (Gateway.cold, Gateway.rest, Gateway.forward_auth, Gateway.replicas, Gateway.upload, Gateway.handshakes,
                     Gateway.sockets, Gateway.capacity):
            with contextlib.ExitStack() as stack:
                part(Gateway(bench, stack))
    finally:
        os.sched_setaffinity(0, cores)
