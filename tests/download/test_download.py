#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_download.py FETCH: downloads (plugin/download.h) from a server that fails in every way there is. Each failure ends in one sentence with
what to do next; what has come is kept or removed as it should be; nothing but the whole, checked file ever gets its name."""

import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tap
from server import Site

DATA = random.Random(1).randbytes(3_000_000)
OTHER = random.Random(2).randbytes(3_000_000)
SHA = hashlib.sha256(DATA).hexdigest()


class Place:
    def __init__(self, program):
        self.program = program

    def __enter__(self):
        self.temp, self.site = tempfile.TemporaryDirectory(prefix="pmt-download-"), Site()
        self.folder = Path(self.temp.name)
        self.target = self.folder / "sub" / "model.safetensors"
        self.part = self.folder / "sub" / "model.safetensors.part"
        return self

    def __exit__(self, *_):
        self.site.close()
        self.temp.cleanup()

    def fetch(self, url, *options, sha=SHA, size=len(DATA), fails=None, stops=False, limit=None, proxy=None):
        environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        if proxy:
            environment.update(http_proxy=proxy, https_proxy=proxy)
        words = [self.program, url, str(self.target), "--retry-ms", "20", *map(str, options)]
        words += ["--sha256", sha] if sha else []
        words += ["--bytes", str(size)] if size is not None else []

        def prepare():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=environment, preexec_fn=prepare)
        assert done.returncode == 0 and not done.stderr, (done.returncode, done.stderr)
        *self.progress, last = done.stdout.splitlines()
        if fails:
            print(f"# {last}")
            assert last.startswith("error ") and fails in last and last.endswith("."), done.stdout
            assert not self.target.exists()
        else:
            assert last == ("stopped" if stops else "done"), done.stdout
        if not fails and not stops:
            assert self.target.read_bytes() == DATA
            assert sorted(path.name for path in self.target.parent.iterdir()) == [self.target.name], list(self.target.parent.iterdir())
        return last

    def ranges(self):
        return [headers.get("Range") for _, headers in self.site.seen]


def test_whole(program):
    with Place(program) as p:
        p.fetch(p.site.put("/a", DATA))
        headers = p.site.seen[0][1]
        assert headers["User-Agent"].startswith("Pentimento/") and headers.get("Accept-Encoding") == "identity" and "Cookie" not in headers, headers


def test_progress(program):
    with Place(program) as p:
        p.fetch(p.site.put("/a", DATA, ("slow", 100_000)))
        counts = [int(line.split()[1]) for line in p.progress if line.startswith("fetching")]
        assert len(counts) >= 3 and counts == sorted(counts) and all(line.split()[2] == str(len(DATA)) for line in p.progress), p.progress


def test_nothing_known(program):
    """Neither size nor checksum: the server's length counts; and without that the end of a chunked body."""
    with Place(program) as p:
        p.fetch(p.site.put("/a", DATA), sha=None, size=None)
    with Place(program) as p:
        p.fetch(p.site.put("/a", DATA, "chunked"), size=None)


def test_stop_keeps_the_part_and_goes_on(program):
    with Place(program) as p:
        url = p.site.put("/a", DATA, ("slow", 100_000))
        p.fetch(url, "--stop-at", 500_000, stops=True)
        there = p.part.stat().st_size
        assert 500_000 <= there < len(DATA) and not p.target.exists()
        p.fetch(url)
        assert p.site.seen[-1][1]["Range"] == f"bytes={there}-" and p.site.seen[-1][1]["If-Range"] == '"one"', p.site.seen


def test_truncated_body_goes_on(program):
    with Place(program) as p:
        p.fetch(p.site.put("/a", DATA, ("cut", 1_000_000), ("cut", 1_000_000)))
        assert p.ranges() == [None, "bytes=1000000-", "bytes=2000000-"], p.ranges()


def test_connection_reset_goes_on(program):
    with Place(program) as p:
        p.fetch(p.site.put("/a", DATA, ("reset", 1_000_000), "drop"))
        assert len(p.site.seen) == 3 and p.ranges()[-1], p.ranges()


def test_stall_goes_on(program):
    with Place(program) as p:
        p.fetch(p.site.put("/a", DATA, ("stall", 500_000)), "--stall-ms", 700)
        assert p.ranges() == [None, "bytes=500000-"], p.ranges()
        assert any(line.startswith("waiting") for line in p.progress)


def test_endless_faults_end(program):
    for fault, part in ((("drop", 0), "again and again"), (("status", 500), "500"), (("status", 503), "503"), (("status", 429), "429"),
                        (("silent", 1), "nothing came")):
        with Place(program) as p:
            p.fetch(p.site.put("/a", DATA, *[fault] * 9), "--stall-ms", 300, fails=part)
            assert len(p.site.seen) == 5, p.site.seen


def test_server_errors_that_do_not_pass(program):
    for status, part in ((404, "any more"), (410, "any more"), (401, "without an account"), (403, "without an account"), (400, "refused to send")):
        with Place(program) as p:
            p.fetch(p.site.put("/a", DATA, ("status", status)), fails=part)
            assert len(p.site.seen) == 1 and not p.part.exists()


def test_500_once_passes(program):
    with Place(program) as p:
        p.fetch(p.site.put("/a", DATA, ("status", 500)))


def test_wrong_length(program):
    """Refused before a byte of it is written, and a body without length after the last."""
    with Place(program) as p:
        p.fetch(p.site.put("/a", DATA[:-1]), fails="were expected")
        assert not p.part.exists()
        p.fetch(p.site.put("/a", DATA[:-1], "chunked"), fails="were expected")
        assert not p.part.exists()


