"""What our client and the program `millrace` say on Apache Kafka when they may not do what they are
asked to: which right is missing, of what. And that they go on when they are given it."""

import json
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "java"))

import kafka_node  # noqa: E402  (its folder had to be named first)
from kafka_node import local_cluster, packages  # noqa: E402

PROGRAMS = pathlib.Path(os.environ["MILLRACE_PROGRAMS"])
PATIENCE_S = 300
AUTHORISER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
PROTOCOLS = "PLAINTEXT:PLAINTEXT,OPERATORS:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT"
EVERYBODY = ("--allow-principal", "User:ANONYMOUS")
LOGIN = ('org.apache.kafka.common.security.plain.PlainLoginModule required '
         'username="admin" password="of-the-test"')


class GuardedNode(kafka_node.EmptyKafkaNode):
    """Who comes by its address is nobody, and may do nothing. Its operator has another one."""

    def __init__(self, folder):
        super().__init__(folder)
        self.operators = f"127.0.0.1:{local_cluster.free_port()}"
        self.login = self.folder / "operator.properties"
        self.login.write_text(f"""security.protocol=SASL_PLAINTEXT
sasl.mechanism=PLAIN
sasl.jaas.config={LOGIN};
""", encoding="utf-8")
        self.controller = f"127.0.0.1:{local_cluster.free_port()}"
        # Of settings that come twice the last counts. The broker itself is the operator, too, also
        # where its controller is asked.
        self.more_settings = f"""authorizer.class.name={AUTHORISER}
super.users=User:admin
group.initial.rebalance.delay.ms=0
controller.quorum.voters=1@{self.controller}
listeners=PLAINTEXT://{self.bootstrap},OPERATORS://{self.operators},CONTROLLER://{self.controller}
listener.security.protocol.map={PROTOCOLS}
inter.broker.listener.name=OPERATORS
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.mechanism.controller.protocol=PLAIN
listener.name.operators.plain.sasl.jaas.config={LOGIN} user_admin="of-the-test";
listener.name.controller.plain.sasl.jaas.config={LOGIN} user_admin="of-the-test";"""


