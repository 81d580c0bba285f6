"""What every client has to show, whatever language it is written in.

A client is a program of a few lines (README.md says what it is asked to do and what it prints);
`cases_of` gives the test cases that drive it. Topics are made, and read back once more, with
librdkafka.
"""

import collections
import os
import pathlib
import signal
import subprocess
import sys
import threading
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "debian"))

from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402  (their folder comes first)
from support import (BOOTSTRAP, CODECS, PATIENCE_S, SESSION_MS, SHORT_SESSION_MS,  # noqa: E402
                     fresh, wait_until)

PARTITIONS = 6


def create(topic, partitions):
    client = AdminClient({"bootstrap.servers": BOOTSTRAP, "socket.timeout.ms": SESSION_MS})
    client.create_topics([NewTopic(topic, partitions, 1)])[topic].result(PATIENCE_S)
    wait_until(lambda: topic in client.list_topics(timeout=PATIENCE_S).topics, "the topic")
    return topic


def run(program, *words):
    return subprocess.run([*program, *words], capture_output=True, text=True, check=False,
                          timeout=2 * PATIENCE_S, stdin=subprocess.DEVNULL)


class Member:
    """A process with one consumer of a group, and what it said."""

    def __init__(self, program, group, topic, strategy, instance="", session_ms=SESSION_MS):
        self.assignments = []
        self.read = []
        self.has_stopped = False
        self.errors = collections.deque(maxlen=40)
        self.process = subprocess.Popen(
            [*program, "member", BOOTSTRAP, group, topic, strategy, instance, str(session_ms)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        self.listeners = [threading.Thread(target=listen, daemon=True)
                          for listen in (self._listen, self._listen_to_errors)]
        for listener in self.listeners:
            listener.start()

    def _listen(self):
        for line in self.process.stdout:
            kind, _, rest = line.rstrip("\n").partition(" ")
            if kind == "assigned":
                self.assignments.append({int(word) for word in rest.split(",") if word})
            elif kind == "record":
                self.read.append(rest.split(" ")[2])
            elif kind == "stopped":
                self.has_stopped = True
            else:
                self.errors.append(f"not understood: {line}")

    def _listen_to_errors(self):
        self.errors.extend(self.process.stderr)

    @property
    def assigned(self):
        return self.assignments[-1] if self.assignments else set()

    def check_alive(self):
        if self.process.poll() is not None:
            raise AssertionError(f"a member ended with {self.process.returncode}:\n"
                                 + "".join(self.errors))

    def _end(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(PATIENCE_S)
        for listener in self.listeners:
            listener.join(PATIENCE_S)
        self.process.stdout.close()
        self.process.stderr.close()

    def stop(self):
        """It commits, leaves the group and says so."""
        self.check_alive()
        self._end(signal.SIGTERM)
        if not self.has_stopped:
            raise AssertionError("a member did not stop well:\n" + "".join(self.errors))

    def kill(self):
        self._end(signal.SIGKILL)


class ClientTests(unittest.TestCase):
    """Not run itself: see cases_of."""

    program = None      # the words of its command
    strategies = ()

    def setUp(self):
        self.members = []

    def tearDown(self):
        for member in self.members:
            if not member.process.stdout.closed:
                member.kill()

    def member(self, *words, **options):
        self.members.append(Member(self.program, *words, **options))
        return self.members[-1]

    def wait(self, condition, what, *members):
        def look():
            for member in members:
                member.check_alive()
            return condition()
        try:
            wait_until(look, what)
        except AssertionError as failure:
            said = "\n".join(f"{sorted(member.assigned)}, {len(member.read)} records\n"
                             + "".join(member.errors) for member in members)
            raise AssertionError(f"{failure}\n{said}") from failure

    def wait_shared(self, *members):
        """Every partition has one owner, and every member has some."""
        def is_shared():
            owned = [place for member in members for place in member.assigned]
            return (sorted(owned) == list(range(PARTITIONS))
                    and all(member.assigned for member in members))
        self.wait(is_shared, "partitions to be shared out", *members)

    def produce(self, topic, codec, count):
        """Gives the values."""
        done = run(self.program, "produce", BOOTSTRAP, topic, codec, str(count))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return [f"{codec}-{i}" for i in range(count)]

    def check_codec(self, codec):
        topic, group = create(fresh(f"codec-{codec}"), 2), fresh("group")
        wanted = self.produce(topic, codec, 500)
        self.assertEqual(sorted(read_with_librdkafka(topic, 500)), sorted(wanted))
        reader = self.member(group, topic, self.strategies[0])
        self.wait(lambda: len(reader.read) >= 500, "all records", reader)
        reader.stop()
        self.assertEqual(sorted(reader.read), sorted(wanted))

    def check_strategy(self, strategy):
        topic, group = create(fresh("shared"), PARTITIONS), fresh("group")
        early = self.produce(topic, "none", 300)
        first = self.member(group, topic, strategy)
        second = self.member(group, topic, strategy, session_ms=SHORT_SESSION_MS)
        self.wait_shared(first, second)
        third = self.member(group, topic, strategy)
        self.wait_shared(first, second, third)
        second.kill()
        self.wait_shared(first, third)
        read_before = set(first.read + second.read + third.read)
        late = self.produce(topic, "gzip", 300)
        self.wait(lambda: set(late) <= set(first.read + third.read), "what came later",
                  first, third)
        # Everything was read; and after the death, once.
        self.assertLessEqual(set(early), read_before | set(first.read + third.read))
        read = collections.Counter(first.read + third.read)
        self.assertEqual({value: read[value] for value in late}, dict.fromkeys(late, 1))
        first.stop()
        self.wait_shared(third)
        third.stop()

    def test_a_member_goes_on_where_the_one_before_had_committed(self):
        topic, group = create(fresh("resume"), 2), fresh("group")
        early = self.produce(topic, "none", 200)
        first = self.member(group, topic, self.strategies[0])
        self.wait(lambda: len(first.read) >= 200, "the first records", first)
        first.stop()
        self.assertEqual(sorted(first.read), sorted(early))
        late = self.produce(topic, "gzip", 200)
        second = self.member(group, topic, self.strategies[0])
        self.wait(lambda: len(second.read) >= 200, "the rest", second)
        second.stop()
        self.assertEqual(sorted(second.read), sorted(late))

    def check_static(self):
        topic, group = create(fresh("static"), PARTITIONS), fresh("group")
        words = (group, topic, self.strategies[0])
        first, second = self.member(*words, "one"), self.member(*words, "two")
        self.wait_shared(first, second)
        before = len(first.assignments)
        second.kill()
        again = self.member(*words, "two")
        self.wait(lambda: again.assigned == second.assigned, "the same partitions", first, again)
        late = self.produce(topic, "none", 100)
        self.wait(lambda: set(late) <= set(first.read + again.read), "records", first, again)
        self.assertEqual(len(first.assignments), before, "there was a rebalance")

    def check_admin(self, calls):
        done = run(self.program, "admin", BOOTSTRAP, fresh("admin"), fresh("admin-group"))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr[-3000:])
        said = [line.removeprefix("ok ") for line in done.stdout.splitlines()]
        self.assertEqual(said, list(calls))


def read_with_librdkafka(topic, count):
    from confluent_kafka import Consumer
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": fresh("reader"),
                         "auto.offset.reset": "earliest"})
    found = []

    def poll():
        message = consumer.poll(0.2)
        if message is not None and not message.error():
            found.append(message.value().decode())

    try:
        consumer.subscribe([topic])
        wait_until(lambda: len(found) >= count, f"{count} records of {topic}", poll)
        return found
    finally:
        consumer.close()


def cases_of(name, program, strategies, admin_calls, has_static_members=True, codecs=CODECS):
    """A class of test cases for a client; program gives the words of its command. A client without
    administration has no admin_calls."""
    cases = {"strategies": strategies}

    def set_up_class(cls):
        cls.program = [os.fspath(word) for word in program()]

    cases["setUpClass"] = classmethod(set_up_class)
    for codec in codecs:
        cases[f"test_produces_and_consumes_with_{codec}"] = (
            lambda self, codec=codec: self.check_codec(codec))
    for strategy in strategies:
        method = f"test_{strategy.replace('-', '_')}_members_share_through_joins_and_deaths"
        cases[method] = lambda self, strategy=strategy: self.check_strategy(strategy)
    if has_static_members:
        cases["test_a_static_member_that_comes_back_causes_no_rebalance"] = (
            lambda self: self.check_static())
    if admin_calls:
        cases["test_administers"] = lambda self: self.check_admin(admin_calls)
    return type(name, (ClientTests,), cases)