def test_wrong_checksum(program):
    with Place(program) as p:
        url = p.site.put("/a", OTHER)
        p.fetch(url, fails="checksum")
        assert not p.part.exists()
        p.site.put("/a", DATA)
        p.fetch(url, sha=SHA.upper())


def test_server_without_ranges(program):
    with Place(program) as p:
        p.fetch(p.site.put("/a", DATA, ("cut", 1_000_000), "no-range"))
        assert p.ranges() == [None, "bytes=1000000-"]


def test_file_changed_meanwhile(program):
    """Another ETag: the server sends the whole new file, and the old part is forgotten. Careless ones that go on all the same are caught."""
    for fault in ("", "careless"):
        with Place(program) as p:
            url = p.site.put("/a", OTHER, ("slow", 100_000), etag='"old"')
            p.fetch(url, "--stop-at", 500_000, stops=True)
            p.site.put("/a", DATA, fault, etag='"new"')
            p.fetch(url)


def test_part_of_another_address(program):
    with Place(program) as p:
        p.fetch(p.site.put("/old", OTHER, ("slow", 100_000)), "--stop-at", 500_000, stops=True)
        p.fetch(p.site.put("/new", DATA))
        assert p.ranges()[-1] is None


def test_wrong_range_in_the_answer(program):
    with Place(program) as p:
        p.fetch(p.site.put("/a", DATA, ("cut", 1_000_000), ("other-range", 5)))
        assert p.ranges() == [None, "bytes=1000000-", None]


def test_part_is_whole_already(program):
    """The program ended between the last byte and the check."""
    with Place(program) as p:
        url = p.site.put("/a", DATA)
        p.part.parent.mkdir()
        p.part.write_bytes(DATA)
        Path(str(p.part) + ".from").write_text(url + '\n"one"\n')
        p.fetch(url)
        p.target.unlink()
        p.part.write_bytes(DATA + b"more")  # and one that is longer than the file
        Path(str(p.part) + ".from").write_text(url + '\n"one"\n')
        p.fetch(url)


def test_redirects(program):
    with Place(program) as p:
        p.site.put("/there", DATA)
        p.fetch(p.site.put("/a", b"/b", "redirect") and p.site.put("/b", b"/there", "redirect") and p.site.url + "/a")
        assert [path for path, _ in p.site.seen] == ["/a", "/b", "/there"]


def test_redirects_that_are_not_safe(program):
    for target in (b"http://example.invalid/file", b"ftp://127.0.0.1/file", b"file:///etc/passwd", b"javascript:x", b"https:///file"):
        with Place(program) as p:
            p.fetch(p.site.put("/a", target, "redirect"), fails="not safe")
            assert not p.part.exists()
    with Place(program) as p:
        p.fetch(p.site.put("/a", DATA, ("status", 302)), fails="not safe")  # to nowhere


def test_redirects_in_a_circle(program):
    with Place(program) as p:
        p.fetch(p.site.put("/a", DATA, "circle"), fails="in circles")
        assert len(p.site.seen) == 9


def test_addresses_that_are_not_safe(program):
    for url in ("http://example.invalid/a", "ftp://127.0.0.1/a", "file:///etc/passwd", "no address", "https://"):
        with Place(program) as p:
            p.fetch(url, fails="must begin with https://")


def test_unknown_host(program):
    with Place(program) as p:
        p.fetch("https://model.invalid/a", fails="was not found")


def test_hostile_name(program):
    with Place(program) as p:
        p.fetch(p.site.put("/a", DATA, "hostile"))
        assert sorted(str(path.relative_to(p.folder)) for path in p.folder.rglob("*")) == ["sub", "sub/model.safetensors"]


def test_name_is_taken(program):
    with Place(program) as p:
        p.target.parent.mkdir()
        p.target.write_text("mine")
        url = p.site.put("/a", DATA)
        out = subprocess.run([program, url, str(p.target)], capture_output=True, text=True, timeout=60).stdout
        assert "is there already" in out and p.target.read_text() == "mine" and not p.site.seen


def test_two_at_once(program):
    with Place(program) as p:
        url = p.site.put("/a", DATA, ("slow", 50_000))
        with subprocess.Popen([program, url, str(p.target), "--bytes", str(len(DATA))], stdout=subprocess.PIPE, text=True) as first:
            while int(first.stdout.readline().split()[1]) == 0:
                pass
            p.fetch(url, fails="is being downloaded already")
            rest = first.stdout.read()
        assert rest.endswith("done\n") and p.target.read_bytes() == DATA


def test_no_room(program):
    with Place(program) as p:
        url = p.site.put("/a", DATA)
        p.fetch(url, sha=None, size=1 << 60, fails="GB free and")
        assert not p.site.seen and not p.part.exists()


def test_disk_full_on_the_way(program):
    """A limit on the size of files stands for the full disk: writing fails in the same place. The next try goes on."""
    with Place(program) as p:
        url = p.site.put("/a", DATA)
        p.fetch(url, limit=1_000_000, fails="make room on the disk")
        assert p.part.stat().st_size == 1_000_000
        p.fetch(url)
        assert p.ranges()[-1] == "bytes=1000000-"


def test_folder_that_cannot_be_made(program):
    with Place(program) as p:
        p.target.parent.write_text("a file in its place")
        p.fetch(p.site.put("/a", DATA), fails="cannot be made")


def test_proxy(program):
    """The user's proxy is asked, not the address itself."""
    with Place(program) as p:
        p.fetch("https://model.invalid/a", proxy=p.site.url, fails="502")
        assert p.site.seen and p.site.seen[0][0] == "CONNECT model.invalid:443", p.site.seen


if __name__ == "__main__":
    tap.run(globals(), "download", program=os.path.abspath(sys.argv[1]))
