"""One kill at a drawn moment, with what goes on around it; and whether it came at that moment."""

import os
import pathlib
import signal
import sys
import time

import confluent_kafka
from confluent_kafka import admin

from clients import COMPACTED, PARTITIONS, PATIENCE_S, TOPIC, Committing

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cluster"))

import prometheus  # noqa: E402  (its folder had to be named first)
from local_cluster import wait_until  # noqa: E402

RECORDS_MIN = 500
AFTER_WAIT_S = 10
# What came too early or too late for its moment is tried again.
TRIES_MAX = 30
# What a coordinator loads when it starts.
STATE_PARTITIONS = 50
# The recovery of a process takes about so long.
RECOVERY_S = {"broker": 0.02, "controller": 0.02, "coordinator": 0.004}
# Between the join of the first member and the end of the group's rebalance.
JOIN_DELAY_MS = 300


class LogTail:
    """What the processes of a service have written since this was made."""

    # Of a process that begins, and when its recovery has begun and has ended.
    START = " runs on "
    BEGINS = {"broker": "connected to controller", "controller": "", "coordinator": ""}
    LOADED = " is loaded in epoch "

    def __init__(self, cluster, service):
        self._file = cluster.directory / f"data/logs/{service}-1.log"
        self._service = service
        self._position = self._file.stat().st_size

    def _first_life(self):
        with open(self._file, encoding="utf-8", errors="replace") as file:
            file.seek(self._position if self._position <= os.fstat(file.fileno()).st_size else 0)
            lives = file.read().split(self.START)[1:]
        return lives[0] if lives else None

    def recovery_began(self):
        """Of the first process that started since."""
        life = self._first_life()
        return life is not None and self.BEGINS[self._service] in life

    def recovery_ended(self):
        life = self._first_life()
        if self._service == "coordinator":
            return life.count(self.LOADED) >= STATE_PARTITIONS
        return "ready: " in life


def wait_for_records(history, count, seconds):
    deadline = time.monotonic() + seconds
    while history.count() < count:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


