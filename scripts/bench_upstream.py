#!/usr/bin/env python3
"""bench_upstream PORT SANDBOX_PORT: Corti for scripts/bench: answers each audio message of a WebSocket with a short message,
reads uploads, and passes token requests on to the sandbox.

Audio messages are those of bench_gateway.py, all of one length, so that bytes are counted and no frame is read.
"""

import asyncio
import base64
import hashlib
import http.client
import sys

AUDIO = 8192
# A final binary frame with a mask of zeros, which changes nothing.
MESSAGE = b"\x82\xfe" + AUDIO.to_bytes(2, "big") + bytes(4) + bytes(AUDIO)
# About as long as an interim transcript.
ANSWER = b"\x81\x7e" + (200).to_bytes(2, "big") + b"x" * 200
LAST_CHUNK = b"0\r\n\r\n"


class Peer(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport):
        self.transport, self.head, self.data_received = transport, b"", self.take_head

    def take_head(self, data):
        self.head += data
        head, end, rest = self.head.partition(b"\r\n\r\n")
        if not end:
            return
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        self.path, self.bytes, self.body = first.split()[1], 0, b""
        if "upgrade" in headers:
            magic = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            accept = base64.b64encode(hashlib.sha1(magic.encode()).digest()).decode()
            self.transport.write(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                 f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
            self.data_received = self.take_audio
        elif self.path.startswith("/realms/"):
            self.length, self.data_received = int(headers["content-length"]), self.take_form
        else:
            self.data_received = self.take_upload
        if rest:
            self.data_received(rest)

    def take_audio(self, data):
        messages, self.bytes = divmod(self.bytes + len(data), len(MESSAGE))
        if messages:
            self.transport.write(ANSWER * messages)

    def take_upload(self, data):
        self.body = (self.body[-5:] + data[-5:])[-5:]
        if self.body == LAST_CHUNK:
            self.answer(b"{}")

    def take_form(self, data):
        self.body += data
        if len(self.body) == self.length:
            sandbox = http.client.HTTPConnection("127.0.0.1", int(sys.argv[2]))
            sandbox.request("POST", self.path, self.body, {"Content-Type": "application/x-www-form-urlencoded"})
            self.answer(sandbox.getresponse().read())

    def answer(self, body):
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)
        self.head, self.data_received = b"", self.take_head


async def main():
    server = await asyncio.get_running_loop().create_server(Peer, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
