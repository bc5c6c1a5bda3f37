"""Settings of an emulator: values that a test can turn, each with a default and a kind. It owns the checks of them.

It must never hold state of a cloud: a reset puts them back to what the process was started with.
"""


class Settings:
    """The values in force. Assign with `change`, which refuses what it does not know."""

    def __init__(self, known: dict, start: dict | None = None):
        self._known = known
        self._start = dict(start or {})
        self.restore()

    def restore(self) -> None:
        for name, (default, _) in self._known.items():
            setattr(self, name, default)
        self.change(self._start)

    def change(self, wanted: dict) -> None:
        """All or nothing: ValueError names the first value that is wrong."""
        checked = {name: _checked(self._known, name, value) for name, value in wanted.items()}
        for name, value in checked.items():
            setattr(self, name, value)

    def show(self) -> dict:
        return {name: getattr(self, name) for name in self._known}


def _checked(known: dict, name: str, value):
    if name not in known:
        raise ValueError(f"no setting is called {name!r}; known: {', '.join(known)}")
    default, kind = known[name]
    if isinstance(kind, tuple):
        if value not in kind:
            raise ValueError(f"{name} is one of {', '.join(kind)}, not {value!r}")
        return value
    if kind == "flag":
        if not isinstance(value, bool):
            raise ValueError(f"{name} takes true or false, not {value!r}")
        return value
    if value is None and default is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise ValueError(f"{name} takes a number of {kind} from 0, not {value!r}")
    if kind == "count":
        if value != int(value) or (name == "page_size" and value < 1):
            raise ValueError(f"{name} takes a whole number, not {value!r}")
        return int(value)
    return float(value)