class Round:
    """One kill that comes at its moment. Of the moments that can be told from outside (all but
    produce and commit) it is known whether it did, and it is repeated until it does."""

    def __init__(self, cluster, history, draw, number, process, moment):
        self._cluster = cluster
        self._bootstrap = address_of(cluster)
        self._history = history
        self._draw = draw
        self._number = number
        self._killed = None  # the time, and what was acknowledged by then
        self.process = process
        self.moment = moment
        self.misses = 0  # kills, or looks before them, that came at another moment

    def run(self):
        self._wait_until_it_works()
        finish = getattr(self, "_" + self.moment.replace("-", "_"))()
        when, count = self._killed
        seconds_left = when + AFTER_WAIT_S - time.monotonic()
        if not wait_for_records(self._history, count + RECORDS_MIN, seconds_left):
            got = self._history.count() - count
            raise RuntimeError(
                f"only {got} records were acknowledged within {AFTER_WAIT_S} s after kill -9 of "
                f"the {self.process} during {self.moment}"
            )
        if finish is not None:
            finish()

    def _wait_until_it_works(self):
        before = self._history.count()
        if not wait_for_records(self._history, before + RECORDS_MIN, PATIENCE_S):
            raise RuntimeError(f"no {RECORDS_MIN} records were acknowledged before the kill within "
                               f"{PATIENCE_S} s")

    def _pause(self, seconds_max):
        """Shorter after each miss: what is missed is mostly over too soon."""
        time.sleep(self._draw.random() * seconds_max / (1 + self.misses))

    def _kill(self):
        """Gives the number of the process that died."""
        victim = self._cluster.end(self.process)
        self._killed = (time.monotonic(), self._history.count())
        return victim

    def _stand_still(self):
        """What is there then is there when it dies. Gives the number of the process."""
        victim = self._cluster.wait_for(self.process)
        os.kill(victim, signal.SIGSTOP)
        wait_until(lambda: stands_still(victim), f"process {victim} does not stand still")
        return victim

    def _kill_what_stands_still(self, victim):
        if self._kill() != victim:
            raise RuntimeError(f"the {self.process} that was killed is not the one that was seen")

    def _until_hit(self, kill):
        """`kill` gives whether it came at its moment, and what has to come to its end after it. It
        may leave out a kill that would not."""
        endings = []
        while True:
            was_hit, ending = kill()
            endings.append(ending)
            if was_hit:
                return lambda: [each() for each in endings if each is not None]
            self.misses += 1
            if self.misses == TRIES_MAX:
                raise RuntimeError(f"of {TRIES_MAX} tries none came during {self.moment}")
            self._wait_until_it_works()

    # Each of these kills at its moment, and gives what has to come to its end after it.

    def _produce(self):
        self._pause(0.2)
        self._kill()

    def _recovery(self):
        return self._until_hit(self._kill_while_it_recovers)

    def _kill_while_it_recovers(self):
        """From the kill before."""
        tail = LogTail(self._cluster, self.process)
        first = self._kill()
        deadline = time.monotonic() + PATIENCE_S
        while not tail.recovery_began():
            if time.monotonic() > deadline:
                raise RuntimeError(f"the {self.process} does not begin to recover")
            time.sleep(0.001)
        self._pause(RECOVERY_S[self.process])
        second = self._kill()
        if first == second:
            raise RuntimeError(f"the {self.process} that was killed twice is one process")
        # The next one starts when all that this one said is in the log.
        self._cluster.wait_for(self.process, other_than=second)
        return not tail.recovery_ended(), None

    def _topic_creation(self):
        client = admin.AdminClient({"bootstrap.servers": self._bootstrap})
        return self._until_hit(lambda: self._kill_while_a_topic_is_made(client))

    def _kill_while_a_topic_is_made(self, client):
        """It was asked for, and there is no answer. Looked at before the kill: soon after it the
        client gives up."""
        self._connect(client)
        name = f"made-{self._number}-{self._draw.randrange(1 << 30)}"
        future = client.create_topics([admin.NewTopic(name, 20, 1)])[name]
        self._pause(0.02)
        victim = self._stand_still()
        is_hit = not future.done()
        if is_hit:
            self._kill_what_stands_still(victim)
        else:
            os.kill(victim, signal.SIGCONT)
        return is_hit, lambda: check_topic(client, name, future)

    @staticmethod
    def _connect(client):
        def is_connected():
            try:
                return client.list_topics(TOPIC, timeout=5)
            except confluent_kafka.KafkaException:
                return False
        wait_until(is_connected, "nobody can be asked for a topic")

    def _roll(self):
        known = self._files(TOPIC, ".log")
        self._kill_in_the_middle(lambda: self._rolls(known))

    def _clean(self):
        self._kill_in_the_middle(
            lambda: self._files(COMPACTED, ".cleaned") | self._files(COMPACTED, ".swap"))

    def _kill_in_the_middle(self, is_there):
        """It stands still for a look."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            while not is_there():
                if time.monotonic() > deadline:
                    raise RuntimeError(f"no kill came during {self.moment} within {PATIENCE_S} s")
                time.sleep(0.0005)
            self._pause(0.01)
            victim = self._stand_still()
            if is_there():
                break
            os.kill(victim, signal.SIGCONT)
            self.misses += 1
        self._kill_what_stands_still(victim)

    def _rolls(self, known):
        """Segments that are new, and what was known of the producers at their begin is not saved:
        the one before is not durable yet."""
        saved = self._files(TOPIC, ".snapshot")
        return {name for name in self._files(TOPIC, ".log") - known
                if name.replace(".log", ".snapshot") not in saved}

    def _files(self, topic, suffix):
        logs = self._cluster.directory / "data/broker-1/log"
        return {
            f"{partition}/{name}"
            for partition in range(PARTITIONS)
            for name in os.listdir(logs / f"{topic}-{partition}")
            if name.endswith(suffix)
        }

    def _group_join(self):
        return self._until_hit(self._kill_while_a_member_joins)

    def _kill_while_a_member_joins(self):
        """Its request is at the coordinator, and it has no assignment."""
        member = Committing(self._bootstrap, self._history)
        member.start()
        wait_until(lambda: (prometheus.value(self._cluster, "broker-1",
                                             "millrace_gateway_waiting_requests") or 0) > 0,
                   "no join waits at the coordinator")
        self._pause(JOIN_DELAY_MS / 2000)
        self._kill()
        return not member.is_assigned, member.finish

    def _commit(self):
        member = Committing(self._bootstrap, self._history)
        member.start()
        member.wait_for_commit()
        self._pause(1)
        self._kill()
        return member.finish


def stands_still(process):
    """With all its threads; those that the kernel works for it with are no matter."""
    for thread in pathlib.Path(f"/proc/{process}/task").iterdir():
        try:
            words = (thread / "stat").read_text(encoding="utf-8")
        except FileNotFoundError:
            continue  # it has just ended
        name, _, rest = words.partition("(")[2].rpartition(") ")
        if not name.startswith("iou-") and rest[0] != "T":
            return False
    return True


def check_topic(client, name, future):
    """A topic that was said to be made is there."""
    try:
        future.result(PATIENCE_S)
    except confluent_kafka.KafkaException:
        return  # it was refused, or nobody knows

    def is_there():
        try:
            return name in client.list_topics(name, timeout=5).topics
        except confluent_kafka.KafkaException:
            return False

    wait_until(is_there, f"topic {name} was made and is not there")


def address_of(cluster):
    return ",".join(f"{host}:{port}" for host, port in cluster.bootstrap)
