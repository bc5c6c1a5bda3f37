"""Refusals as Google words them. It owns their JSON: Compute Engine has reasons, Cloud KMS canonical statuses."""

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
        if service == "compute":
            error["errors"] = [{"message": self.message, "domain": "global", "reason": self.reason}]
            if self.reason in ("rateLimitExceeded", "authError"):
                error["status"] = "PERMISSION_DENIED" if self.http == 403 else self.status
        else:
            error["status"] = self.status
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
    if service == "compute":
        return ApiError(403, "rateLimitExceeded", "Rate Limit Exceeded")
    return ApiError(429, "", "Quota exceeded for quota metric 'Read requests'", "RESOURCE_EXHAUSTED")
