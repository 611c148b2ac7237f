# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server on this machine that gives files out and fails as told."""

import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site:
    """`files`: path -> bytes; `faults`: path -> list of (fault, number), one taken per request; `seen`: requests as (path, headers)."""

    def __init__(self):
        self.files, self.faults, self.seen, self.etags = {}, {}, [], {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                site.seen.append((self.path, dict(self.headers)))
                answer(site, self)

            def do_CONNECT(self):
                site.seen.append(("CONNECT " + self.path, dict(self.headers)))
                self.send_error(502)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # clients that go away are part of the game
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def put(self, path, data, *faults, etag='"one"'):
        self.files[path], self.etags[path] = data, etag
        self.faults[path] = [fault if isinstance(fault, tuple) else (fault, 0) for fault in faults]
        return self.url + path

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def reset(connection):
    """Ends it with RST in place of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def head(handler, status, length, **more):
    handler.send_response(status)
    handler.send_header("Content-Length", str(length))
    for name, value in more.items():
        if value is not None:
            handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()


def answer(site, handler):
    path = handler.path
    fault, number = site.faults[path].pop(0) if site.faults.get(path) else ("", 0)
    data, etag = site.files.get(path), site.etags.get(path)
    wanted = handler.headers.get("Range")
    if data is None:
        head(handler, 404, 0)
    elif fault == "status":
        head(handler, number, 0)
    elif fault == "redirect":
        head(handler, 302, 0, Location=data.decode())
    elif fault == "circle":
        site.faults[path].append((fault, 0))
        head(handler, 302, 0, Location=path)
    elif fault == "silent":
        time.sleep(number)
        handler.close_connection = True
    elif fault == "drop":  # before any answer
        reset(handler.connection)
        handler.connection.close()
        handler.close_connection = True
    elif fault == "range-416":
        head(handler, 416, 0, Content_Range=f"bytes */{len(data)}")
    else:
        give(handler, data, etag, wanted, fault, number)


def give(handler, data, etag, wanted, fault, number):
    start = 0
    condition = handler.headers.get("If-Range")
    if wanted and fault != "no-range" and (condition is None or condition == etag or fault == "careless"):
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start >= len(data):
            head(handler, 416, 0, Content_Range=f"bytes */{len(data)}")
            return
    body, more = data[start:], {}
    if start:
        shown = start + number if fault == "other-range" else start
        more = {"Content_Range": f"bytes {shown}-{len(data) - 1}/{len(data)}"}
    if fault == "hostile":
        more["Content_Disposition"] = 'attachment; filename="../../evil.sh"'
    if fault == "chunked":
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for at in range(0, len(body), 50000):
            piece = body[at:at + 50000]
            handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")
        return
    head(handler, 206 if start else 200, len(body), ETag=etag, **more)
    if fault in ("cut", "reset", "stall"):
        handler.wfile.write(body[:number])
        handler.wfile.flush()
        if fault == "stall":
            time.sleep(3)
        if fault == "reset":
            time.sleep(0.3)  # until what was sent has been read
            reset(handler.connection)
        handler.close_connection = True
    elif fault == "slow":
        for at in range(0, len(body), number):
            handler.wfile.write(body[at:at + number])
            time.sleep(0.05)
    else:
        handler.wfile.write(body)