class Check:
    """The C++ program; what it asks for is given by the test."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([*map(str, arguments)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        self.errors = []
        self.readers = [threading.Thread(target=self._read, daemon=True),
                        threading.Thread(target=self._read_errors, daemon=True)]
        for reader in self.readers:
            reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def _read_errors(self):
        self.errors += self.process.stderr

    def asks(self):
        """Gives each line that it prints; goes on after each."""
        while True:
            try:
                line = self.lines.get(timeout=PATIENCE_S)
            except queue.Empty:
                raise AssertionError("the check neither ends nor asks for anything") from None
            if line is None:
                return
            yield line

    def goes_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def ended(self):
        self.process.wait(PATIENCE_S)
        for reader in self.readers:
            reader.join(PATIENCE_S)
        return "".join(self.errors)

    def stop(self):
        self.process.kill()
        self.ended()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()


class AuthorisationOnKafka(unittest.TestCase):

    def setUp(self):
        # Each has its own: who may write to one topic may more than nothing everywhere.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace-authorisation-on-kafka-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.node = GuardedNode(self.folder)
        self.addCleanup(self.node.stop)
        self.node.start()
        self.environment = {**os.environ, "HOME": str(self.folder),
                            "XDG_CONFIG_HOME": str(self.folder / "config"),
                            "MILLRACE_BOOTSTRAP": self.node.bootstrap}

    # --- What the operator does, with Kafka's own tools. ---

    def operate(self, main_class, *arguments):
        done = subprocess.run(
            [*packages.java(main_class), "--bootstrap-server", self.node.operators,
             "--command-config", str(self.node.login), *map(str, arguments)],
            capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + self.node.said())
        return done.stdout

    def create(self, topic):
        self.operate("org.apache.kafka.tools.TopicCommand", "--create", "--topic", topic,
                     "--partitions", 1)

    def change_right(self, *words):
        """As the checks write it: "topic orders Write", "remove topic orders Write"."""
        change = ("--remove", "--force") if words[0] == "remove" else ("--add",)
        kind, *name, operation = words[words[0] == "remove":]
        self.operate("org.apache.kafka.tools.AclCommand", *change, *EVERYBODY,
                     "--operation", operation, f"--{kind}", *name)

    def check(self, what):
        for state in ("open", "closed"):
            self.create(f"{what}-{state}")
        program = "sdk_refusals_check" if what == "admin" else "sdk_authorisation_check"
        check = Check(PROGRAMS / program, self.node.bootstrap, what)
        self.addCleanup(check.stop)
        said = None
        for said in check.asks():
            if said != "well":
                self.change_right(*said.split())
                check.goes_on()
        errors = check.ended()
        self.assertEqual((check.process.returncode, said), (0, "well"), errors)

    def test_a_producer(self):
        self.check("producer")

    def test_transactions(self):
        self.check("transactions")

    def test_a_consumer_of_partitions(self):
        self.check("consumer")

    def test_a_member_of_a_group_whose_members_assign(self):
        self.check("classic")

    def test_a_member_of_a_group_whose_broker_assigns(self):
        self.check("managed")

    def test_an_administrator(self):
        self.check("admin")

    # --- The command line. ---

    def millrace(self, *arguments, text=None):
        return subprocess.run([PROGRAMS / "millrace", *map(str, arguments), "-o", "json"],
                              input=text, text=True, capture_output=True, timeout=PATIENCE_S,
                              check=False, env=self.environment,
                              stdin=None if text is not None else subprocess.DEVNULL)

    def refused(self, code, name, *arguments, text=None):
        """It ends with 1, and says of its failure as one object what the code is, and of what."""
        done = self.millrace(*arguments, text=text)
        told = f"{arguments}: {done.returncode} {done.stdout}{done.stderr}"
        self.assertEqual(done.returncode, 1, told)
        lines = (done.stderr or done.stdout).splitlines()
        failures = [json.loads(line) for line in lines]
        self.assertTrue(failures, told)
        failure = failures[-1]["error"]
        self.assertEqual(failure["code"], code, told)
        self.assertIn(name, failure["message"], told)

    def test_the_command_line(self):
        topic, group = "cli-topic", "cli-group"
        self.create(topic)
        no_topic, no_group, no_cluster = (f"{kind}_AUTHORIZATION_FAILED"
                                          for kind in ("TOPIC", "GROUP", "CLUSTER"))
        for arguments in (["topic", "create", topic], ["topic", "describe", topic],
                          ["topic", "delete", topic], ["topic", "add-partitions", topic, "--to", 3],
                          ["topic", "alter", topic, "-c", "retention.ms=1"],
                          ["topic", "trim", topic, "--before", 0],
                          ["config", "list", "topic", topic],
                          ["config", "set", "topic", topic, "retention.ms=1"],
                          ["consume", topic, "--from", "start"],
                          ["consume", topic, "--tail", 1, "--to", "end"]):
            with self.subTest(arguments):
                self.refused(no_topic, topic, *arguments)
        for arguments in (["group", "describe", group], ["group", "delete", group],
                          ["group", "reset-offsets", group, "--to", "start",
                           "--topic", topic]):
            with self.subTest(arguments):
                self.refused(no_group, group, *arguments)
        for arguments in (["cluster", "quorum"], ["cluster", "reassign"],
                          ["config", "list", "broker", 1],
                          ["config", "set", "broker", 1, "log.cleaner.threads=2"]):
            with self.subTest(arguments):
                self.refused(no_cluster, "", *arguments)
        with self.subTest("produce"):
            self.refused(no_topic, topic, "produce", topic, text="x\n")
        self.change_right("topic", topic, "Write")
        deadline = time.monotonic() + PATIENCE_S
        while (done := self.millrace("produce", topic, text="x\n")).returncode != 0:
            self.assertLess(time.monotonic(), deadline, done.stderr)
        for code, name, arguments in (
                (no_topic, topic, []), (no_group, group, ["--group", group]),
                (no_group, group, ["--group", group, "-X", "group.protocol=consumer"])):
            with self.subTest(arguments):
                self.refused(code, name, "consume", topic, "--from", "start", *arguments)
        self.change_right("topic", topic, "Read")
        local_cluster.wait_until(
            lambda: self.millrace("consume", topic, "--from", "start",
                                  "--count", 1).returncode == 0, "nothing may be read")


if __name__ == "__main__":
    unittest.main()
