"""Records traffic on the loopback interface for the model of windows.

    sudo python3 record/record.py FOLDER

Needs tcpdump and the right to capture and to open raw sockets. Goes on where it stopped. Writes
FOLDER/PART/CLASS-KIND-NN.pcap, headers only: one file a session, each with its own servers, sizes, rates and number of
clients, drawn from the session's name. Nothing leaves the machine: servers are on 127.0.0.1, ordinary clients on
127.1.0.0/16, attackers on 127.66.0.0/16, which is how the windows get their labels (src/sets.ts). In half of the attacks
ordinary clients go on working beside them.
"""

import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

import attacks
import normal

SECONDS = 2.5
SNAP_LENGTH = 54  # Ethernet, IPv4, and TCP without its options
MOST_PACKETS = 4000
# Sessions are drawn for one part each: what is measured on is never from a session that was trained on.
PARTS = {"train": range(0, 9), "validation": range(9, 11), "test": range(11, 14)}
KINDS = {
    "normal": {
        "web": normal.web,
        "files": normal.files,
        "chat": normal.chat,
        "queries": normal.queries,
        "names": normal.names,
        "mixed": normal.mixed,
    },
    "scan": {
        "connect": attacks.connect_scan,
        "syn": attacks.syn_scan,
        "udp": attacks.udp_scan,
    },
    "flood": {
        "connect": attacks.connect_flood,
        "syn": attacks.syn_flood,
        "http": attacks.http_flood,
        "udp": attacks.udp_flood,
    },
}


class Session:
    """What a kind of traffic draws from, and how long it goes on."""

    def __init__(self, name, attack):
        self.random = random.Random(name)
        self.end = time.monotonic() + SECONDS
        self.threads = []
        self.network = "127.66" if attack else "127.1"

    def running(self):
        return time.monotonic() < self.end

    def sleep(self, seconds):
        time.sleep(max(0.0, min(seconds, self.end - time.monotonic())))

    def address(self):
        return f"{self.network}.{self.random.randrange(1, 250)}.{self.random.randrange(1, 250)}"

    def start(self, function, *arguments):
        """Runs it beside the others; connections that the other end drops are part of the traffic."""

        def run():
            try:
                function(*arguments)
            except OSError:
                pass

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.threads.append(thread)

    def join(self):
        for thread in list(self.threads):
            thread.join(timeout=max(0.1, self.end + 1 - time.monotonic()))


def record(folder, kind, name, number):
    title = f"{kind}-{name}-{number:02d}"
    path = folder / f"{title}.pcap"
    command = ["tcpdump", "-i", "lo", "-U", "-s", str(SNAP_LENGTH), "-c", str(MOST_PACKETS), "-w", str(path), "-n"]
    command += ["net 127.1.0.0/16 or net 127.66.0.0/16"]
    capture = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    capture.stderr.readline()  # it listens when it says so
    session = Session(title, kind != "normal")
    background = None
    if kind != "normal" and number % 2 == 1:
        background = Session(f"{title} beside", False)
        choice = background.random.choice(list(KINDS["normal"].values()))
        background.start(choice, background)
    KINDS[kind][name](session)
    session.join()
    if background is not None:
        background.join()
    time.sleep(0.3)
    capture.send_signal(signal.SIGINT)
    capture.wait()
    print(title, path.stat().st_size, "bytes", flush=True)


def main():
    folder = pathlib.Path(sys.argv[1])
    for part, numbers in PARTS.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        for number in numbers:
            for kind, names in KINDS.items():
                for name in names:
                    if not (folder / part / f"{kind}-{name}-{number:02d}.pcap").exists():
                        record(folder / part, kind, name, number)


if __name__ == "__main__":
    main()
