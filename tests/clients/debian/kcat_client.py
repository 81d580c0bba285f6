"""What tests/clients/common asks of a client, with kcat, whose words it turns into those."""

import ctypes
import re
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1
SAYING = threading.Lock()
# "... rebalanced (memberid M): assigned: TOPIC [0], TOPIC [1]", or of cooperative members
# "... rebalanced: incremental assignment of 2 partition(s) (memberid M): TOPIC [0], TOPIC [1]".
REBALANCED = re.compile(r"% Group \S+ rebalanced.*\b(assigned|assignment|revoked?)\b.*: (.*)")


def produce(bootstrap, topic, codec, count):
    lines = "".join(f"key-{i % 17}:{codec}-{i}\n" for i in range(int(count)))
    # Idempotent with one codec, as the other clients.
    subprocess.run(["kcat", "-b", bootstrap, "-P", "-t", topic, "-K", ":", "-z", codec,
                    "-X", "acks=all", "-X", f"enable.idempotence={str(codec == 'gzip').lower()}"],
                   input=lines, text=True, check=True)


def die_with_the_caller():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def member(bootstrap, group, topic, strategy, instance, session_ms):
    settings = {"partition.assignment.strategy": strategy, "auto.offset.reset": "earliest",
                "heartbeat.interval.ms": "500", "session.timeout.ms": session_ms}
    if instance:
        settings["group.instance.id"] = instance
    options = [word for name, value in settings.items() for word in ("-X", f"{name}={value}")]
    with subprocess.Popen(["kcat", "-b", bootstrap, "-G", group, "-u", "-f", "record %p %o %s\n",
                           *options, topic], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True,
                          preexec_fn=die_with_the_caller) as kcat:
        signal.signal(signal.SIGTERM, lambda number, frame: kcat.terminate())
        listening = [threading.Thread(target=show_records, args=[kcat.stdout]),
                     threading.Thread(target=show_assignments, args=[kcat.stderr])]
        for thread in listening:
            thread.start()
        status = kcat.wait()
        for thread in listening:
            thread.join()
    if status == 0:
        say("stopped")
    sys.exit(status)


def say(line):
    """A line in one piece: two threads have something to say."""
    with SAYING:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def show_records(lines):
    for line in lines:
        say(line.rstrip("\n"))


def show_assignments(lines):
    owned = set()
    for line in lines:
        rebalanced = REBALANCED.match(line)
        if not rebalanced:
            sys.stderr.write(line)
            continue
        partitions = {int(number) for number in re.findall(r"\[(\d+)\]", rebalanced[2])}
        owned = owned | partitions if rebalanced[1].startswith("assign") else owned - partitions
        say("assigned " + ",".join(map(str, sorted(owned))))


if __name__ == "__main__":
    COMMANDS = {"produce": produce, "member": member}
    COMMANDS[sys.argv[1]](*sys.argv[2:])
