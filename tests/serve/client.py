# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the engine's protocol, as plain as the protocol itself, and an engine to talk to."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time


class Gone(Exception):
    """The engine closed the connection."""


class Client:
    def __init__(self, path=None, pipes=None, hello=True):
        if pipes:
            self.reader, self.writer = pipes
            self.socket = None
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(120)
            self.socket.connect(path)
            self.reader = self.socket.makefile("rb")
            self.writer = self.socket.makefile("wb")
        if hello:
            self.hello = self.ask({"type": "hello", "id": 0, "protocol": 1, "client": "tests"})

    def send_raw(self, data):
        self.writer.write(data)
        self.writer.flush()

    def send(self, message, payload=b""):
        if payload:
            message = dict(message, bytes=len(payload))
        self.send_raw(json.dumps(message).encode() + b"\n" + payload)

    def receive(self):
        line = self.reader.readline()
        if not line:
            raise Gone()
        message = json.loads(line)
        size = message.get("bytes", 0)
        message["payload"] = self.reader.read(size) if size else b""
        if len(message["payload"]) != size:
            raise Gone()
        return message

    def ask(self, message, payload=b""):
        self.send(message, payload)
        return self.receive()

    def until(self, *types):
        """All messages up to and with the first of these types (or an error, unless asked for)."""
        seen = []
        while True:
            seen.append(self.receive())
            if seen[-1]["type"] in types:
                return seen
            if seen[-1]["type"] == "error":
                raise AssertionError(f"error {seen[-1]['code']}: {seen[-1]['message']}")

    def close(self):
        for stream in (self.reader, self.writer, self.socket):
            try:
                stream and stream.close()
            except OSError:
                pass


class Engine:
    """`pentimento-engine serve` on a socket of its own."""

    def __init__(self, program, *options, folder=None, **environment):
        self.folder = folder or tempfile.mkdtemp(prefix="pmt-serve-")
        self.own_folder = folder is None
        os.chmod(self.folder, 0o700)
        self.path = os.path.join(self.folder, "engine.sock")
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen([program, "serve", "--socket", self.path, *options], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, env=dict(os.environ, **environment))
        self.wait_for_socket()

    def wait_for_socket(self):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            probe = socket.socket(socket.AF_UNIX)
            try:
                probe.connect(self.path)
                return
            except OSError:
                if self.process.poll() is not None:
                    return
                time.sleep(0.02)
            finally:
                probe.close()
        raise AssertionError("the engine did not open its socket within 20 s")

    def client(self, **how):
        return Client(self.path, **how)

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(20)
        self.log.close()
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.stop(signal.SIGKILL)
