"""The Dockerfile and .dockerignore as data: stages with their steps, and which files are sent to an engine.

It must never run anything. `python tests/image/dockerfile.py` prints the stages as JSON, for tests in other languages.
"""

import fnmatch
import json
import pathlib
import re
import shlex
import sys

from dockerfile_parse import DockerfileParser

ROOT = pathlib.Path(__file__).resolve().parents[2]


def stages(path: pathlib.Path = ROOT / "Dockerfile") -> dict:
    """name -> {"base", "steps": [{"word", "value"}]}, in the order of the file."""
    with path.open("rb") as file:
        found: dict = {}
        for step in DockerfileParser(fileobj=_readable(file)).structure:
            if step["instruction"] == "COMMENT":
                continue
            if step["instruction"] == "FROM":
                base, _, name = step["value"].split()
                found[name] = {"base": base, "steps": []}
            else:
                list(found.values())[-1]["steps"].append({"word": step["instruction"], "value": step["value"]})
    return found


def _readable(file):
    import io

    return io.BytesIO(file.read())  # the parser wants something that it could also write


def flags(value: str) -> tuple[dict, str]:
    """The `--name=value` in front of a step's own words, and those words."""
    found: dict = {}
    while match := re.match(r"--([a-z]+)=(\S+)\s+", value):
        found.setdefault(match[1], []).append(match[2])
        value = value[match.end() :]
    return found, value


def last(stage: dict, word: str, default=None):
    values = [step["value"] for step in stage["steps"] if step["word"] == word]
    return values[-1] if values else default


def words(stage: dict, word: str) -> list:
    """The list of an instruction in exec form; a shell's form is refused: a signal would end at the shell."""
    value = last(stage, word, "[]")
    return json.loads(value[value.index("[") :])


def environment(stage: dict) -> dict:
    pairs = [pair for step in stage["steps"] if step["word"] == "ENV" for pair in shlex.split(step["value"])]
    return dict(pair.split("=", 1) for pair in pairs)


def sent(files: list[str], ignore: str) -> list[str]:
    """Those of the files that .dockerignore lets through: the last pattern that matches a file, or a folder of it, decides."""
    lines = [line.strip() for line in ignore.splitlines()]
    rules = [(line.startswith("!"), line.lstrip("!").strip("/")) for line in lines if line and not line.startswith("#")]
    return [file for file in files if _passes(file, rules)]


def _passes(file: str, rules: list) -> bool:
    parts = file.split("/")
    places = [parts[: length + 1] for length in range(len(parts))]
    passes = True
    for lets_through, pattern in rules:
        if any(_matches(place, pattern.split("/")) for place in places):
            passes = lets_through
    return passes


def _matches(place: list, pattern: list) -> bool:
    if not pattern:
        return not place
    if pattern[0] == "**":
        return any(_matches(place[skip:], pattern[1:]) for skip in range(len(place) + 1))
    return bool(place) and fnmatch.fnmatchcase(place[0], pattern[0]) and _matches(place[1:], pattern[1:])


if __name__ == "__main__":
    found = stages()
    json.dump(found, sys.stdout)
