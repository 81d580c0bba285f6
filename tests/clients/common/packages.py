"""Installs what the tests of clients need from package registries, below build/clients.

    python3 packages.py [NAME...]      # java, python, kafkajs, franz-go, sarama; without: all

It ends with 75 if something is missing only because a registry does not answer, with 1 if one does
and what it has cannot be installed or built.

Each function installs once and gives what its callers need; tests that run side by side wait for
each other. A changed list of packages or source installs again.
"""

import collections
import contextlib
import fcntl
import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import registries

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "cluster"))
import ports  # noqa: E402  (its folder had to be named first)

CLIENTS = pathlib.Path(__file__).resolve().parents[1]
PLACE = CLIENTS.parents[1] / "build" / "clients"
INSTALL_SECONDS_MAX = 540
UNREACHABLE = 75  # an exit status; .ci/run knows it

# The first compiler alone: short programs spend their time in compiling otherwise. What the machine
# itself has to say would come among what programs print.
JAVA_FLAGS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xlog:disable",
              "-Xlog:all=error:stderr",
              f"-Dlog4j2.configurationFile={CLIENTS / 'java' / 'log4j2.properties'}")

Client = collections.namedtuple("Client", "install registry_answers")


def run(*command, folder=None):
    subprocess.run([str(word) for word in command], cwd=folder, check=True,
                   timeout=INSTALL_SECONDS_MAX, stdin=subprocess.DEVNULL)


@contextlib.contextmanager
def installing(name, sources):
    """Gives whether there is something to do. What fails halfway is done again the next time."""
    PLACE.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes())
    done = PLACE / f"{name}.installed"
    with open(PLACE / f"{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        due = not done.exists() or done.read_text(encoding="ascii") != digest.hexdigest()
        if due:
            done.unlink(missing_ok=True)
        yield due
        if due:
            done.write_text(digest.hexdigest(), encoding="ascii")


def java_classpath():
    """Apache Kafka with its tools, and our programs."""
    folder = CLIENTS / "java"
    place = PLACE / "java"
    with installing("java", [folder / "pom.xml", *sorted(folder.rglob("*.java"))]) as due:
        if due:
            run("mvn", "-q", "-B", "-f", folder, "compile", "dependency:build-classpath")
            run("jar", "--create", "--file", place / "programs.jar", "-C", place / "classes", ".")
            archive_classes(place)
    return classpath_in(place)


def classpath_in(place):
    return f"{place / 'programs.jar'}:{(place / 'classpath').read_text(encoding='utf-8').strip()}"


def archive_classes(place):
    """With it Java programs start in half the time. One that cannot use it starts as ever."""
    archive = place / "classes.jsa"
    archive.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        run("java", "-Xmx512m", *JAVA_FLAGS, f"-XX:ArchiveClassesAtExit={archive}", "-cp",
            classpath_in(place), "millrace.clients.Main", "rehearsal", folder, ports.free_port(),
            ports.free_port())


def java(main_class, memory_mb=256):
    """The command that runs a class of ours or of Apache Kafka."""
    return ["java", f"-Xmx{memory_mb}m", *JAVA_FLAGS,
            f"-XX:SharedArchiveFile={PLACE / 'java' / 'classes.jsa'}",
            "-cp", java_classpath(), main_class]


def python():
    """The Python of an environment that holds the newest clients."""
    place = PLACE / "python"
    wanted = CLIENTS / "python" / "requirements.txt"
    with installing("python", [wanted]) as due:
        if due:
            shutil.rmtree(place, ignore_errors=True)
            run(sys.executable, "-m", "venv", place)
            run(place / "bin" / "pip", "install", "-q", "-r", wanted)
    return place / "bin" / "python"


def node(folder):
    """The folder with a copy of the program and its packages."""
    place = PLACE / folder
    sources = sorted(path for path in (CLIENTS / folder).iterdir()
                     if path.suffix in (".js", ".json"))
    with installing(folder, sources) as due:
        if due:
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            for source in sources:
                shutil.copy(source, place)
            run("npm", "install", "--silent", "--no-package-lock", "--no-audit", "--no-fund",
                folder=place)
    return place


def go(folder):
    """The program that is built from the folder, with the newest client that this Go can build."""
    place = PLACE / folder
    source = CLIENTS / folder
    sources = sorted(path for path in source.iterdir() if path.suffix in (".go", ".mod", ".sum"))
    with installing(folder, sources) as due:
        if due:
            modules = "go.mod" if go_version() >= version_in(source / "go.mod") else "go-1.23.mod"
            run("env", "GOTOOLCHAIN=local", "go", "build", f"-modfile={modules}", "-o", place, ".",
                folder=source)
    return place


def go_version():
    """Of the Go that is installed: modules are not asked for another."""
    said = subprocess.run(["env", "GOTOOLCHAIN=local", "go", "env", "GOVERSION"], cwd=PLACE,
                          capture_output=True, text=True, check=True)
    return numbers(said.stdout.removeprefix("go"))


def version_in(modules):
    lines = modules.read_text(encoding="utf-8").splitlines()
    return numbers(next(line for line in lines if line.startswith("go ")).removeprefix("go "))


def numbers(version):
    return [int(number) for number in re.findall(r"\d+", version)]


ALL = {
    "java": Client(java_classpath, registries.maven),
    "python": Client(python, lambda: registries.pip(PLACE / "python" / "bin" / "pip")),
    "kafkajs": Client(lambda: node("kafkajs"), registries.npm),
    "franz-go": Client(lambda: go("franz-go"), registries.go),
    "sarama": Client(lambda: go("sarama"), registries.go),
}


def main(names):
    unknown = [name for name in names if name not in ALL]
    if unknown:
        sys.exit(f"no such client: {', '.join(unknown)}; there are {', '.join(ALL)}")
    broken = unreachable = False
    for name in names or ALL:
        print(f"== {name}", flush=True)
        try:
            ALL[name].install()
        except (subprocess.SubprocessError, OSError) as error:
            print(f"{name} cannot be installed: {error}", file=sys.stderr, flush=True)
            if ALL[name].registry_answers():
                broken = True
            else:
                unreachable = True
                print(f"the registry of {name} does not answer", file=sys.stderr, flush=True)
    if broken:
        sys.exit(1)
    if unreachable:
        sys.exit(UNREACHABLE)


if __name__ == "__main__":
    main(sys.argv[1:])
