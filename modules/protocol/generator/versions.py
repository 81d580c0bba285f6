"""Sets of message versions. Kafka writes them as `3`, `3-7`, `3+` or `none`; all are one run of
numbers."""

from typing import NamedTuple

HIGHEST = 32767


class Versions(NamedTuple):
    low: int
    high: int

    @staticmethod
    def parse(text: str) -> "Versions":
        if text == "none":
            return NONE
        if text.endswith("+"):
            return Versions(int(text[:-1]), HIGHEST)
        low, _, high = text.partition("-")
        return Versions(int(low), int(high or low))

    @property
    def empty(self) -> bool:
        return self.low > self.high

    def intersect(self, other: "Versions") -> "Versions":
        both = Versions(max(self.low, other.low), min(self.high, other.high))
        return NONE if both.empty else both

    def contains(self, other: "Versions") -> bool:
        return other.empty or (self.low <= other.low and other.high <= self.high)

    def __contains__(self, version: object) -> bool:
        return isinstance(version, int) and self.low <= version <= self.high

    def all(self) -> range:
        return range(self.low, self.high + 1)

    def condition(self, given: "Versions") -> str:
        """The C++ test that `version`, known to be within `given`, is within this set."""
        tests = []
        if self.low == self.high and given.low < self.low and given.high > self.high:
            return f"version == {self.low}"
        if self.low > given.low:
            tests.append(f"version >= {self.low}")
        if self.high < given.high:
            tests.append(f"version <= {self.high}")
        return " && ".join(tests)


NONE = Versions(1, 0)
