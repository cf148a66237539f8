#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The page of GET / in a real browser (Debian's chromium): it loads, asks nobody else, says nothing on the console, is
worked with the keyboard, fits a telephone, goes dark, and shows what is so. Pictures are left in build/."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

from server import TOP, Server

WISH = [
    "--kernel", "00ff" * 10, "--leaf", "net-fix,version=3,hits=7", "--leaf", "b,verified", "--frozen",
    "--leaf", "mm-fix-with-a-rather-long-name,note=NL_EPROBED", "--leaf", "on-trial,trial=600000", "--commits", "90",
]  # fmt: skip
HOSTILE = "<img/src=x\x20onerror=document.title='owned'>"


class Wrong(Exception):
    pass


class Browser:
    """Chromium, driven through its pipe: JSON messages that end with a NUL."""

    def __init__(self, program, home):
        ours, theirs = os.pipe(), os.pipe()

        def pipes():
            os.dup2(ours[0], 3)
            os.dup2(theirs[1], 4)
            os.set_inheritable(3, True)
            os.set_inheritable(4, True)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--remote-debugging-pipe", f"--user-data-dir={home}", "about:blank"],
            preexec_fn=pipes, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(ours[0])
        os.close(theirs[1])
        self.to, self.of, self.rest, self.last, self.events = ours[1], theirs[0], b"", 0, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = None
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    session = None

    def message(self, deadline):
        while b"\0" not in self.rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.of], [], [], left)[0]:
                raise Wrong("the browser says nothing")
            piece = os.read(self.of, 1 << 20)
            if not piece:
                raise Wrong("the browser has ended")
            self.rest += piece
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **params):
        self.last += 1
        ask = {"id": self.last, "method": method, "params": params}
        if self.session:
            ask["sessionId"] = self.session
        os.write(self.to, json.dumps(ask).encode() + b"\0")
        while True:
            said = self.message(time.monotonic() + 60)
            if said.get("id") == self.last:
                if "error" in said:
                    raise Wrong(f"{method}: {said['error']}")
                return said["result"]
            self.events.append(said)

    def value(self, script):
        said = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in said:
            raise Wrong(f"{script}: {said['exceptionDetails']}")
        return said["result"].get("value")

    def until(self, script):
        deadline = time.monotonic() + 30
        while not self.value(script):
            if time.monotonic() > deadline:
                raise Wrong(f"never came true: {script}; {self.value('document.body.innerText')}")
            select.select([], [], [], 0.05)

    def picture(self, name):
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        with open(os.path.join(TOP, os.environ.get("B", "build"), f"http-page-{name}.png"), "wb") as file:
            file.write(base64.b64decode(data))

    def key(self, key, code, text=None):
        press = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **press, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **press)

    def close(self):
        self.session = None
        try:
            self.call("Browser.close")
        except Wrong:
            pass
        os.close(self.to)
        self.process.wait(20)


def expect(what, condition):
    if not condition:
        raise Wrong(what)


def size(b, width, height, mobile):
    b.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)


SHOWN = "document.getElementById('said')?.textContent.startsWith('As of') === true"


def look(b, s):
    size(b, 1100, 900, False)
    b.call("Page.navigate", url=s.url + "/")
    b.until(SHOWN)
    text = b.value("document.body.innerText")
    for word in ("frozen", "net-fix (3)", "NL_EPROBED", "running", "00ff00ff00ff", "2 of 2"):
        expect(f"{word} is shown", word in text)
    expect("commits are drawn", b.value("document.querySelectorAll('svg a').length") == 24)
    expect("no text as markup", b.value("document.title") == "Newleaf" and not b.value("document.images.length"))
    b.picture("wide")


def keyboard(b):
    """Tab goes through everything that can be worked, and what has it is seen."""
    reached = []
    for _ in range(60):
        b.key("Tab", 9)
        reached.append(b.value("(e => e.id || e.getAttribute('aria-label') || e.tagName)(document.activeElement)"))
        expect("focus is seen", b.value("document.activeElement.matches(':focus-visible') || "
                                        "document.activeElement === document.body"))  # fmt: skip
        if reached[-1] == "SUMMARY":
            break
    expect(f"everything was reached: {reached}", reached[0] == "again" and "Leaves" in reached and "SUMMARY" in reached)
    expect("each commit was reached", sum(r.startswith("Generation") for r in reached) == 24)
    expect("and said", "Generation 90" in b.value("document.getElementById('which').textContent"))
    b.key("Enter", 13, "\r")
    expect("the journal opened", b.value("document.querySelector('details').open"))
    b.value("document.getElementById('said').textContent = ''; document.getElementById('again').focus()")
    b.key("Enter", 13, "\r")
    b.until(SHOWN)


def telephone(b):
    size(b, 360, 740, True)
    b.value("document.querySelector('details').open = false")
    expect("nothing is wider than the screen", b.value("document.documentElement.scrollWidth") <= 360)
    expect("big enough for a finger", b.value("document.getElementById('again').offsetHeight") >= 44)
    b.until("document.querySelectorAll('svg a').length < 24")
    b.picture("telephone")
    before = b.value("getComputedStyle(document.body).backgroundColor")
    b.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    expect("dark", before != b.value("getComputedStyle(document.body).backgroundColor"))
    b.picture("dark")


def quiet(b, s):
    """Nothing on the console, and nothing from elsewhere."""
    for e in b.events:
        what, p = e.get("method"), e.get("params", {})
        if what in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"):
            raise Wrong(f"the console says: {json.dumps(p)[:500]}")
        if what == "Network.requestWillBeSent":
            url = p["request"]["url"]
            expect(f"asks for {url}", url.startswith((s.url, "data:")))
    expect("it asked", any(e.get("method") == "Network.requestWillBeSent" for e in b.events))


def away(b, s):
    """Without an answer it says so, and goes on when there is one."""
    b.value("window.fetch = () => Promise.reject(new Error('gone')); document.getElementById('again').click()")
    b.until("document.getElementById('said').textContent === 'No answer: gone'")
    b.call("Page.navigate", url=s.url + "/")
    b.until(SHOWN)
    said = b.value("fetch('https://example.com').then(() => 'let', () => 'refused')")
    expect("the policy lets nothing out", said == "refused")


def main():
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not program:
        print("check-http-page: skipped: no chromium (Debian's package chromium)")
        return 0
    with tempfile.TemporaryDirectory(prefix="page.") as home, Server(*WISH, "--leaf", HOSTILE) as s:
        b = Browser(program, home)
        try:
            look(b, s)
            keyboard(b)
            telephone(b)
            quiet(b, s)
            away(b, s)
        except Wrong as e:
            print(f"check-http-page: {e}")
            return 1
        finally:
            b.close()
    print("the network's page is shown, asks nobody else, and is worked by key and finger")
    return 0


if __name__ == "__main__":
    sys.exit(main())
