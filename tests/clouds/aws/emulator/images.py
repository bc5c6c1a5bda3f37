"""The images that exist: one of x86_64 and one of arm64 in each region, and the SSM parameters that name them.

It must never be asked to make another. Ids differ between regions, as they do on EC2: an AMI belongs to its region.
"""

import hashlib

from .errors import AwsError

ARCHITECTURES = ("x86_64", "arm64")
ROOT_DEVICE = "/dev/xvda"
ROOT_SIZE_GIB = 8
_MARK = {"x86_64": "8664", "arm64": "a064"}
# The public parameters of Amazon Linux 2023, "Reference the latest AMIs using Systems Manager public parameters"
# (AWSEC2/latest/UserGuide/finding-an-ami-parameter-store.html).
_PARAMETER = "/aws/service/ami-amazon-linux-latest/al2023-ami-{flavour}-{architecture}"
_FLAVOURS = ("kernel-default", "minimal-kernel-default", "kernel-6.1")


def image_id(region: str, architecture: str) -> str:
    digest = hashlib.sha1(region.encode()).hexdigest()
    return f"ami-0{_MARK[architecture]}{digest[:12]}"


def snapshot_id(region: str, architecture: str) -> str:
    return "snap" + image_id(region, architecture)[3:]


def images(region: str) -> dict[str, str]:
    """Architecture to image id."""
    return {architecture: image_id(region, architecture) for architecture in ARCHITECTURES}


def parameters(region: str) -> dict[str, str]:
    """SSM parameter name to image id."""
    return {
        _PARAMETER.format(flavour=flavour, architecture=architecture): found
        for architecture, found in images(region).items()
        for flavour in _FLAVOURS
    }


def resolve(region: str, wanted: str) -> tuple[str, str]:
    """The id and architecture of `ami-...` or `resolve:ssm:/path`.

    RunInstances, ImageId: "resolve:ssm:parameter-name" is looked up when the call is made.
    errors-overview: InvalidAMIID.NotFound, InvalidAMIID.Malformed; an AMI id of another region is not found.
    """
    if wanted.startswith("resolve:ssm:"):
        name = wanted.removeprefix("resolve:ssm:").split(":")[0]
        found = parameters(region).get(name)
        if found is None:
            raise AwsError(
                "InvalidParameterValue", f"Invalid value '{wanted}' for imageId: the parameter was not found."
            )
        wanted = found
    if not wanted.startswith("ami-"):
        raise AwsError("InvalidAMIID.Malformed", f'Invalid id: "{wanted}" (expecting "ami-...")')
    for architecture, known in images(region).items():
        if known == wanted:
            return known, architecture
    raise AwsError("InvalidAMIID.NotFound", f"The image id '[{wanted}]' does not exist")
