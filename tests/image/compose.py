"""docker-compose.yml as an engine would read it: merged, with the defaults of its variables. It must never start anything."""

import os
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
_VARIABLE = re.compile(r"\$\{([A-Z_]+):-([^}]*)\}")


def load(path: pathlib.Path = ROOT / "docker-compose.yml") -> dict:
    return _resolved(yaml.safe_load(path.read_text()))


def _resolved(value):
    if isinstance(value, dict):
        return {key: _resolved(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner) for inner in value]
    if isinstance(value, str):
        text = _VARIABLE.sub(lambda found: os.environ.get(found[1]) or found[2], value)
        if "$" in text:
            raise ValueError(f"{value!r} has a variable without a default")
        return text
    return value


def order(services: dict) -> list[str]:
    """Each after those that it depends on; what has a profile is not started."""
    done: list[str] = []

    def visit(name: str, above: tuple = ()) -> None:
        if name in above:
            raise ValueError(f"{name} depends on itself")
        for other in services[name].get("depends_on", {}):
            visit(other, (*above, name))
        if name not in done:
            done.append(name)

    for name, service in services.items():
        if "profiles" not in service:
            visit(name)
    return done


def seconds(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(s|m)", text).groups()
    return int(number) * {"s": 1, "m": 60}[unit]
