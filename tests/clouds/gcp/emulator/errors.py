"""Refusals as Google words them. It owns their JSON: Compute Engine has reasons, Cloud KMS canonical statuses.

That too many requests are 403 rateLimitExceeded in domain usageLimits: Compute Engine documentation, "API rate
limits", and hashicorp/terraform-provider-google issue 8360; of Cloud KMS 429: GoogleCloudPlatform/python-docs-samples
issue 3482.
"""

from .catalog import PROJECT_NUMBER

_STATUS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ALREADY_EXISTS",
    412: "FAILED_PRECONDITION", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 501: "UNIMPLEMENTED", 503: "UNAVAILABLE",
}  # fmt: skip


class ApiError(Exception):
    """`reason` is Compute Engine's, `status` the canonical one, where it is not the usual one of the HTTP status."""

    def __init__(self, http: int, reason: str, message: str, status: str | None = None):
        super().__init__(message)
        self.http, self.reason, self.message = http, reason, message
        self.status = status or _STATUS.get(http, "UNKNOWN")

    def body(self, service: str) -> dict:
        error = {"code": self.http, "message": self.message}
        if service != "compute":
            return {"error": {**error, "status": self.status}}
        limited = self.reason == "rateLimitExceeded"
        domain = "usageLimits" if limited or self.reason == "quotaExceeded" else "global"
        error["errors"] = [{"message": self.message, "domain": domain, "reason": self.reason}]
        if limited or self.reason == "authError":
            error["status"] = self.status
        if limited:
            told = {"service": "compute.googleapis.com", "consumer": f"projects/{PROJECT_NUMBER}"}
            info = {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "RATE_LIMIT_EXCEEDED",
                "domain": "googleapis.com",
                "metadata": told,
            }
            error["details"] = [info]
        return {"error": error}


def invalid(message: str) -> ApiError:
    return ApiError(400, "invalid", message)


def bad_request(message: str) -> ApiError:
    return ApiError(400, "badRequest", message)


def not_found(what: str) -> ApiError:
    return ApiError(404, "notFound", f"The resource '{what}' was not found")


def already_exists(what: str) -> ApiError:
    return ApiError(409, "alreadyExists", f"The resource '{what}' already exists")


def in_use(what: str, by: str) -> ApiError:
    return ApiError(400, "resourceInUseByAnotherResource", f"The resource '{what}' is already being used by '{by}'")


def throttled(service: str) -> ApiError:
    message = (
        "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute' of service "
        f"'{service}.googleapis.com' for consumer 'project_number:{PROJECT_NUMBER}'."
    )
    if service == "compute":
        return ApiError(403, "rateLimitExceeded", message)
    return ApiError(429, "rateLimitExceeded", message, "RESOURCE_EXHAUSTED")
