"""`${NAME}`: from the environment or the secrets file, after the YAML and the URL are parsed.

So a secret may hold any character: quotes, colons, `@`, `#`, `%`, spaces. `$${` is a literal `${`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from longwatch.base import secrets
from longwatch.config.problems import Wrong

_MAX_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TOKEN = re.compile(r"\$\$\{|\$\{([^}]*)\}")
_NEARLY = re.compile(r"(?:\$[({]?|\{)([A-Za-z_][A-Za-z0-9_]*)[)}]?|([A-Za-z_][A-Za-z0-9_]*)\}")
"""What a hand makes of `${NAME}`: `$NAME`, `$NAME}`, `$(NAME)`, `{NAME}`, `NAME}`."""
_LIKE_A_NAME = re.compile(r"[A-Z][A-Z0-9_]+")
_PARTS_OF_A_URL = re.compile(r"[/:?&=@]")
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?:(?P<login>[^/]*)@)?"
    r"(?P<host>\[[^\]/]*\]|(?:\$\{[^}]*\}|[^:/?#])*)"
    r"(?::(?P<port>(?:\$\{[^}]*\}|[^/?#])*))?"
    r"(?P<rest>[/?#].*)?",
    re.DOTALL,
)
_FORM = "write it as rtsp://user:${PASSWORD}@10.0.0.5/stream1, with the password in the secrets file"


Doubt = tuple[str, str]
"""What looks as if something else was meant, and what would be that."""


class Names:
    """What `${NAME}` stands for. The environment comes first, then the secrets file; None: it could not be read. lenient: a name that is
    not set stands for nothing. `lacked`: those that were asked for in vain.
    """

    def __init__(self, environ: Mapping[str, str], file: Mapping[str, str] | None, *, lenient: bool = False) -> None:
        self.lacked: list[str] = []
        self.lenient = lenient
        self._environ = environ
        self._file = file or {}
        self.remedy = "mend `secrets` first: that file could not be read" if file is None else ""

    def value(self, name: str) -> str:
        """Raises Wrong where the name is no name, or unknown."""
        if not _NAME.fullmatch(name):
            raise Wrong(f"${{{name}}} is not a name", "write ${NAME}, or $${ for a literal ${")
        found = self._environ.get(name, self._file.get(name))
        if found is None:
            self.lacked.append(name)
            if self.lenient:
                return ""
            raise self.not_set(name)
        return found

    def __contains__(self, name: object) -> bool:
        """Whether it is set."""
        return name in self._environ or name in self._file

    def lacking_in(self, raw: str) -> tuple[str, ...]:
        """The names in this text that are not set, each once."""
        named = [match[1] for match in _TOKEN.finditer(raw) if match[0] != "$${"]
        return tuple(dict.fromkeys(name for name in named if name not in self))

    def not_set(self, name: str) -> Wrong:
        """What is wrong, and what would be right."""
        return Wrong(f"${{{name}}} is not set", self.remedy or f"set {name} in the environment or in the secrets file")


def secrets_file(path: Path) -> dict[str, str]:
    """Read NAME=value lines; the value is everything after the first `=`, as it stands. Raises Wrong."""
    try:
        with os.fdopen(
            os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb"
        ) as file:  # a FIFO waits for nobody
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Wrong(f"{path} is not a file")
            if status.st_mode & 0o077:
                raise Wrong(
                    f"{path} can be read by others (mode {status.st_mode & 0o777:04o})", f"run: chmod 600 {path}"
                )
            raw = file.read(_MAX_BYTES + 1)
            if len(raw) > _MAX_BYTES:  # what is read in part would give a part of a password
                raise Wrong(f"{path} is larger than {_MAX_BYTES >> 20} MiB", "these are not secrets")
            text = raw.decode("utf-8")
    except OSError as error:
        raise Wrong(f"cannot read {path}: {error.strerror}", "create it with lines NAME=value, mode 0600") from None
    except UnicodeDecodeError:
        raise Wrong(f"{path} is not UTF-8") from None
    values = {}
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.removesuffix("\r")
        if not bare.strip() or bare.lstrip().startswith("#"):
            continue
        name, equals, value = bare.partition("=")
        if not equals or not _NAME.fullmatch(name.strip()):
            raise Wrong(f"line {number} of {path} is not NAME=value", "one NAME=value in each line")
        values[name.strip()] = value
        secrets.register(value)
    return values


def mistyped(raw: str, names: Names, *, whole: bool) -> Doubt | None:
    """Where a name was meant and is none, so that a camera or a broker would be sent it as it stands. whole: the text is one password; else one may stand between the marks of a URL.

    Raises Wrong where `${` is never closed, and where a known name stands in other marks. What only looks like a name is a doubt: it may be a password. Neither quotes anything but a
    known name.
    """
    rest = _TOKEN.sub("\0", raw)
    if "${" in rest:
        raise Wrong("`${` is never closed here", "write ${NAME}, or $${ for a literal ${")
    doubt = None
    for part in [rest] if whole else _PARTS_OF_A_URL.split(rest):
        nearly = _NEARLY.fullmatch(part.strip())
        if nearly is None:
            continue
        name = nearly[1] or nearly[2]
        if name in names:
            raise Wrong(
                f"this would be taken as it stands, and {name} is a name that is set",
                "a name is written ${NAME}; a password that is just like that goes into the secrets file",
            )
        if _LIKE_A_NAME.fullmatch(name):
            doubt = ("this looks like a name, and is taken as it stands", "a name is written ${NAME}; leave it where the password is just like that")  # fmt: skip
    return doubt


def text(raw: str, names: Names) -> str:
    """Expand an ordinary value."""
    return _TOKEN.sub(lambda m: "${" if m[0] == "$${" else names.value(m[1]), raw)


def plain(raw: str) -> str:
    """A text in which no password may stand: people read it. Raises Wrong where a name does."""
    for match in _TOKEN.finditer(raw):
        if match[0] != "$${":
            raise Wrong(
                f"{match[0]} stands for a password, and none may stand here",
                "names are taken in URLs and where a password is asked for; write $${ for a literal ${",
            )
    return raw.replace("$${", "${")


def way(raw: str, names: Names) -> str:
    """Expand the address of a channel: one name for all of it stands for it as it is; names within it as in `address`."""
    whole = _TOKEN.fullmatch(raw.strip())
    return text(raw.strip(), names) if whole is not None and whole[0] != "$${" else address(raw, names)


def address(raw: str, names: Names) -> str:
    """Expand the address of a machine: what comes from a name is percent-encoded, so that it may hold any character, and is a secret."""
    pieces, end = [], 0
    for match in _TOKEN.finditer(raw):
        pieces.append(raw[end : match.start()])
        if match[0] == "$${":
            pieces.append("$%7B")
        else:
            value = names.value(match[1])
            secrets.register(value)
            pieces.append(quote(value, safe=""))
        end = match.end()
    return "".join(pieces) + raw[end:]


def url(raw: str, names: Names, schemes: tuple[str, ...] = ("rtsp", "rtsps"), whose: str = "cameras") -> str:
    """Expand a URL part by part, and write it with its parts percent-encoded. Registers its password. whose: of what, for people.

    Raises Wrong, which never quotes the URL.
    """
    form = _FORM if "rtsp" in schemes else "write it as http://10.0.0.9/rpc/Switch.GetStatus?id=0"
    match = _URL.fullmatch(raw.strip())
    if match is None:
        raise Wrong("this is not a URL", form)
    if match["scheme"].lower() not in schemes:
        raise Wrong(f"the scheme {match['scheme']!r} is not taken", f"{whose} are {':// or '.join(schemes)}://")
    result = f"{match['scheme'].lower()}://"
    if match["login"] is not None:
        user, colon, password = match["login"].partition(":")
        user = _part(user, names)
        password = _part(password, names)
        secrets.register_login(user, password)
        result += quote(user, safe="") + (f":{quote(password, safe='')}" if colon else "") + "@"
    host = text(match["host"], names)
    if not re.fullmatch(r"\[[0-9A-Fa-f:.]+(%25[\w.-]+)?\]|[\w.-]+", host):
        raise Wrong("the host of this URL is missing or malformed", form)
    result += host
    if match["port"] is not None:
        port = text(match["port"], names)
        if not re.fullmatch(r"\d{1,5}", port) or not 0 < int(port) < 65536:
            raise Wrong("the port of this URL is no number from 1 to 65535", form)
        result += f":{port}"
    return result + _rest(match["rest"] or "", names)


def _part(raw: str, names: Names) -> str:
    """User or password: what was percent-encoded by hand is decoded, what comes from a name is taken as it is."""
    pieces = []
    end = 0
    for match in _TOKEN.finditer(raw):
        pieces += [unquote(raw[end : match.start()]), "${" if match[0] == "$${" else names.value(match[1])]
        end = match.end()
    return "".join(pieces) + unquote(raw[end:])


def _rest(raw: str, names: Names) -> str:
    pieces = []
    end = 0
    for match in _TOKEN.finditer(raw):
        pieces.append(raw[end : match.start()])
        if match[0] == "$${":
            pieces.append("$%7B")
        else:
            value = names.value(match[1])
            secrets.register(value)
            pieces.append(quote(value, safe=""))
        end = match.end()
    rest = "".join(pieces) + raw[end:]
    if re.search(r"[\x00-\x20\x7f]", rest):
        raise Wrong("the path of this URL holds a space or control character", "percent-encode it, as %20")
    if "#" in rest:
        raise Wrong("such a URL has no #fragment", "write # as %23")
    return rest
