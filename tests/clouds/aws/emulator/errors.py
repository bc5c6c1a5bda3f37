"""The errors of EC2 and KMS, as they go over the wire. It owns codes with their HTTP status and nothing else.

It must never decide *when* an error is due: that is the rules' business, beside each of them.

Statuses: "Error codes for the Amazon EC2 API" (AWSEC2/latest/APIReference/errors-overview.html, "errors-overview"
here): client errors come with a 400-series status, server errors with a 500-series one. Its table of server errors has
InsufficientInstanceCapacity, InternalError, RequestLimitExceeded, ServiceUnavailable and Unavailable. Which status of
the series is not said; real replies carried 503 with RequestLimitExceeded (cloudfoundry/bosh-aws-cpi-release issue 61,
otiai10/hotsub issue 10) and 500 with InsufficientInstanceCapacity. KMS: "Common Errors" of its API reference,
ThrottlingException 400.
"""


class AwsError(Exception):
    """A refusal. `code` is the service's own, `status` the HTTP status that it comes with."""

    def __init__(self, code: str, message: str, status: int = 400):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class NotOwned(Exception):
    """This action is not one of ours: moto answers it."""


def no_capacity(machine: str, zone: str) -> AwsError:
    """Status 500: seen in nib-health-funds/hammertime issue 29 ("statusCode: 500")."""
    return AwsError(
        "InsufficientInstanceCapacity",
        f"We currently do not have sufficient {machine} capacity in the Availability Zone you requested ({zone}).",
        500,
    )


def throttled(service: str) -> AwsError:
    if service == "ec2":
        return AwsError("RequestLimitExceeded", "Request limit exceeded.", 503)
    return AwsError("ThrottlingException", "Rate exceeded", 400)


def internal(service: str) -> AwsError:
    code = "KMSInternalException" if service == "kms" else "InternalError"
    return AwsError(code, "An internal error has occurred", 500)


def unavailable(service: str) -> AwsError:
    code = "Unavailable" if service == "ec2" else "ServiceUnavailableException"
    return AwsError(code, "The service is unavailable. Please try again shortly.", 503)


def instance_not_found(ids: list[str]) -> AwsError:
    """errors-overview, InvalidInstanceID.NotFound: "does not exist", also right after creation."""
    plural = len(ids) > 1
    what = f"IDs '{', '.join(ids)}' do" if plural else f"ID '{ids[0]}' does"
    return AwsError("InvalidInstanceID.NotFound", f"The instance {what} not exist")


def volume_not_found(volume_id: str) -> AwsError:
    return AwsError("InvalidVolume.NotFound", f"The volume '{volume_id}' does not exist.")


def snapshot_not_found(snapshot_id: str) -> AwsError:
    return AwsError("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")


def missing(name: str) -> AwsError:
    return AwsError("MissingParameter", f"The request must contain the parameter {name}")


def bad_value(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message)


def bad_combination(message: str) -> AwsError:
    return AwsError("InvalidParameterCombination", message)
