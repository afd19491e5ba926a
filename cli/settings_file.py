"""
Where settings come from, and what is wrong with them.

From weak to strong: the model's defaults, a profile (`configs/NAME.toml` or a
file), the home's `settings.toml`, the environment (`SWARM_NODE__WORKERS=2` is
`node.workers`), flags. Tables are merged key by key.

Law: nothing is ignored. A file that is not TOML, a key nobody knows and a value
out of bounds each end in one sentence that names the source, the key and the fix.
"""

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TypeAlias, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from swarm.settings import Settings

PROFILES = Path(__file__).parent.parent / "configs"
DEFAULT_PROFILE = "laptop"
PREFIX = "SWARM_"
OTHER_VARIABLES = frozenset({"SWARM_HOME", "SWARM_PROFILE", "SWARM_SEED"})
"""Variables of ours that are no settings."""

_MAX_FILE_BYTES = 1024 * 1024

Table: TypeAlias = dict[str, object]


class SettingsError(Exception):
    """A setting cannot be used; the message names where it stands and the fix."""


@dataclass(frozen=True, slots=True)
class Source:
    """Settings as found in one place; `label` names it, `variables` says how keys are spelled."""

    label: str
    table: Table
    variables: bool = False

    def name(self, keys: tuple[str, ...]) -> str:
        """How a person wrote this key here."""
        return PREFIX + "__".join(keys).upper() if self.variables else ".".join(keys)


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
    if wrong := [sentence for source in sources for sentence in _sentences(source)]:
        raise SettingsError("\n".join(wrong))
    merged: Table = {}
    for source in sources:
        _merge(merged, source.table)
    return Settings.model_validate(merged)


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
    return Source("the environment", table, variables=True)


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
    return Source("the command line", table)


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
        Settings.model_validate(source.table)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            keys = tuple(part for part in detail["loc"] if isinstance(part, str))
            yield f"{source.label}: {source.name(keys)}: {_complaint(detail, keys)}"


def _complaint(detail: ErrorDetails, keys: tuple[str, ...]) -> str:
    if detail["type"] == "extra_forbidden":
        known = _known(keys[:-1])
        close = get_close_matches(keys[-1], known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known are {_either(known)}"
        return f"no such setting; {hint}"
    message = detail["msg"]
    return f"{message[0].lower()}{message[1:]}, not {detail['input']!r:.80}"


def _known(keys: tuple[str, ...]) -> list[str]:
    """Keys of the table at `keys`."""
    model: object = Settings.model_validate({})
    for key in keys:
        model = getattr(model, key)
    return list(type(model).model_fields) if isinstance(model, BaseModel) else []


def _either(names: Iterable[str]) -> str:
    return ", ".join(names)
