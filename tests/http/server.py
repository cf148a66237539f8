# SPDX-License-Identifier: Apache-2.0
"""build/tests/http-host started and stopped, and requests to it, byte by byte if need be."""

import os
import socket
import subprocess

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
HOST = os.path.join(TOP, os.environ.get("B", "build"), "tests/http-host")


class Answer:
    """status, fields (names in lower case), body; interim: answers before it. Raises ValueError if it is none."""

    def __init__(self, text):
        self.interim = []
        while True:
            head, found, text = text.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            version, status, _ = lines[0].split(" ", 2)
            if version != "HTTP/1.1" or not found:
                raise ValueError(f"no answer: {head!r}")
            self.status = int(status)
            if self.status >= 200:
                break
            self.interim.append(self.status)
        self.fields = {}
        for line in lines[1:]:
            name, value = line.split(": ", 1)
            if name.lower() in self.fields:
                raise ValueError(f"{name} comes twice")
            self.fields[name.lower()] = value
        self.body = text

    def whole(self, method="GET"):
        said = self.fields.get("content-length")
        if said is not None and method != "HEAD" and int(said) != len(self.body):
            raise ValueError(f"{said} bytes were said, {len(self.body)} came")
        return self


class Server:
    def __init__(self, *options):
        self.process = subprocess.Popen(
            [HOST, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=TOP
        )
        line = self.process.stdout.readline().split()
        if not line:
            raise RuntimeError(f"http-host {options} did not start")
        self.address, self.port, self.machine, self.key = line[1], int(line[2]), line[3], line[4]
        self.url = f"http://{self.address}:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        if self.process.wait(10):
            raise RuntimeError(f"http-host ended with {self.process.returncode}")

    def connect(self):
        return socket.create_connection((self.address, self.port), timeout=30)

    def raw(self, request):
        with self.connect() as s:
            try:
                s.sendall(request)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it was answered before it was heard out
            return read_all(s)

    def ask(self, method, target, body=None, **fields):
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.address}:{self.port}"]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        text = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")
        return Answer(self.raw(text)).whole(method)


def read_all(s):
    got = b""
    while piece := s.recv(65536):
        got += piece
    return got
