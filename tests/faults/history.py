"""What clients were told, and whether the log agrees."""

import collections
import threading

Acknowledged = collections.namedtuple("Acknowledged", "topic partition offset value")


class History:
    """Everything that was acknowledged. Any thread may add to it."""

    def __init__(self):
        self._lock = threading.Lock()
        self._acknowledged = []
        self._commits = {}
        self._confirmed = 0

    def acknowledged(self, topic, partition, offset, value):
        with self._lock:
            self._acknowledged.append(Acknowledged(topic, partition, offset, value))

    def committed(self, group, topic, partition, offset):
        with self._lock:
            key = (group, topic, partition)
            self._commits[key] = max(offset, self._commits.get(key, -1))
            self._confirmed += 1

    def count(self):
        with self._lock:
            return len(self._acknowledged)

    def confirmed(self):
        """How many commits were."""
        with self._lock:
            return self._confirmed

    def commits(self):
        """The highest of each partition."""
        with self._lock:
            return dict(self._commits)

    def check_records(self, found):
        """`found` maps (topic, partition) to {offset: value}.

        Gives what is wrong, as Jepsen names it.
        """
        problems = []
        with self._lock:
            acknowledged = list(self._acknowledged)
        for record in acknowledged:
            log = found.get((record.topic, record.partition), {})
            there = log.get(record.offset)
            where = f"{record.topic}-{record.partition}@{record.offset}"
            if there is None:
                problems.append(f"lost-write: {where} {record.value!r}")
            elif there != record.value:
                problems.append(f"inconsistent-offsets: {where} {record.value!r}, found {there!r}")
        times = collections.Counter(value for log in found.values() for value in log.values())
        for value, count in times.items():
            if count > 1:
                problems.append(f"duplicate: {value!r} is there {count} times")
        return problems

    def check_commits(self, read_back):
        """`read_back` maps (group, topic, partition) to an offset."""
        problems = []
        for key, offset in self.commits().items():
            if read_back.get(key, -1) < offset:
                problems.append(f"lost-commit: {key} {offset}, read {read_back.get(key)}")
        return problems
