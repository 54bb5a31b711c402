"""Ordinary traffic: real sockets, servers on 127.0.0.1, clients on addresses of their own."""

import socket
import threading

HOST = "127.0.0.1"


def serve(session, handle):
    """A TCP server with one thread a connection; returns its port."""
    listener = socket.socket()
    listener.bind((HOST, 0))
    listener.listen(128)
    listener.settimeout(0.2)

    def accept():
        while session.running():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            connection.settimeout(2)
            session.start(with_close, connection, handle)
        listener.close()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def with_close(connection, handle):
    with connection:
        handle(connection)


def dial(session, port):
    connection = socket.socket()
    connection.bind((session.address(), 0))
    connection.settimeout(2)
    connection.connect((HOST, port))
    return connection


def read_exactly(connection, count):
    while count > 0:
        data = connection.recv(min(count, 65536))
        if not data:
            raise ConnectionError
        count -= len(data)


def exchange(connection, request, response):
    """Asks for `response` bytes with a request of `request` bytes, which begins with that number."""
    connection.sendall(response.to_bytes(8, "big") + bytes(max(0, request - 8)))
    read_exactly(connection, response)


def answering(session, request, delay=0.0):
    """A server's side of `exchange`, some time after each request."""

    def handle(connection):
        while True:
            head = connection.recv(8, socket.MSG_WAITALL)
            if len(head) < 8:
                return
            read_exactly(connection, request - 8)
            session.sleep(session.random.expovariate(1 / delay) if delay else 0)
            connection.sendall(bytes(int.from_bytes(head, "big")))

    return handle


def size(session, least, most):
    """A size whose logarithm is uniform."""
    return int(least * (most / least) ** session.random.random())


def web(session):
    """HTTP: connections with some requests each, answers of very different sizes, pauses of a reader."""
    request = size(session, 120, 1200)
    port = serve(session, answering(session, request, size(session, 1, 30) / 1000))
    largest = size(session, 5_000, 500_000)
    pause = size(session, 5, 400) / 1000
    most = session.random.choice([1, 3, 8, 30])

    def client():
        while session.running():
            with dial(session, port) as connection:
                for _ in range(session.random.randint(1, most)):
                    exchange(connection, request, size(session, 100, largest))
                    session.sleep(session.random.expovariate(1 / pause))

    for _ in range(size(session, 1, 12)):
        session.start(client)


def files(session):
    """Transfers of files, up or down, sometimes limited in rate."""
    port = serve(session, answering(session, 64))
    piece = size(session, 2_000, 60_000)
    pause = session.random.choice([0, 0.0005, 0.005, 0.02])
    sink = serve(session, lambda connection: read_exactly(connection, 1 << 40))
    upward = session.random.random() < 0.4

    def client():
        while session.running():
            pieces = size(session, 10, 300)
            with dial(session, sink if upward else port) as connection:
                for _ in range(pieces):
                    if upward:
                        connection.sendall(bytes(piece))
                    else:
                        exchange(connection, 64, piece)
                    session.sleep(pause)
            session.sleep(session.random.expovariate(5))

    for _ in range(size(session, 1, 4)):
        session.start(client)


def chat(session):
    """Small messages both ways over connections that stay."""
    port = serve(session, answering(session, 40))
    pause = size(session, 10, 300) / 1000
    longest = size(session, 60, 900)

    def client():
        with dial(session, port) as connection:
            while session.running():
                exchange(connection, 40, size(session, 20, longest))
                session.sleep(session.random.expovariate(1 / pause))

    for _ in range(size(session, 2, 20)):
        session.start(client)


def queries(session):
    """A database's clients: bursts of queries over a pool of connections, rows as answers, hardly a pause."""
    request = size(session, 60, 400)
    port = serve(session, answering(session, request, size(session, 1, 10) / 2000))
    largest = size(session, 500, 50_000)
    pause = size(session, 1, 50) / 1000

    def client():
        while session.running():
            with dial(session, port) as connection:
                for _ in range(size(session, 5, 400)):
                    exchange(connection, request, size(session, 30, largest))
                    if session.random.random() < 0.2:
                        session.sleep(session.random.expovariate(1 / pause))

    for _ in range(size(session, 1, 8)):
        session.start(client)


def names(session):
    """Look-ups over UDP, as of names: one small question from a new port, one answer."""
    server = socket.socket(type=socket.SOCK_DGRAM)
    server.bind((HOST, 0))
    server.settimeout(0.2)
    port = server.getsockname()[1]

    def answer():
        while session.running():
            try:
                _, client = server.recvfrom(2048)
            except TimeoutError:
                continue
            server.sendto(bytes(size(session, 60, 900)), client)

    pause = size(session, 3, 100) / 1000

    def client():
        while session.running():
            with socket.socket(type=socket.SOCK_DGRAM) as own:
                own.bind((session.address(), 0))
                own.settimeout(0.5)
                own.sendto(bytes(size(session, 28, 90)), (HOST, port))
                own.recv(2048)
            session.sleep(session.random.expovariate(1 / pause))

    session.start(answer)
    for _ in range(size(session, 1, 10)):
        session.start(client)


def mixed(session):
    """Some services at one host, as a browser, a chat and a few programs use them together."""
    for kind in session.random.sample([web, files, chat, queries, names], 3):
        kind(session)
