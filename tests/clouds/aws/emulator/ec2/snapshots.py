"""CreateSnapshot, DescribeSnapshots, DeleteSnapshot. It owns what may be done to a snapshot, and who is shown which.

It must never show what nobody here has made: the snapshots behind the images are AWS's own and not listed.

API_CreateSnapshot: "You can take a snapshot of an attached volume that is in use". Not checked, for want of a source:
whether the key of an encrypted volume is usable. Assumed, for the same reason: a pending snapshot can be deleted.
"""

from .. import images, render
from ..errors import AwsError
from ..world import ACCOUNT
from . import filters, find, tags
from .request import Request, snapshot_id
from .snapshot import PROGRESS, Snapshot

_FILTERS = {
    "snapshot-id": lambda snapshot, s: (snapshot.id,),
    "volume-id": lambda snapshot, s: (snapshot.volume_id,),
    "volume-size": lambda snapshot, s: (str(snapshot.disk.size),),
    "status": lambda snapshot, s: (s,),
    "progress": lambda snapshot, s: (PROGRESS[s],),
    "encrypted": lambda snapshot, s: ("true" if snapshot.disk.encrypted else "false",),
    "description": lambda snapshot, s: (snapshot.description,),
    "start-time": lambda snapshot, s: (render.stamp(snapshot.born),),
    "owner-id": lambda snapshot, s: (ACCOUNT,),
    "owner-alias": lambda snapshot, s: (),
    "storage-tier": lambda snapshot, s: ("standard",),
}


def create_snapshot(request: Request) -> dict:
    request.know_only("VolumeId", "Description", "TagSpecification")
    volume = find.volume(request, request.needed("VolumeId"))
    if volume.status not in ("available", "in-use"):
        raise AwsError("IncorrectState", f"Volume '{volume.id}' is in the '{volume.status}' state.")
    wanted = tags.of_creation(request, "snapshot")["snapshot"]
    number = request.world.next_number()
    snapshot = Snapshot(volume, request.text("Description", ""), wanted, number, request.now)
    request.region.snapshots[snapshot.id] = snapshot
    snapshot.after(request.settle_at, snapshot.become_completed)
    return snapshot.described(snapshot.shown)


def delete_snapshot(request: Request) -> dict:
    """API_DeleteSnapshot: "You cannot delete a snapshot of the root device of an EBS volume used by a registered AMI":
    InvalidSnapshot.InUse (errors-overview). What is deleted is not shown from then on: there is no state for it."""
    request.know_only("SnapshotId")
    wanted = snapshot_id(request.needed("SnapshotId"))
    for architecture, image in images.images(request.region.name).items():
        if wanted == images.snapshot_id(request.region.name, architecture):
            raise AwsError("InvalidSnapshot.InUse", f"The snapshot {wanted} is currently in use by {image}")
    find.snapshot(request, wanted).become_gone(request.now)
    return {"return": True}


def describe_snapshots(request: Request) -> dict:
    request.know_only("SnapshotId", "Owner", "RestorableBy", "Filter", "MaxResults", "NextToken")
    ids = [snapshot_id(each) for each in dict.fromkeys(request.items("SnapshotId"))]
    tests = filters.parse(request, _FILTERS)
    rows = _listed(request, ids) if _ours_are_wanted(request) else []
    found = [each for each in rows if all(test(*each) for test in tests)]
    shown, after = filters.page(request, found, bool(ids))
    return {"snapshotSet": [snapshot.described(state) for snapshot, state in shown], "nextToken": after}


def _ours_are_wanted(request: Request) -> bool:
    """API_DescribeSnapshots, OwnerIds ("a combination of AWS account IDs, self, and amazon") and RestorableByUserIds:
    each, when given, narrows the answer. Nothing of ours is shared with anybody."""
    return all(
        not request.items(name) or any(who in ("self", ACCOUNT) for who in request.items(name))
        for name in ("Owner", "RestorableBy")
    )


def _listed(request: Request, ids: list[str]) -> list[tuple[Snapshot, str]]:
    if ids:
        found = [find.snapshot(request, each) for each in ids]
        return [(each, each.shown) for each in sorted(found, key=lambda snapshot: snapshot.number)]
    return [each for each in find.listed(request, request.region.snapshots) if each[1] != "gone"]
