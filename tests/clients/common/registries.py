"""Whether the registries answer from which clients come: each is asked by its own package manager
for one thing that is small and always there. What was fetched before says nothing about that."""

import pathlib
import subprocess
import tempfile

PATIENCE_SECONDS = 60

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>millrace</groupId>
  <artifactId>asks</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencyManagement>
    <dependencies>
      <dependency>
        <groupId>org.junit</groupId>
        <artifactId>junit-bom</artifactId>
        <version>5.10.0</version>
        <type>pom</type>
        <scope>import</scope>
      </dependency>
    </dependencies>
  </dependencyManagement>
</project>
"""


def answers(*command, folder=None):
    """Whether the command succeeds. Where there is no such command, nobody is at fault but us."""
    try:
        subprocess.run([str(word) for word in command], cwd=folder, check=True,
                       timeout=PATIENCE_SECONDS, stdin=subprocess.DEVNULL)
    except subprocess.SubprocessError:
        return False
    except OSError as error:
        print(f"{command[0]} cannot be run: {error}", flush=True)
    return True


def maven():
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "pom.xml").write_text(POM, encoding="utf-8")
        return answers("mvn", "-q", "-B", "-f", folder, f"-Dmaven.repo.local={folder}/repository",
                       "validate")


def pip(program):
    return answers(program, "index", "versions", "six")


def npm():
    return answers("npm", "ping", "--fetch-retries=0")


def go():
    with tempfile.TemporaryDirectory() as folder:
        return answers("env", "GOTOOLCHAIN=local", "go", "list", "-m", "golang.org/x/sync@latest",
                       folder=folder)
