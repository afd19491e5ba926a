"""
Where settings come from, and what is wrong with them.

From weak to strong: the model's defaults, `configs/public.toml` while the topic is
public, a profile (`configs/NAME.toml` or a file), the home's `settings.toml`, the
environment (`SWARM_NODE__WORKERS=2` is `node.workers`), flags. Tables are merged key
by key.

Law: nothing is ignored. A file that is not TOML, a key nobody knows and a value
out of bounds each end in one sentence that names the source, the key and the fix.
"""

import json
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

from pydantic import BaseModel, ValidationError

from cli.settings_words import Keys, complaint, unknown
from gossip import dnsaddr
from gossip.multiaddress import EXAMPLE, AddressError, parse
from swarm.settings import Settings
from swarm.topic import PUBLIC

PROFILES = Path(__file__).parent.parent / "configs"
DEFAULT_PROFILE = "laptop"
PUBLIC_TOPIC = PROFILES / "public.toml"
PREFIX = "SWARM_"
OTHER_VARIABLES = frozenset({"SWARM_HOME", "SWARM_PROFILE", "SWARM_SEED"})
"""Variables of ours that are no settings."""

_FLAGS = {"listen_addrs": "listen"}
"""Flags whose name is not the last part of their key."""

_DIALLED = ("join", "bootstrap_peers")
"""Addresses that must say who is expected there."""

_MAX_FILE_BYTES = 1024 * 1024

Table: TypeAlias = dict[str, object]


class SettingsError(Exception):
    """A setting cannot be used; the message names where it stands and the fix."""


@dataclass(frozen=True, slots=True)
class Source:
    """Settings as found in one place; `label` names it, `name` says how a key is spelled there."""

    label: str
    table: Table
    name: Callable[[Keys], str] = ".".join


def load_settings(
    *,
    home_file: Path,
    profile: str | None,
    environment: Mapping[str, str],
    flags: Mapping[str, object],
) -> Settings:
    """
    The settings that hold, from all sources.

    Args:
        home_file: The home's `settings.toml`; need not exist.
        profile: A name in `configs/` or the path of a TOML file; None for the
            one in `SWARM_PROFILE`, else `laptop`.
        environment: Usually `os.environ`.
        flags: Values by dotted key (`"node.workers"`); None means not given.

    Raises:
        SettingsError: Naming the file or variable, the key, and the fix.
    """
    chosen = profile or environment.get("SWARM_PROFILE") or DEFAULT_PROFILE
    sources = [_profile(chosen)]
    if home_file.exists():
        sources.append(_file(home_file))
    sources += [_environment(environment), _flags(flags)]
    if _merged(sources).get("topic", PUBLIC) == PUBLIC:
        sources.insert(0, _file(PUBLIC_TOPIC))
    if wrong := [sentence for source in sources for sentence in _sentences(source)]:
        raise SettingsError("\n".join(wrong))
    return Settings.model_validate(_merged(sources))


def _merged(sources: Iterable[Source]) -> Table:
    """All tables in one, the later the stronger."""
    merged: Table = {}
    for source in sources:
        _merge(merged, source.table)
    return merged


def profiles() -> dict[str, Path]:
    """The profiles that come with the program, by name."""
    return {path.stem: path for path in sorted(PROFILES.glob("*.toml"))}


def _profile(chosen: str) -> Source:
    known = profiles()
    if chosen in known:
        return _file(known[chosen])
    path = Path(chosen).expanduser()
    if path.suffix == ".toml" and path.is_file():
        return _file(path)
    raise SettingsError(
        f"profile {chosen!r} is not known: use {_either(known)}, or the path of a .toml file"
    )


def _file(path: Path) -> Source:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
        if len(content) > _MAX_FILE_BYTES:
            raise SettingsError(f"{path}: larger than 1 MiB, so no settings file; remove it")
        return Source(str(path), tomllib.loads(content.decode()))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); check its mode") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8 text; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not TOML: {error}; see {PROFILES / 'laptop.toml'}") from error


def _environment(environment: Mapping[str, str]) -> Source:
    table: Table = {}
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in OTHER_VARIABLES:
            keys = tuple(name.removeprefix(PREFIX).lower().split("__"))
            _put(table, keys, _environment_value(keys, environment[name]))
    return Source("the environment", table, _variable)


def _variable(keys: Keys) -> str:
    return PREFIX + "__".join(keys).upper()


def _environment_value(keys: tuple[str, ...], text: str) -> object:
    """Lists are JSON, or parted by commas; all else is read by the model."""
    if not isinstance(_default(keys), tuple):
        return text
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return [part.strip() for part in text.split(",") if part.strip()]


def _flags(flags: Mapping[str, object]) -> Source:
    table: Table = {}
    for key, value in flags.items():
        if value is not None and value != ():
            _put(table, tuple(key.split(".")), value)
    return Source("the command line", table, _flag)


def _flag(keys: Keys) -> str:
    return f"--{_FLAGS.get(keys[-1], keys[-1])}"


def _default(keys: tuple[str, ...]) -> object:
    value: object = Settings.model_validate({})
    for key in keys:
        value = getattr(value, key, None)
    return value


def _as_table(value: object) -> Table | None:
    return cast("Table", value) if isinstance(value, dict) else None


def _put(table: Table, keys: tuple[str, ...], value: object) -> None:
    for key in keys[:-1]:
        inner = _as_table(table.setdefault(key, {}))
        if inner is None:
            return
        table = inner
    table[keys[-1]] = value


def _merge(into: Table, table: Table) -> None:
    for key, value in table.items():
        inner = _as_table(value)
        if inner is None:
            into[key] = value
            continue
        mine = _as_table(into.get(key))
        into[key] = mine = {} if mine is None else mine
        _merge(mine, inner)


def _sentences(source: Source) -> Iterator[str]:
    """What is wrong in one source alone; every setting has a default, so that can be told."""
    try:
        settings = Settings.model_validate(source.table)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            keys = tuple(part for part in detail["loc"] if isinstance(part, str))
            stranger = detail["type"] == "extra_forbidden"
            words = _unknown(source, keys) if stranger else complaint(detail, keys)
            yield f"{source.label}: {source.name(keys)}: {words}"
        return
    for key in ("listen_addrs", *_DIALLED):
        for address in getattr(settings.network, key):
            if wrong := _address_fault(address, dialled=key in _DIALLED):
                yield f"{source.label}: {source.name(('network', key))}: {wrong}"


def _address_fault(address: str, *, dialled: bool) -> str | None:
    """Why nobody can be reached at an address; None where somebody may be."""
    try:
        if address.startswith(dnsaddr.PREFIX) and dialled:
            dnsaddr.read_dnsaddr(address)
        elif parse(address).peer is None and dialled:
            return f"{address!r} does not say who is there; add /p2p/ and the peer id: {EXAMPLE}"
    except AddressError as error:
        return str(error)
    return None


def _unknown(source: Source, keys: Keys) -> str:
    known = [source.name(path) for path in _paths(source, Settings.model_validate({}))]
    return unknown(source.name(keys), known)


def _paths(source: Source, model: BaseModel, above: Keys = ()) -> Iterator[Keys]:
    """The keys of all that can be set in a place; in a file, tables too."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        if not isinstance(value, BaseModel):
            yield (*above, name)
            continue
        if source.name is not _variable:
            yield (*above, name)
        yield from _paths(source, value, (*above, name))


def _either(names: Iterable[str]) -> str:
    return ", ".join(names)
