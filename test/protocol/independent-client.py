"""A Lectern client written from protocol/README.md alone, with nothing but Python's standard library.

Usage: independent-client.py <hub url> <pairing code>. Pairs, puts a book and an annotation, reads them back, and prints what it saw as JSON.
In the place of a pairing code, a token and a file: goes on from what the file holds, reads to the head, keeps all in the file, and prints it.
"""

import base64
import hashlib
import http.client
import json
import os
import socket
import struct
import sys
import time
from urllib.parse import urlsplit

HELLO, PUSH, ACK, READ = 0, 1, 2, 3
WELCOME, CHANGES, ACKED, RESYNC, VIEW, FAILED, BYE, SNAPSHOT = 16, 17, 18, 19, 20, 21, 22, 24


def pack(value):
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        if 0 <= value < 0x80:
            return bytes([value])
        return b"\xcf" + struct.pack(">Q", value) if value > 0 else b"\xd3" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        data = value.encode()  # Map keys have to have a short head.
        return (b"\xd9" + bytes([len(data)]) if len(data) < 256 else b"\xdb" + struct.pack(">I", len(data))) + data
    if isinstance(value, bytes):
        return b"\xc6" + struct.pack(">I", len(value)) + value
    if isinstance(value, dict):
        return b"\xdf" + struct.pack(">I", len(value)) + b"".join(pack(k) + pack(v) for k, v in value.items())
    return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(pack, value))


CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
SCALARS = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q"}
SCALARS |= {0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
SIZED = {0xC4: (">B", "bin"), 0xC5: (">H", "bin"), 0xC6: (">I", "bin"), 0xD9: (">B", "str"), 0xDA: (">H", "str")}
SIZED |= {0xDB: (">I", "str"), 0xDC: (">H", "array"), 0xDD: (">I", "array"), 0xDE: (">H", "map"), 0xDF: (">I", "map")}


def unpack(data, at=0):
    """The value that starts at `at`, and the offset behind it."""
    head, at = data[at], at + 1
    if head < 0x80:
        return head, at
    if head >= 0xE0:
        return head - 256, at
    if head in CONSTANTS:
        return CONSTANTS[head], at
    if head in SCALARS:
        return struct.unpack_from(SCALARS[head], data, at)[0], at + struct.calcsize(SCALARS[head])
    if head in SIZED:
        (size,), kind = struct.unpack_from(SIZED[head][0], data, at), SIZED[head][1]
        at += struct.calcsize(SIZED[head][0])
    else:
        size, kind = (head & 0x1F, "str") if head >= 0xA0 else (head & 0x0F, "array" if head >= 0x90 else "map")
    if kind in ("bin", "str"):
        part = bytes(data[at : at + size])
        return part.decode() if kind == "str" else part, at + size
    items = []
    for _ in range(size * 2 if kind == "map" else size):
        item, at = unpack(data, at)
        items.append(item)
    return (dict(zip(items[::2], items[1::2])) if kind == "map" else items), at


class Connection:
    """RFC 6455, as far as a client needs it."""

    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=20)
        self.file = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ["GET /live HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: lectern.v1", "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        status = self.file.readline()
        headers = dict(line.decode().strip().lower().split(": ", 1) for line in iter(self.file.readline, b"\r\n"))
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        assert b" 101 " in status and headers["sec-websocket-protocol"] == "lectern.v1", status
        assert headers["sec-websocket-accept"] == accept.lower()

    def _send(self, opcode, data):
        mask = os.urandom(4)
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        self.socket.sendall(bytes([0x80 | opcode]) + size + mask + bytes(b ^ mask[i & 3] for i, b in enumerate(data)))

    def send(self, *frame):
        self._send(2, pack(list(frame)))

    def receive(self):
        message = b""
        while True:
            first, second = self.file.read(2)
            size = second & 0x7F
            if size >= 126:
                size = int.from_bytes(self.file.read(2 if size == 126 else 8), "big")
            data, opcode = self.file.read(size), first & 0x0F
            if opcode == 8:
                raise ConnectionError(f"closed with {int.from_bytes(data[:2], 'big')} {data[2:].decode()}")
            if opcode == 9:
                self._send(10, data)
            if opcode in (0, 2):
                message += data
                if first & 0x80:
                    return unpack(message)[0]


def main(url, code):
    host, port = urlsplit(url).hostname, urlsplit(url).port
    body = json.dumps({"code": code, "name": "Python", "app": "independent-client 1"})
    web = http.client.HTTPConnection(host, port)
    web.request("POST", "/api/v1/pair", body, {"content-type": "application/json"})
    answer = web.getresponse()
    signed_in = json.loads(answer.read())
    if answer.status != 200:
        sys.exit(f"{signed_in['code']}: {signed_in['detail']}")

    live, seen, now_ms = Connection(host, port), {"changes": [], "accepted": [], "refused": []}, int(time.time() * 1000)
    live.send(HELLO, 1, signed_in["token"], "python-1", "", 0, "independent-client 1")
    actions = [[1, now_ms, "book.put", "emma", {"title": "Emma", "authors": ["Jane Austen"], "rating": 4.5}]]
    actions += [[2, now_ms, "annotation.put", "emma", {"id": "a1", "kind": "highlight", "quote": "handsome, clever, and rich", "note": "é😀"}]]
    actions += [[3, now_ms, "book.put", "emma", {"rating": 9}]]
    live.send(PUSH, 0, actions + actions[:1])
    cursor, reads = 0, {1: ("books", ""), 2: ("annotations", "emma"), 3: ("book", "persuasion")}
    while reads or len(seen["changes"]) < 3:
        kind, *fields = live.receive()
        if kind == WELCOME:
            seen["version"], seen["head"], seen["isThisDevice"] = fields[0], fields[4], fields[2] == signed_in["device"]
        elif kind == CHANGES:
            for change in fields[0]:
                assert change[0] == cursor + 1, "cursors are dense"
                cursor = change[0]
                seen["changes"].append([change[3], change[4], change[6]])
        elif kind == ACKED:
            seen["accepted"] += fields[0]
            seen["refused"] += [[number, code, field] for number, code, _, field in fields[1]]
            for number, (view, key) in reads.items():
                live.send(READ, number, view, key, "")
        elif kind in (VIEW, FAILED):
            seen[reads.pop(fields[0])[0]] = fields[2] if kind == VIEW else fields[1]
        else:
            raise ConnectionError(f"unexpected {kind} {fields}")
    print(json.dumps(seen))


class State:
    """What the changes of an account come to. Documents are kept as the updates that were heard, to be applied by who knows Yjs."""

    def __init__(self):
        self.books, self.positions, self.settings, self.devices, self.documents = {}, {}, {}, {}, {}
        self.parts = {}

    def fold(self, change):
        cursor, _, device, _, _, _, kind, key, body = change
        if kind == "book.put":
            book = self.books.setdefault(key, {"removed": False})
            for field, value in body.items():
                if field == "identifiers":
                    known = {**book.get(field, {}), **value}
                    book[field] = {name: source for name, source in known.items() if source is not None}
                elif value is None:
                    book.pop(field, None)
                else:
                    book[field] = value
        elif kind in ("book.remove", "book.restore"):
            self.books[key]["removed"] = kind == "book.remove"
        elif kind == "position.set":
            # A snapshot may hold one that the log tells again.
            if cursor > self.positions.get(f"{key} {device}", [0])[0]:
                self.positions[f"{key} {device}"] = [cursor, body]
        elif kind == "setting.put":
            self.settings[key] = body["value"]
        elif kind == "device.put":
            self.devices[key] = {**body, "revoked": False}
        elif kind == "device.revoke":
            self.devices[key]["revoked"] = True
        elif kind == "annotation.part":
            self.parts[key] = self.parts.get(key, b"") + body
        elif kind == "annotation.update":
            self.documents.setdefault(key, []).append((self.parts.pop(key, b"") + body).hex())


def follow(url, token, path):
    state, epoch, cursor, said = State(), "", 0, []
    if os.path.exists(path):
        with open(path) as file:
            state.__dict__, epoch, cursor = json.load(file)
    live, head, coming = Connection(urlsplit(url).hostname, urlsplit(url).port), None, None
    is_continued = True
    live.send(HELLO, 1, token, "python-2", epoch, cursor, "independent-client 1")
    while head is None or not is_continued or coming is not None or cursor < head:
        kind, *fields = live.receive()
        if kind == WELCOME:
            # Of another epoch the log is not continued, even where the cursor is at its head.
            is_continued, head = epoch in ("", fields[3]), fields[4]
            epoch = fields[3]
            said.append(["welcome"])
        elif kind == RESYNC:
            said.append(["resync", fields[0]])
            (_, epoch, begin), is_continued = fields, True
            # What was known stays until the last part has come.
            coming = (State(), begin) if begin > 0 else None
            if begin == 0:
                state, cursor = State(), 0
        elif kind == SNAPSHOT:
            entries, is_last = fields[:2]
            for entry in entries:
                coming[0].fold(entry)
            if is_last:
                said.append(["snapshot"])
                (state, cursor), coming = coming, None
        elif kind == CHANGES:
            for change in fields[0]:
                assert change[0] == cursor + 1, "cursors are dense"
                state.fold(change)
                cursor = change[0]
        else:
            raise ConnectionError(f"unexpected {kind} {fields}")
    with open(path, "w") as file:
        json.dump([state.__dict__, epoch, cursor], file)
    live.send(ACK, cursor)
    print(json.dumps({"said": said, "cursor": cursor, **state.__dict__}))


if len(sys.argv) not in (3, 4):
    sys.exit(__doc__)
(main if len(sys.argv) == 3 else follow)(*sys.argv[1:])
