"""Reads schema files (the format is described in ../schema/README.md) into a model of messages."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from versions import NONE, Versions

FIXED_BYTES = {
    "bool": 1,
    "int8": 1,
    "int16": 2,
    "uint16": 2,
    "int32": 4,
    "uint32": 4,
    "int64": 8,
    "float64": 8,
    "uuid": 16,
}
VARIABLE = {"string", "bytes", "records"}
KINDS = {"request", "response", "header", "data", "coordinator-key", "coordinator-value"}
CPP_KEYWORDS = {
    "operator",
    "default",
    "class",
    "new",
    "delete",
    "register",
    "export",
    "namespace",
    "template",
}


class SchemaError(Exception):
    pass


def snake_case(name: str) -> str:
    name = name.replace("KRaft", "Kraft")
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    return name + "_" if name in CPP_KEYWORDS else name


@dataclass
class Field:
    name: str
    type: str  # of one element, where it is an array
    is_array: bool
    versions: Versions
    nullable: Versions = NONE
    tag: int | None = None
    tagged: Versions = NONE
    default: str | None = None
    ignorable: bool = False
    map_key: bool = False
    never_flexible: bool = False
    entity: str | None = None
    struct: "Struct | None" = None
    place: str = ""

    @property
    def cpp_name(self) -> str:
        return snake_case(self.name)

    @property
    def is_fixed(self) -> bool:
        return not self.is_array and self.type in FIXED_BYTES

    @property
    def is_struct(self) -> bool:
        return self.struct is not None

    @property
    def by_pointer(self) -> bool:
        return self.is_struct and not self.is_array and not self.nullable.empty


@dataclass
class Struct:
    name: str
    versions: Versions
    fields: list[Field] = field(default_factory=list)

    @property
    def plain_fields(self) -> list[Field]:
        return [f for f in self.fields if f.tag is None]

    @property
    def tagged_fields(self) -> list[Field]:
        return sorted((f for f in self.fields if f.tag is not None), key=lambda f: f.tag or 0)


@dataclass
class Message:
    kind: str
    name: str
    versions: Versions
    flexible: Versions
    key: int | None
    latest_unstable: bool
    listeners: list[str]
    keeps_unknown_tags: bool
    top: Struct
    structs: list[Struct]  # inner before outer, without the top one

    @property
    def namespace(self) -> str:
        return snake_case(self.name)

    def bytes_min(self, struct: Struct) -> int:
        """The fewest bytes that a struct takes on the wire in any version in which it exists."""
        return min(self._bytes_min_in(struct, version) for version in struct.versions.all())

    def _bytes_min_in(self, struct: Struct, version: int) -> int:
        flexible = version in self.flexible
        total = 1 if flexible else 0
        for f in struct.plain_fields:
            if version not in f.versions:
                continue
            compact = flexible and not f.never_flexible
            if f.is_fixed:
                total += FIXED_BYTES[f.type]
            elif f.is_array or f.type in VARIABLE:
                fixed = 2 if f.type == "string" and not f.is_array else 4
                total += 1 if compact else fixed
            elif f.by_pointer:
                total += 1
            else:
                total += self._bytes_min_in(f.struct, version)
        return total


class _Parser:
    def __init__(self, path: Path):
        self.path = path
        self.lines = []
        for number, raw in enumerate(path.read_text().splitlines(), 1):
            line = raw.split("#", 1)[0].rstrip()
            if line:
                self.lines.append((number, line))
        self.next = 0
        self.common: dict[str, Struct] = {}
        self.structs: list[Struct] = []

    def fail(self, number: int, what: str) -> SchemaError:
        return SchemaError(f"{self.path}:{number}: {what}")

    def parse(self) -> Message:
        number, head = self.lines[0]
        self.next = 1
        words = head.split()
        if words[0] not in KINDS:
            raise self.fail(number, f"unknown kind of message '{words[0]}'")
        attributes = self.attributes(
            number,
            words[2:],
            {"key", "versions", "flexible", "latest", "listeners", "unknown_tags"},
        )
        valid = Versions.parse(attributes["versions"])
        while self.next < len(self.lines) and self.lines[self.next][1].startswith("struct "):
            number, line = self.lines[self.next]
            self.next += 1
            _, name, versions = line.split()
            struct = Struct(name, Versions.parse(versions).intersect(valid))
            self.common[name] = struct
            struct.fields = self.fields(1, struct.versions)
        top = Struct(words[1], valid)
        top.fields = self.fields(0, valid)
        if self.next != len(self.lines):
            raise self.fail(self.lines[self.next][0], "this indentation belongs to no struct")
        self.resolve_common(top)
        ordered: list[Struct] = []
        self.order(top, ordered)
        return Message(
            words[0],
            words[1],
            valid,
            Versions.parse(attributes["flexible"]).intersect(valid),
            int(attributes["key"]) if "key" in attributes else None,
            attributes.get("latest") == "unstable",
            attributes["listeners"].split(",") if "listeners" in attributes else [],
            attributes.get("unknown_tags") == "keep",
            top,
            ordered[:-1],
        )

    def attributes(self, number: int, words: list[str], known: set[str]) -> dict[str, str]:
        result = {}
        for word in words:
            name, _, value = word.partition("=")
            if name not in known:
                raise self.fail(
                    number, f"unknown attribute '{name}'; known are {', '.join(sorted(known))}"
                )
            result[name] = value
        return result

    def fields(self, depth: int, within: Versions) -> list[Field]:
        """The fields at this depth, without those that exist in no version around them."""
        result = []
        while self.next < len(self.lines):
            number, line = self.lines[self.next]
            indent = len(line) - len(line.lstrip())
            if line.startswith("struct ") or indent < depth * 2:
                break
            if indent != depth * 2:
                raise self.fail(
                    number, f"indented by {indent} spaces where {depth * 2} are expected"
                )
            self.next += 1
            f = self.one_field(number, line.split(), within)
            follows = self.lines[self.next][1] if self.next < len(self.lines) else ""
            if len(follows) - len(follows.lstrip()) > indent:
                f.struct = Struct(f.type, f.versions)
                f.struct.fields = self.fields(depth + 1, f.versions)
            if not f.versions.empty:
                result.append(f)
        return result

    def one_field(self, number: int, words: list[str], within: Versions) -> Field:
        if len(words) < 3:
            raise self.fail(number, "a field is `Name type versions [attributes]`")
        name, type_name, versions = words[:3]
        attributes = self.attributes(
            number,
            words[3:],
            {"nullable", "tag", "tagged", "default", "ignorable", "map_key", "flexible", "entity"},
        )
        exists = Versions.parse(versions).intersect(within)
        f = Field(
            name,
            type_name.removeprefix("[]"),
            type_name.startswith("[]"),
            exists,
            place=f"{self.path}:{number}",
        )
        f.nullable = Versions.parse(attributes.get("nullable", "none")).intersect(exists)
        if "tag" in attributes:
            f.tag = int(attributes["tag"])
            f.tagged = Versions.parse(attributes.get("tagged", versions)).intersect(exists)
            if f.tagged != exists:
                raise self.fail(
                    number, f"{name} is tagged in some of its versions only: not supported"
                )
        f.default = attributes.get("default")
        if f.default == '""':
            f.default = ""
        f.ignorable = "ignorable" in attributes
        f.map_key = "map_key" in attributes
        f.never_flexible = attributes.get("flexible") == "none"
        f.entity = attributes.get("entity")
        return f

    def resolve_common(self, top: Struct) -> None:
        for struct in [*self.common.values(), top]:
            self.resolve(struct)

    def resolve(self, struct: Struct) -> None:
        for f in struct.fields:
            if f.struct is not None:
                self.resolve(f.struct)
            elif f.type not in FIXED_BYTES and f.type not in VARIABLE:
                if f.type not in self.common:
                    raise SchemaError(f"{f.place}: unknown type {f.type}")
                f.struct = self.common[f.type]
            if f.by_pointer and f.nullable != f.versions:
                raise SchemaError(
                    f"{f.place}: {f.name} is nullable in some of its versions only: not supported"
                )

    def order(self, struct: Struct, ordered: list[Struct]) -> None:
        for f in struct.fields:
            if f.struct is not None and f.struct not in ordered:
                self.order(f.struct, ordered)
        if not any(struct is known for known in ordered):
            ordered.append(struct)


def read_message(path: Path) -> Message:
    return _Parser(path).parse()


def read_family(folder: Path) -> list[Message]:
    return [read_message(path) for path in sorted(folder.glob("*.schema"))]
