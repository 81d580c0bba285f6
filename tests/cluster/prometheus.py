"""Reads the metrics of a cluster's processes, as strictly as the format is written down."""

import collections
import math
import re
import urllib.request

NAME = r"[a-zA-Z_][a-zA-Z0-9_]*"
SAMPLE = re.compile(rf'({NAME})(?:\{{((?:{NAME}="(?:[^"\\\n]|\\[\\"n])*",?)*)\}})? (\S+)')
LABEL = re.compile(rf'({NAME})="((?:[^"\\\n]|\\[\\"n])*)"')
TYPES = {"counter", "gauge", "histogram"}

Family = collections.namedtuple("Family", "type help samples")


class Wrong(AssertionError):
    """The text is not what a scraper has to understand."""


def port_of(cluster, process):
    """Of a process as it is called in the directory of the cluster: broker-1."""
    for line in (cluster.directory / "data/ports.properties").read_text().splitlines():
        name, _, port = line.partition("=")
        if name == f"{process}.metrics":
            return int(port)
    raise Wrong(f"{process} has no port for its metrics")


def scrape(cluster, process):
    """The families of metrics that the process shows, by their names."""
    address = f"http://127.0.0.1:{port_of(cluster, process)}/metrics"
    with urllib.request.urlopen(address, timeout=120) as answer:
        kind = answer.headers["Content-Type"]
        if not kind.startswith("text/plain; version=0.0.4"):
            raise Wrong(f"Content-Type: {kind}")
        return parsed(answer.read().decode())


def value(cluster, process, name, **labels):
    """Of one series; none while the process does not answer or has no such series."""
    try:
        family = scrape(cluster, process).get(name)
    except OSError:
        return None
    return family and family.samples.get((name, frozenset(labels.items())))


def family_of(name, families):
    """A histogram's series have endings of their own."""
    if name in families:
        return name
    for ending in ("_bucket", "_sum", "_count"):
        base = name.removesuffix(ending)
        if base != name and base in families and families[base].type == "histogram":
            return base
    raise Wrong(f"{name} comes without HELP and TYPE before it")


def parsed(text):
    """Raises Wrong where a line is none, comes twice or in the wrong place."""
    if not text.endswith("\n"):
        raise Wrong("the last line has no end")
    families, helps, current = {}, {}, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, _, words = line[7:].partition(" ")
            if name in helps or not words:
                raise Wrong(f"HELP comes twice or is empty: {line}")
            helps[name] = words
        elif line.startswith("# TYPE "):
            name, _, kind = line[7:].partition(" ")
            if name in families or name not in helps or kind not in TYPES:
                raise Wrong(f"TYPE comes twice, without HELP, or is unknown: {line}")
            current, families[name] = name, Family(kind, helps[name], {})
        else:
            take_sample(line, families, current)
    for name, family in families.items():
        if family.type == "histogram":
            check_histogram(name, family)
    if set(helps) != set(families):
        raise Wrong(f"HELP without TYPE: {set(helps) - set(families)}")
    return families


def take_sample(line, families, current):
    found = SAMPLE.fullmatch(line)
    if not found:
        raise Wrong(f"no sample: {line}")
    name, labels, number = found.groups()
    family = family_of(name, families)
    if family != current:
        raise Wrong(f"{name} does not stand with its family")
    pairs = LABEL.findall(labels or "")
    key = (name, frozenset(pairs))
    if key in families[family].samples or len(dict(pairs)) != len(pairs):
        raise Wrong(f"a series, or a label of it, comes twice: {line}")
    families[family].samples[key] = float(number)


def check_histogram(name, family):
    """Buckets grow up to +Inf, which is the count; a sum is there."""
    of_series = collections.defaultdict(dict)
    for (series, labels), number in family.samples.items():
        if series == f"{name}_bucket":
            rest = dict(labels)
            bound = float(rest.pop("le"))
            of_series[frozenset(rest.items())][bound] = number
    for labels, numbers in of_series.items():
        counts = [numbers[bound] for bound in sorted(numbers)]
        if counts != sorted(counts) or max(numbers) != math.inf:
            raise Wrong(f"buckets of {name} {set(labels)} do not grow up to +Inf")
        if family.samples.get((f"{name}_count", labels)) != counts[-1]:
            raise Wrong(f"the count of {name} {set(labels)} is not that of its buckets")
        if (f"{name}_sum", labels) not in family.samples:
            raise Wrong(f"{name} {set(labels)} has no sum")
