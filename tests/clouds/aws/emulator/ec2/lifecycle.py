"""StartInstances, StopInstances, TerminateInstances: who may go from which state to which. It owns those arrows.

It must never change one instance of a call when another one of the same call is refused.

"Amazon EC2 instance state changes" (AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html); errors-overview,
IncorrectInstanceState. Starting what runs and stopping what is stopped is a success without effect.
"""

from ..errors import AwsError, missing, no_capacity
from ..kms import usable
from . import find
from .instance import CODES, STOPPED_BY_USER, Instance
from .launch import check_vcpus
from .request import Request


def _named(request: Request, *also: str) -> list[Instance]:
    request.know_only("InstanceId", *also)
    ids = request.instance_ids()
    if not ids:
        raise missing("InstanceId")
    return find.instances(request, list(dict.fromkeys(ids)))


def _changes(changes: list[tuple[Instance, str]]) -> dict:
    return {
        "instancesSet": [
            {
                "instanceId": instance.id,
                "currentState": {"code": CODES[instance.state], "name": instance.state},
                "previousState": {"code": CODES[before], "name": before},
            }
            for instance, before in changes
        ]
    }


def start_instances(request: Request) -> dict:
    instances = _named(request)
    for instance in instances:
        if instance.state not in ("stopped", "pending", "running"):
            text = f"The instance '{instance.id}' is not in a state from which it can be started."
            raise AwsError("IncorrectInstanceState", text)
    starting = [instance for instance in instances if instance.state == "stopped"]
    # errors-overview, InsufficientInstanceCapacity: also when you "restart a stopped instance".
    check_vcpus(request, sum(instance.vcpus for instance in starting))
    for instance in starting:
        if request.world.out_of_capacity(request.region.name, instance.zone, instance.launch.machine):
            raise no_capacity(instance.launch.machine, instance.zone)
    before = [(instance, instance.state) for instance in instances]
    for instance in starting:
        instance.launched_at = request.now
        instance.begin("pending", request.now)
        fault = _key_fault(request, instance)
        instance.after(request.settle_at, instance.fail_start(fault) if fault else instance.become_running)
    return _changes(before)


def _key_fault(request: Request, instance: Instance) -> tuple[str, str] | None:
    """The keys are needed again at every start: "from the Pending state to Stopped", StateReason Client.InternalError
    (AWS re:Post, "kms-iam-ec2-permission"; KMS developer guide, "How unusable KMS keys affect data keys")."""
    for volume in instance.volumes():
        fault = usable.fault_of_volume(request.world, request.region, volume)
        if fault:
            return fault
    return None


def stop_instances(request: Request) -> dict:
    instances = _named(request, "Force", "Hibernate", "SkipOsShutdown")
    for instance in instances:
        if instance.state == "pending" and not instance.reached_running:
            # Seen on a real account: cloud-custodian pull request 6014 quotes this message.
            text = f"Instance '{instance.id}' cannot be stopped as it has never reached the 'running' state."
            raise AwsError("IncorrectInstanceState", text)
        if instance.state in ("shutting-down", "terminated"):
            text = f"This instance '{instance.id}' is not in a state from which it can be stopped."
            raise AwsError("IncorrectInstanceState", text)
    before = [(instance, instance.state) for instance in instances]
    for instance in instances:
        if instance.state in ("running", "pending"):
            instance.begin("stopping", request.now, STOPPED_BY_USER, "User initiated")
            instance.after(request.settle_at, instance.become_stopped)
    return _changes(before)


def terminate_instances(request: Request) -> dict:
    """API_TerminateInstances: "This operation is idempotent; if you terminate an instance more than once, each call
    succeeds". "If you specify multiple instances and the request fails [...] none of the instances are terminated"."""
    instances = _named(request, "Force", "SkipOsShutdown")
    before = [(instance, instance.state) for instance in instances]
    for instance in instances:
        if instance.state not in ("shutting-down", "terminated"):
            instance.begin("shutting-down", request.now, STOPPED_BY_USER, "User initiated")
            instance.after(request.settle_at, instance.become_terminated)
    return _changes(before)
