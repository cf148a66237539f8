# SPDX-License-Identifier: Apache-2.0
"""The hypervisor's own network in a guest of QEMU: a second card that is Newleaf's, behind QEMU's user network, whose
port of the host leads to the stack's; and orders that go by it."""

import http.client
import json
import socket
import time

from guest import Failure
from leaves import author
from test_orders import Operators

NETWORK = 7  # nl_policy.net_may: metrics, read, orders
CARD = "00:10.0"
AGENTLESS = ("--agentless", "--deadline-ms", "8000")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def machine(port, card="e1000e", **more):
    """What t.boot wants for it besides."""
    net = ("-netdev", f"user,id=own,hostfwd=tcp:127.0.0.1:{port}-:9947")
    device = ("-device", f"{card},netdev=own,addr=0x{CARD[3:5]},romfile=")
    return dict(more, settings=(f"net-nic {CARD}", "net-ip dhcp"), more=net + device + tuple(more.get("more", ())))


class Wire(Operators):
    """What two operators order by the wire, of a machine whose guest root may do nothing."""

    def __init__(self, folder):
        super().__init__(folder, net_may=NETWORK)
        self.port = free_port()

    def ask(self, method, path, body=None, bytes_only=False, timeout=30):
        """(status, answer): bytes, or what JSON says."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            headers = {"Accept": "application/octet-stream"} if bytes_only else {}
            line.request(method, path, body, headers)
            answer = line.getresponse()
            data = answer.read()
            kind = answer.getheader("Content-Type") or ""
        finally:
            line.close()
        return answer.status, json.loads(data) if "json" in kind else data

    def wait(self, g, limit=60):
        """Until it has an address and answers."""
        deadline = time.monotonic() + limit * g.slow
        while True:
            try:
                return self.ask("GET", "/metrics")
            except (OSError, http.client.HTTPException) as failure:
                if time.monotonic() > deadline:
                    raise Failure(f"nobody answers: {failure}\n{g.tail()}") from None

    def send_order(self, *words, by=("first", "second")):
        """Makes, signs and sends one; a second between signatures is the machine's to ask for."""
        status, challenge = self.ask("GET", "/v1/challenge", bytes_only=True)
        if status != 200:
            return status, challenge
        with open(self.path("challenge"), "wb") as f:
            f.write(challenge)
        author("order", "new", *words, "--challenge", self.path("challenge"), "-o", self.path("order"))
        for name in by:
            author("order", "sign", self.path("order"), "--sign", self.path(name + ".pem"))
        with open(self.path("order"), "rb") as f:
            order = f.read()
        while True:
            status, answer = self.ask("POST", "/v1/orders", order)
            if status != 429:
                return status, answer
            time.sleep(1)  # Retry-After

    def state(self, sha256):
        answer = self.ask("GET", "/v1/leaves")[1]
        return next((leaf["state"] for leaf in answer["leaves"] if leaf["sha256"] == sha256), None)

    def becomes(self, sha256, state, limit=20):
        """It is polled: nothing on this side is an event."""
        deadline = time.monotonic() + limit
        while (found := self.state(sha256)) != state:
            if time.monotonic() > deadline:
                journal = self.ask("GET", "/v1/journal?from=1")[1]["entries"][-5:]
                raise Failure(f"the leaf is {found}, not {state}: {journal}")

    def ordered(self, verb, leaf, sha256):  # by the wire, not by a command in the guest
        """Accepted, and carried out before its deadline."""
        status, answer = self.send_order(verb, leaf, *AGENTLESS)
        if status != 202:
            raise Failure(f"an order that two have signed: {status} {answer}")
        self.becomes(sha256, "applied" if verb == "apply" else "reverted")


def sha256_of(leaf):
    """The name by which orders call a leaf."""
    return json.loads(author("inspect", leaf, "--json"))["sha256"]


def read(path):
    with open(path, "rb") as f:
        return f.read()
