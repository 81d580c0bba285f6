"""The command lines of the services, and what each tells systemd."""

import contextlib
import os
import pathlib
import select
import signal
import socket
import subprocess
import tempfile
import unittest

from local_cluster import PATIENCE_SECONDS, PROGRAMS, LocalCluster
from ports import free_port

SERVICES = ("controller", "broker", "coordinator")
FAILURE, USAGE, CONFIGURATION = 1, 2, 78


def run(service, *arguments, **environment):
    """(exit code, standard output, standard error) of a program that ends by itself."""
    done = subprocess.run([PROGRAMS / f"millrace-{service}", *map(str, arguments)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          timeout=PATIENCE_SECONDS, env=dict(os.environ, **environment))
    return done.returncode, done.stdout, done.stderr


class CommandLineTest(unittest.TestCase):

    def file(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".properties", delete=False) as file:
            file.write(text)
        self.addCleanup(os.unlink, file.name)
        return file.name

    def assert_refused(self, code, words, service, *arguments):
        """It ends so, prints nothing, and says in its errors what is wrong and where."""
        found, output, errors = run(service, *arguments)
        self.assertEqual(found, code, errors)
        self.assertEqual(output, "")
        for word in words:
            self.assertIn(word, errors)

    def test_help_names_every_option(self):
        for service in SERVICES:
            with self.subTest(service):
                code, output, errors = run(service, "--help")
                self.assertEqual((code, errors), (0, ""))
                self.assertIn(f"millrace-{service}", output)
                for option in ("--config FILE", "--set NAME=VALUE", "--version", "--help"):
                    self.assertIn(option, output)
                self.assertEqual("--node-id N" in output, service == "broker")

    def test_version_is_one_line_and_that_of_the_command_line_program(self):
        versions = set()
        for service in SERVICES:
            with self.subTest(service):
                code, output, errors = run(service, "--version")
                self.assertEqual((code, errors), (0, ""))
                self.assertRegex(output, rf"^millrace-{service} \d+\.\d+\.\d+\S*\n$")
                versions.add(output.split()[1])
        done = subprocess.run([PROGRAMS / "millrace", "--version"], capture_output=True, text=True,
                              check=True)
        self.assertEqual({done.stdout.split()[1]}, versions)

    def test_unknown_options_and_words_are_refused(self):
        for service in SERVICES:
            with self.subTest(service):
                self.assert_refused(USAGE, ["--no-such-option"], service, "--no-such-option")
                self.assert_refused(USAGE, ["stray"], service, "stray")
                self.assert_refused(USAGE, ["--config"], service, "--config")

    def test_what_is_set_wrongly_is_named(self):
        for service in SERVICES:
            with self.subTest(service):
                self.assert_refused(CONFIGURATION, ["command line", "num.partitions=none"], service,
                                    "--set", "num.partitions=none")
                self.assert_refused(CONFIGURATION, ["num.partitons", "num.partitions"], service,
                                    "--set", "num.partitons=3")
                self.assert_refused(CONFIGURATION, ["must be name=value"], service, "--set",
                                    "just-a-word")

    def test_what_is_wrong_in_a_file_is_named_with_its_line(self):
        for service in SERVICES:
            with self.subTest(service):
                name = self.file("num.partitions=1\nlog.retention.ms=soon\nnum.partitons=2\n")
                self.assert_refused(CONFIGURATION, [f"{name}:2", f"{name}:3", "num.partitons"],
                                    service, "--config", name)
                self.assert_refused(CONFIGURATION, ["/no/such/file"], service, "--config",
                                    "/no/such/file")
                self.assert_refused(CONFIGURATION, [tempfile.gettempdir()], service, "--config",
                                    tempfile.gettempdir())

    def test_what_a_service_cannot_do_without_is_named(self):
        node = ("--set", "node.id=1")
        for service in ("controller", "broker"):
            with self.subTest(service):
                code, output, errors = run(service, *node)
                self.assertIn(code, (FAILURE, CONFIGURATION))
                self.assertEqual(output, "")
                self.assertIn("controller.quorum.voters", errors)
        self.assert_refused(FAILURE, ["millrace.coordinator.socket is not set"], "coordinator",
                            *node)


class Systemd:
    """Hears what a process tells about itself."""

    def __init__(self, directory):
        self.path = str(pathlib.Path(directory) / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)

    def hear(self, beginning):
        """The first message that begins so; "" if none comes."""
        while select.select([self.socket], [], [], PATIENCE_SECONDS)[0]:
            message = self.socket.recv(4096).decode()
            if message.startswith(beginning):
                return message
        return ""

    def rest(self):
        """What has come and was not heard."""
        messages = []
        while select.select([self.socket], [], [], 0)[0]:
            messages.append(self.socket.recv(4096).decode())
        return messages


class NotificationTest(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="millrace-notify-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def systemd(self, name):
        place = self.directory / name
        place.mkdir()
        systemd = Systemd(place)
        self.addCleanup(systemd.socket.close)
        return systemd

    def start(self, program, systemd, *arguments):
        with open(self.directory / f"{program}.log", "wb") as log:
            process = subprocess.Popen(
                [PROGRAMS / program, *map(str, arguments)], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=log,
                env=dict(os.environ, NOTIFY_SOCKET=systemd.path))
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()

    def explanation(self):
        return "".join(f"--- {log.name}\n{log.read_text()}" for log in self.directory.glob("*.log"))

    def test_each_service_tells_when_it_serves_and_when_it_stops(self):
        rpc, port = free_port(), free_port()
        voters = ("--set", f"controller.quorum.voters=101@127.0.0.1:{rpc}")
        link = ("--set", f"millrace.coordinator.socket={self.directory}/socket")
        lines = {
            "controller": ("--set", "node.id=101", *voters,
                           "--set", f"metadata.log.dir={self.directory}/metadata"),
            "broker": ("--node-id", "1", *voters, *link,
                       "--set", f"listeners=PLAINTEXT://127.0.0.1:{port}",
                       "--set", f"log.dirs={self.directory}/log"),
            "coordinator": ("--set", "node.id=1", *link),
        }
        running = {}
        for service, words in lines.items():
            systemd = self.systemd(service)
            running[service] = systemd, self.start(f"millrace-{service}", systemd, *words)
            message = systemd.hear("READY=1")
            self.assertRegex(message, r"^READY=1\nSTATUS=\S", self.explanation())
        self.assertIn(f"127.0.0.1:{port}", self.explanation())
        for service, (systemd, process) in reversed(running.items()):
            process.send_signal(signal.SIGTERM)
            self.assertTrue(systemd.hear("STOPPING=1"), self.explanation())
            self.assertEqual(process.wait(PATIENCE_SECONDS), 0, self.explanation())
            self.assertEqual([text for text in systemd.rest() if "READY=1" in text], [], service)

    def test_a_broker_that_waits_for_controllers_says_how_long_it_may_take(self):
        systemd = self.systemd("broker")
        broker = self.start(
            "millrace-broker", systemd, "--node-id", "1",
            "--set", f"controller.quorum.voters=101@127.0.0.1:{free_port()}",
            "--set", f"listeners=PLAINTEXT://127.0.0.1:{free_port()}",
            "--set", f"log.dirs={self.directory}/log",
            "--set", "initial.broker.registration.timeout.ms=500000")
        self.assertEqual(systemd.hear("EXTEND_TIMEOUT_USEC="), "EXTEND_TIMEOUT_USEC=530000000",
                         self.explanation())
        broker.send_signal(signal.SIGTERM)
        self.assertEqual(broker.wait(PATIENCE_SECONDS), 0, self.explanation())

    def start_broker(self, systemd, port_of_controller, log="log"):
        return self.start(
            "millrace-broker", systemd, "--node-id", "1",
            "--set", f"controller.quorum.voters=101@127.0.0.1:{port_of_controller}",
            "--set", f"listeners=PLAINTEXT://127.0.0.1:{free_port()}",
            "--set", f"log.dirs={self.directory}/{log}",
            "--set", "initial.broker.registration.timeout.ms=500000")

    def test_a_broker_whose_controller_takes_its_calls_and_never_answers_ends_when_asked_to(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            systemd = self.systemd("broker")
            broker = self.start_broker(systemd, silent.getsockname()[1])
            silent.settimeout(PATIENCE_SECONDS)
            call, _ = silent.accept()
            with call:
                call.settimeout(PATIENCE_SECONDS)
                self.assertTrue(call.recv(1), "the broker asks nothing\n" + self.explanation())
                broker.send_signal(signal.SIGTERM)
                self.assertEqual(broker.wait(PATIENCE_SECONDS), 0, self.explanation())
        self.assertEqual([text for text in systemd.rest() if "READY=1" in text], [])

    def test_a_broker_that_joins_ends_when_asked_to_wherever_its_controller_stands_still(self):
        # It asks for time for the first word of controllers, for the registration, and while it
        # takes the metadata and waits until it is no longer fenced.
        for step in (1, 2, 3):
            with self.subTest(step=step):
                port = free_port()
                of_controller = self.systemd(f"controller-{step}")
                controller = self.start(
                    "millrace-controller", of_controller, "--set", "node.id=101",
                    "--set", f"controller.quorum.voters=101@127.0.0.1:{port}",
                    "--set", f"metadata.log.dir={self.directory}/metadata-{step}")
                self.assertTrue(of_controller.hear("READY=1"), self.explanation())
                systemd = self.systemd(f"broker-{step}")
                broker = self.start_broker(systemd, port, f"log-{step}")
                for _ in range(step):
                    self.assertTrue(systemd.hear("EXTEND_TIMEOUT_USEC="), self.explanation())
                controller.send_signal(signal.SIGSTOP)
                broker.send_signal(signal.SIGTERM)
                self.assertEqual(broker.wait(PATIENCE_SECONDS), 0, self.explanation())

    def test_a_broker_that_waits_for_the_metadata_asks_for_time_of_its_own(self):
        voters = ("--set", f"controller.quorum.voters=101@127.0.0.1:{free_port()}")
        self.start("millrace-controller", self.systemd("controller"), "--set", "node.id=101",
                   *voters, "--set", f"metadata.log.dir={self.directory}/metadata")
        systemd = self.systemd("broker")
        self.start("millrace-broker", systemd, "--node-id", "1", *voters,
                   "--set", f"listeners=PLAINTEXT://127.0.0.1:{free_port()}",
                   "--set", f"log.dirs={self.directory}/log",
                   "--set", "initial.broker.registration.timeout.ms=500000")
        asked = []
        while not (message := systemd.hear("")).startswith("READY=1"):
            self.assertTrue(message, self.explanation())
            asked += [message] if message.startswith("EXTEND_TIMEOUT_USEC=") else []
        # For the first word, for the registration, and then while it takes what there is.
        self.assertEqual(asked.count("EXTEND_TIMEOUT_USEC=530000000"), 2, asked)
        self.assertEqual(asked[-1], "EXTEND_TIMEOUT_USEC=60000000", asked)

    def test_a_cluster_tells_once_for_all_its_processes(self):
        systemd = self.systemd("local")
        cluster = LocalCluster(environment={"NOTIFY_SOCKET": systemd.path})
        self.addCleanup(cluster.close)
        cluster.start()
        self.assertEqual(systemd.hear("READY=1").splitlines()[:2],
                         ["READY=1", f"STATUS=serving 127.0.0.1:{cluster.port}"])
        self.assertEqual(cluster.stop(), 0, cluster.explanation())
        self.assertTrue(systemd.hear("STOPPING=1"), cluster.explanation())
        self.assertEqual(systemd.rest(), [], "its processes tell too")


if __name__ == "__main__":
    unittest.main()
