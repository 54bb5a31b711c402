"""Scans and floods against 127.0.0.1, at rates from slow to as fast as this program can."""

import os
import socket
import struct

import normal

HOST = normal.HOST
SYN = 2


def pace(session, slowest=0.05):
    """Seconds between two attempts: none, or of any order of magnitude."""
    return 0 if session.random.random() < 0.3 else slowest * 10 ** (-2.5 * session.random.random())


def ports(session):
    """The ports of a scan: common ones, a range upwards, or at random."""
    style = session.random.choice(["range", "random", "shuffled"])
    first = session.random.randrange(1, 50_000)
    listed = list(range(first, first + 15_000))
    if style == "random":
        return (session.random.randrange(1, 65_536) for _ in range(15_000))
    if style == "shuffled":
        session.random.shuffle(listed)
    return iter(listed)


def scan(session, probe):
    """Goes through the ports with some threads; a few of them are open."""
    for _ in range(3):
        normal.serve(session, lambda connection: connection.recv(100))
    wait = pace(session)
    source = session.address()

    def client(listed):
        for port in listed:
            if not session.running():
                return
            probe(source, port)
            session.sleep(wait * session.random.uniform(0.5, 1.5)) if wait else None

    for _ in range(session.random.choice([1, 1, 2, 6])):
        session.start(client, ports(session))


def connect_scan(session):
    def probe(source, port):
        with socket.socket() as own:
            own.bind((source, 0))
            own.settimeout(0.3)
            own.connect_ex((HOST, port))

    scan(session, probe)


def syn_scan(session):
    """SYNs from a raw socket: the kernel answers SYN and ACK, which it resets, or RST."""
    raw = RawTcp()
    fixed = session.random.randrange(30_000, 60_000) if session.random.random() < 0.5 else None

    def probe(source, port):
        raw.syn(source, fixed or session.random.randrange(1024, 65_536), port)

    scan(session, probe)


def udp_scan(session):
    payload = bytes(session.random.choice([0, 0, 8, 40]))

    def probe(source, port):
        with socket.socket(type=socket.SOCK_DGRAM) as own:
            own.bind((source, 0))
            own.sendto(payload, (HOST, port))

    scan(session, probe)


def flood(session, hit, threads):
    wait = pace(session, 0.01)

    def client():
        while session.running():
            hit()
            if wait:
                session.sleep(wait * session.random.uniform(0.5, 1.5))

    for _ in range(threads):
        session.start(client)


def connect_flood(session):
    """Connections that say nothing: closed at once, reset, or held open."""
    port = normal.serve(session, lambda connection: connection.recv(100))
    style = session.random.choice(["close", "reset", "hold"])
    held = []

    def hit():
        own = normal.dial(session, port)
        if style == "reset":
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if style == "hold" and len(held) < 300:
            held.append(own)
        else:
            own.close()

    flood(session, hit, session.random.choice([2, 4, 8]))


def syn_flood(session):
    """SYNs to one open port, from one address or many."""
    port = normal.serve(session, lambda connection: connection.recv(100))
    raw = RawTcp()
    one = session.address() if session.random.random() < 0.5 else None

    def hit():
        raw.syn(one or session.address(), session.random.randrange(1024, 65_536), port)

    flood(session, hit, session.random.choice([1, 2, 4]))


def http_flood(session):
    """A new connection for each small request, the same one over and over, the answer not always waited for."""
    request = normal.size(session, 60, 600)
    response = normal.size(session, 100, 5_000)
    port = normal.serve(session, normal.answering(session, request))
    waits = session.random.random() < 0.6

    def hit():
        with normal.dial(session, port) as own:
            if waits:
                normal.exchange(own, request, response)
            else:
                own.sendall(response.to_bytes(8, "big") + bytes(request - 8))

    flood(session, hit, session.random.choice([4, 8, 16]))


def udp_flood(session):
    """Datagrams of one size or of many, to one port, from few sockets or from a new one each time."""
    server = socket.socket(type=socket.SOCK_DGRAM)
    server.bind((HOST, 0))
    port = server.getsockname()[1]
    largest = normal.size(session, 1, 1_400)
    varied = session.random.random() < 0.5
    fresh = session.random.random() < 0.5
    kept = new_datagram(session)

    def hit():
        own = new_datagram(session) if fresh else kept
        own.sendto(bytes(session.random.randint(0, largest) if varied else largest), (HOST, port))
        if fresh:
            own.close()

    flood(session, hit, session.random.choice([1, 2, 4]))
    session.held = server


def new_datagram(session):
    own = socket.socket(type=socket.SOCK_DGRAM)
    own.bind((session.address(), 0))
    return own


class RawTcp:
    """SYNs without a connection (RFC 9293, section 3.1)."""

    def __init__(self):
        self.raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
        self.raw.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)

    def syn(self, source, source_port, port):
        ends = socket.inet_aton(source) + socket.inet_aton(HOST)
        # header of 24 bytes: the option says the largest segment
        tcp = struct.pack("!HHIIBBHHH", source_port, port, int.from_bytes(os.urandom(4), "big"), 0, 0x60, SYN, 1024, 0, 0)
        tcp += struct.pack("!BBH", 2, 4, 1460)
        total = checksum(ends + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(tcp)) + tcp)
        tcp = tcp[:16] + struct.pack("!H", total) + tcp[18:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, socket.IPPROTO_TCP, 0) + ends
        self.raw.sendto(ip + tcp, (HOST, port))


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
