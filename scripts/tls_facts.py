"""The half of scripts/tls-facts that openssl alone can't do: hellos made by hand, and many clients at once.

tls_facts.py hello|headers|reload|loris ADDRESS DIR TOKEN, standard library only. Prints lines of WHAT, VALUE and ok or NO, with tabs between.
"""

import asyncio
import http.client
import multiprocessing
import os
import resource
import shutil
import socket
import ssl
import statistics
import struct
import sys
import threading
import time

COMMAND, ADDRESS, DIRECTORY, TOKEN = sys.argv[1:5]
HOST, PORT = ADDRESS.rsplit(":", 1)[0], int(ADDRESS.rsplit(":", 1)[1])
PATH = "/v1/orgs/acme"
LORISES = 1_000
CLIENTS = 24


def fact(what, value, is_so):
    print(what, value, "ok" if is_so else "NO", sep="\t", flush=True)


def context():
    return ssl.create_default_context(cafile=os.path.join(DIRECTORY, "trusted.pem"))


def connect(of):
    connection = http.client.HTTPSConnection(HOST, PORT, context=of, timeout=20)
    connection.connect()
    return connection


def ask(connection):
    connection.request("GET", PATH, headers={"Authorization": f"Bearer {TOKEN}"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"status {answer.status}")
    return answer


# Protocols: RFC 5246, 7.4.1.2 and 7.2 (alerts), RFC 6101 for SSLv3.


def hello(version):
    def extension(kind, body):
        return struct.pack(">HH", kind, len(body)) + body

    suites = struct.pack(">9H", 0xC02B, 0xC02F, 0xC030, 0xC013, 0xC014, 0x009C, 0x002F, 0x0035, 0x000A)
    extensions = extension(10, struct.pack(">HHHH", 6, 29, 23, 24)) + extension(11, b"\x01\x00")
    extensions += extension(13, struct.pack(">HHHHH", 8, 0x0401, 0x0403, 0x0804, 0x0201))
    body = struct.pack(">H", version) + os.urandom(32) + b"\x00" + struct.pack(">H", len(suites)) + suites + b"\x01\x00"
    # SSLv3 knows no extensions.
    if version > 0x0300:
        body += struct.pack(">H", len(extensions)) + extensions
    handshake = b"\x01" + struct.pack(">I", len(body))[1:] + body
    return struct.pack(">BHH", 22, min(version, 0x0301), len(handshake)) + handshake


def hellos():
    names = {0x0300: "SSLv3", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2"}
    for version, name in names.items():
        with socket.create_connection((HOST, PORT), timeout=10) as stream:
            stream.sendall(hello(version))
            answer = stream.recv(4_096)
        is_taken = answer[:1] == b"\x16"
        alerts = {40: "handshake_failure", 70: "protocol_version", 109: "missing_extension"}
        if is_taken:
            told = "accepted"
        elif answer[:1] == b"\x15" and len(answer) >= 7:
            told = f"refused by the server: alert {answer[6]} {alerts.get(answer[6], '')}".strip()
        else:
            told = f"no alert and no hello, but {answer[:8]!r}"
        is_refused = answer[:1] == b"\x15"
        fact(f"ClientHello of {name}", told, is_taken if version == 0x0303 else is_refused)
    with socket.create_connection((HOST, PORT), timeout=10) as stream:
        stream.sendall(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = stream.recv(4_096)
    fact("plain HTTP at that port", f"no HTTP: {len(answer)} bytes", b"HTTP/" not in answer)


def headers():
    connection = connect(context())
    answer = ask(connection)
    years = "max-age=63072000; includeSubDomains"
    wanted = {
        "strict-transport-security": lambda value: value == years,
        "x-content-type-options": lambda value: value == "nosniff",
        "x-frame-options": lambda value: value == "DENY",
        "referrer-policy": lambda value: value == "no-referrer",
        "content-security-policy": lambda value: value.startswith("default-src 'none'"),
        "cache-control": lambda value: value == "no-store",
    }
    for name, is_so in wanted.items():
        value = answer.getheader(name) or ""
        fact(name, value or "missing", bool(value) and is_so(value))
    connection.request("GET", "/v1/nobody")
    refused = connection.getresponse()
    refused.read()
    value = refused.getheader("strict-transport-security")
    fact("the same with a refusal", f"{refused.status} {value}", refused.status >= 400 and value == years)
    told = answer.getheader("server") or "says nothing of itself"
    fact("server", told, answer.getheader("server") is None)


# Certificates.


class Load:
    """Clients that ask all the time: half by a connection for each request, half by one that stays."""

    def __init__(self):
        self.lock, self.stop = threading.Lock(), threading.Event()
        self.requests, self.connections, self.failures, self.serials = 0, 0, [], {}
        self.threads = [threading.Thread(target=self.client, args=(n % 2 == 0,)) for n in range(CLIENTS)]

    def client(self, is_kept):
        of, kept = context(), None
        while not self.stop.is_set():
            try:
                connection = kept or connect(of)
                serial = connection.sock.getpeercert()["serialNumber"]
                ask(connection)
                with self.lock:
                    self.requests += 1
                    self.connections += kept is None
                    if kept is None:
                        self.serials[serial] = self.serials.get(serial, 0) + 1
                if is_kept:
                    kept = connection
                else:
                    connection.close()
            except Exception as error:  # Whatever it is: a request has failed.
                with self.lock:
                    self.failures.append(f"{type(error).__name__}: {error}")
                kept = None

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def put(source, target):
    """As certificate tools do it: written beside, then renamed."""
    shutil.copy(os.path.join(DIRECTORY, source), os.path.join(DIRECTORY, "next"))
    os.replace(os.path.join(DIRECTORY, "next"), os.path.join(DIRECTORY, target))


def shown(of):
    connection = connect(of)
    serial = connection.sock.getpeercert()["serialNumber"]
    connection.close()
    return serial


def reload():
    of = context()
    with Load() as load:
        time.sleep(2)
        before = shown(of)
        seen = [before]
        for name in ["two", "three", "four"]:
            put(f"{name}.key", "live.key")
            put(f"{name}.pem", "live.pem")
            began = time.monotonic()
            while shown(of) == seen[-1] and time.monotonic() - began < 20:
                time.sleep(0.05)
            seen.append(shown(of))
            fact(f"certificate {name} is shown", f"serial {seen[-2]} to {seen[-1]} after {time.monotonic() - began:.1f} s", seen[-1] != seen[-2])
            time.sleep(1)
        # A key that is not the certificate's: whoever renews may be caught in the middle.
        put("one.key", "live.key")
        time.sleep(7)
        fact("a key that does not fit", f"serial {shown(of)} goes on", shown(of) == seen[-1])
        put("four.key", "live.key")
        time.sleep(1)
    kept = CLIENTS // 2
    fact("clients", f"{CLIENTS}: {kept} with a connection for each request, {kept} with one that stays", True)
    fact("requests, connections", f"{load.requests}, {load.connections}", load.requests > 500)
    fact("serials seen by them", ", ".join(f"{serial} ({n})" for serial, n in sorted(load.serials.items())), len(load.serials) == 4)
    fact("failed requests", f"{len(load.failures)} {' '.join(load.failures[:3])}".strip(), not load.failures)


# The slow-loris.


async def drip(number, is_secret, of, opened, cut):
    """A connection that is never done: half of them with a TLS handshake, half with a request's head. One that is cut off comes again."""
    while True:
        writer = None
        try:
            reader, writer = await asyncio.open_connection(HOST, PORT, ssl=of if is_secret else None)
            with opened.get_lock():
                opened.value += 1
            try:
                if is_secret:
                    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
                    pieces = (f"X-{n}: a\r\n".encode() for n in range(1_000))
                else:
                    pieces = (bytes([byte]) for byte in hello(0x0303))
                for piece in pieces:
                    writer.write(piece)
                    try:
                        if await asyncio.wait_for(reader.read(1), 1 + number % 7 / 10) == b"":
                            break
                    except asyncio.TimeoutError:
                        continue
            finally:
                with opened.get_lock():
                    opened.value -= 1
        except (OSError, ssl.SSLError):
            pass
        finally:
            if writer is not None:
                writer.close()
        with cut.get_lock():
            cut.value += 1


def lorises(opened, cut):
    os.nice(5)
    of = context()

    async def all_of_them():
        tasks = []
        for number in range(LORISES):
            tasks.append(asyncio.ensure_future(drip(number, number % 2 == 0, of, opened, cut)))
            await asyncio.sleep(0.005)
        await asyncio.gather(*tasks)

    asyncio.run(all_of_them())


def timed(opened, count):
    """Seconds of requests by new connections and by one that stays, in turn; what failed, and the fewest that were open."""
    of, new, kept, failures, fewest = context(), [], [], [], LORISES
    stays = connect(of)
    ask(stays)
    for _ in range(count):
        fewest = min(fewest, opened.value)
        try:
            began = time.perf_counter()
            connection = connect(of)
            ask(connection)
            new.append(time.perf_counter() - began)
            connection.close()
            began = time.perf_counter()
            ask(stays)
            kept.append(time.perf_counter() - began)
        except Exception as error:  # Whatever it is: a request has failed.
            failures.append(f"{type(error).__name__}: {error}")
            stays = connect(of)
        time.sleep(0.005)
    return {"by a new connection": new, "by one that stays": kept}, failures, fewest


def loris():
    count = 1_500
    opened, cut = multiprocessing.Value("i", 0), multiprocessing.Value("i", 0)
    unloaded, failures, _ = timed(opened, count)
    fact("failed requests before", str(len(failures)), not failures)
    attack = multiprocessing.Process(target=lorises, args=(opened, cut), daemon=True)
    attack.start()
    began = time.monotonic()
    while opened.value < LORISES * 0.99 and time.monotonic() - began < 60:
        time.sleep(0.1)
    fact("slow connections", str(opened.value), opened.value >= LORISES * 0.9)
    cut_before = cut.value
    loaded, failures, fewest = timed(opened, count)
    fact("open at any moment, at least", str(fewest), fewest >= LORISES * 0.5)
    fact("cut off meanwhile, and come again", str(cut.value - cut_before), True)
    fact("failed requests meanwhile", f"{len(failures)} {' '.join(failures[:3])}".strip(), not failures)
    for what in unloaded:
        for name, of, most in [("median", statistics.median, 5.0), ("p99", lambda v: statistics.quantiles(v, n=100)[98], 10.0)]:
            before, during = of(unloaded[what]) * 1e3, of(loaded[what]) * 1e3
            fact(f"{what}: {name}", f"{during:.2f} ms beside {before:.2f} ms: {during / before:.2f}, at most {most:.0f}", during / before <= most)
    attack.terminate()


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    {"hello": hellos, "headers": headers, "reload": reload, "loris": loris}[COMMAND]()


main()
