"""An EC2 request at the moment at which it is served. It owns reading parameters as EC2 types them.

It must never guess: a parameter that an action of ours does not know is refused, as EC2 does (UnknownParameter).
"""

import re

from ..call import Call
from ..errors import AwsError, bad_value, missing
from ..world import Region, World

_ID = re.compile(r"^(i|vol|snap)-[0-9a-f]{8}(?:[0-9a-f]{9})?$")


class Request:
    def __init__(self, world: World, region: Region, call: Call, now: float):
        self.world = world
        self.region = region
        self.call = call
        self.params = call.params
        self.now = now

    @property
    def settle_at(self) -> float:
        """When a change of state that begins now is over."""
        return self.now + self.world.settings.settle

    @property
    def age(self) -> float:
        """How old a listing's picture is: 0, unless the test has made listings stale, all of them or this one."""
        return self.call.lie.age(self.world.settings.stale)

    def refuse_dry_run(self) -> None:
        """Every action's DryRun: with permission, the error is DryRunOperation. The SDKs see status 412."""
        if self.flag("DryRun"):
            raise AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)

    def know_only(self, *names: str) -> None:
        """errors-overview, UnknownParameter: "An unknown or unrecognized parameter was supplied"."""
        for name in self.params:
            if name not in names and name != "DryRun":
                raise AwsError("UnknownParameter", f"The parameter {name} is not recognized")

    def text(self, name: str, default: str | None = None) -> str | None:
        return self.params.get(name, default)

    def needed(self, name: str) -> str:
        value = self.params.get(name)
        if not value:
            raise missing(name[0].lower() + name[1:])
        return value

    def flag(self, name: str) -> bool:
        return truth(self.params.get(name, "false"), name)

    def number(self, name: str, default: int | None = None) -> int | None:
        return whole(self.params.get(name), name, default)

    def items(self, name: str) -> list:
        found = self.params.get(name, [])
        if not isinstance(found, list):
            raise bad_value(f"Value for parameter {name} is invalid.")
        return found

    def instance_ids(self) -> list[str]:
        return [instance_id(each) for each in self.items("InstanceId")]


def truth(value, name: str) -> bool:
    if value not in ("true", "false"):
        raise bad_value(f"Invalid value '{value}' for {name}: true or false is expected.")
    return value == "true"


def whole(value, name: str, default: int | None = None) -> int | None:
    if value is None:
        return default
    try:
        return int(value)
    except (TypeError, ValueError):
        raise bad_value(f"Invalid value '{value}' for {name}: a whole number is expected.") from None


def instance_id(given: str) -> str:
    """errors-overview, InvalidInstanceID.Malformed."""
    if not _ID.match(given) or not given.startswith("i-"):
        raise AwsError("InvalidInstanceID.Malformed", f'Invalid id: "{given}"')
    return given


def snapshot_id(given: str) -> str:
    """errors-overview, InvalidSnapshotID.Malformed: "The snapshot ID is not valid"."""
    if not _ID.match(given) or not given.startswith("snap-"):
        raise AwsError("InvalidSnapshotID.Malformed", f"Value ({given}) for parameter snapshotId is invalid.")
    return given


def volume_id(given: str) -> str:
    """errors-overview, InvalidParameterValue: volume ids have no code of their own for this."""
    if not _ID.match(given) or not given.startswith("vol-"):
        raise bad_value(f"Value ({given}) for parameter volumeId is invalid. Expected: 'vol-...'.")
    return given
