//! The one table from Google's codes to [`ErrorClass`]. It reads codes and HTTP status, never message text.
//!
//! Compute Engine has two kinds: the `reason` of a request that is refused at once, and the `code` of an operation that fails
//! later inside a 200. Cloud KMS has the canonical codes of google.rpc.

use crate::ErrorClass;

use ErrorClass::{Conflict, Denied, Invalid, KeyUnusable, NoCapacity, Quota, Throttled, Unavailable, Unrecognized};

/// Where a row was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Compute Engine documentation, "Troubleshooting resource availability errors"
    /// (<https://cloud.google.com/compute/docs/troubleshooting/troubleshooting-resource-availability>).
    Availability,
    /// Compute Engine documentation, "Service error catalog" and "Troubleshooting VM creation".
    Catalog,
    /// Google's common errors of its JSON APIs ("Standard error responses", global domain).
    Global,
    /// Compute Engine documentation, "API rate limits" (403 `rateLimitExceeded`) and "Allocation quotas" (`QUOTA_EXCEEDED`).
    Limits,
    /// google.rpc.Code (`google/rpc/code.proto`), as Cloud KMS uses it ("Cloud KMS error messages", REST reference).
    Canonical,
    /// Seen in the source of kubernetes/autoscaler (`autoscaling_gce_client.go`) and in public reports.
    Reports,
}

/// A row.
pub(super) type Row = (&'static str, ErrorClass, Source);

/// Compute Engine's reasons and operation codes.
#[rustfmt::skip]
pub(super) const CODES: &[Row] = &[
    // Asked too often.
    ("rateLimitExceeded", Throttled, Source::Limits),
    ("userRateLimitExceeded", Throttled, Source::Limits),
    ("concurrentLimitExceeded", Throttled, Source::Limits),
    ("RATE_LIMIT_EXCEEDED", Throttled, Source::Limits),
    ("CONCURRENT_OPERATIONS_QUOTA_EXCEEDED", Throttled, Source::Limits),
    // The service can't.
    ("backendError", Unavailable, Source::Global),
    ("internalError", Unavailable, Source::Global),
    ("INTERNAL_ERROR", Unavailable, Source::Catalog),
    ("SERVICE_UNAVAILABLE", Unavailable, Source::Catalog),
    ("TIMEOUT", Unavailable, Source::Catalog),
    ("CANCELLED_BY_USER", Unavailable, Source::Catalog),
    // No such machine there, or not now: another type or zone may do.
    ("ZONE_RESOURCE_POOL_EXHAUSTED", NoCapacity, Source::Availability),
    ("ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", NoCapacity, Source::Availability),
    ("REGION_RESOURCE_POOL_EXHAUSTED", NoCapacity, Source::Availability),
    ("RESOURCE_POOL_EXHAUSTED", NoCapacity, Source::Reports),
    ("RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", NoCapacity, Source::Reports),
    ("STOCKOUT", NoCapacity, Source::Reports),
    ("resourceAvailability", NoCapacity, Source::Availability),
    ("VM_MIN_COUNT_NOT_REACHED", NoCapacity, Source::Catalog),
    ("IP_SPACE_EXHAUSTED", NoCapacity, Source::Catalog),
    ("IP_SPACE_EXHAUSTED_WITH_DETAILS", NoCapacity, Source::Catalog),
    // The project may not have more.
    ("quotaExceeded", Quota, Source::Limits),
    ("QUOTA_EXCEEDED", Quota, Source::Limits),
    ("limitExceeded", Quota, Source::Limits),
    ("LIMIT_EXCEEDED", Quota, Source::Limits),
    // Who we are, and what we may.
    ("authError", Denied, Source::Global),
    ("required_login", Denied, Source::Global),
    ("forbidden", Denied, Source::Global),
    ("insufficientPermissions", Denied, Source::Global),
    ("accessNotConfigured", Denied, Source::Global),
    ("billingNotEnabled", Denied, Source::Global),
    ("accountDisabled", Denied, Source::Global),
    ("ACCESS_TOKEN_SCOPE_INSUFFICIENT", Denied, Source::Global),
    ("SERVICE_DISABLED", Denied, Source::Global),
    ("IAM_PERMISSION_DENIED", Denied, Source::Global),
    ("PERMISSIONS_ERROR", Denied, Source::Catalog),
    ("CONDITION_NOT_MET", Conflict, Source::Catalog),
    // The request, or what it refers to.
    ("invalid", Invalid, Source::Global),
    ("invalidParameter", Invalid, Source::Global),
    ("badRequest", Invalid, Source::Global),
    ("parseError", Invalid, Source::Global),
    ("required", Invalid, Source::Global),
    ("unsupportedOperation", Invalid, Source::Global),
    ("UNSUPPORTED_OPERATION", Invalid, Source::Catalog),
    ("INVALID_FIELD_VALUE", Invalid, Source::Catalog),
    ("INVALID_USAGE", Invalid, Source::Catalog),
    ("RESOURCE_NOT_FOUND", Invalid, Source::Catalog),
    // The thing is in another state, or not visible yet: look first.
    ("alreadyExists", Conflict, Source::Global),
    ("duplicate", Conflict, Source::Global),
    ("conflict", Conflict, Source::Global),
    ("conditionNotMet", Conflict, Source::Global),
    ("notFound", Conflict, Source::Global),
    ("requestIdMismatch", Conflict, Source::Catalog),
    ("resourceInUseByAnotherResource", Conflict, Source::Catalog),
    ("resourceNotReady", Conflict, Source::Catalog),
    ("RESOURCE_ALREADY_EXISTS", Conflict, Source::Catalog),
    ("RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", Conflict, Source::Catalog),
    ("RESOURCE_NOT_READY", Conflict, Source::Catalog),
    ("RESOURCE_OPERATION_IN_PROGRESS", Conflict, Source::Catalog),
    // Cloud KMS.
    ("RESOURCE_EXHAUSTED", Throttled, Source::Canonical),
    ("UNAVAILABLE", Unavailable, Source::Canonical),
    ("INTERNAL", Unavailable, Source::Canonical),
    ("DEADLINE_EXCEEDED", Unavailable, Source::Canonical),
    ("UNKNOWN", Unavailable, Source::Canonical),
    ("UNAUTHENTICATED", Denied, Source::Canonical),
    ("PERMISSION_DENIED", Denied, Source::Canonical),
    ("INVALID_ARGUMENT", Invalid, Source::Canonical),
    ("OUT_OF_RANGE", Invalid, Source::Canonical),
    ("UNIMPLEMENTED", Invalid, Source::Canonical),
    ("FAILED_PRECONDITION", KeyUnusable, Source::Canonical),
    ("ALREADY_EXISTS", Conflict, Source::Canonical),
    ("ABORTED", Conflict, Source::Canonical),
    ("NOT_FOUND", Conflict, Source::Canonical),
];

/// The class of a failure. Where no row has the code, only a status that says "not now" or "not you" is believed.
pub(super) fn classify(code: &str, status: u16) -> ErrorClass {
    if let Some((_, class, _)) = CODES.iter().find(|(known, _, _)| *known == code) {
        return *class;
    }
    match status {
        401 => Denied,
        429 => Throttled,
        500..=599 => Unavailable,
        _ => Unrecognized,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_row_and_unknown_ones_are_not_guessed() {
        for (place, (code, class, _)) in CODES.iter().enumerate() {
            assert!(CODES[..place].iter().all(|(other, _, _)| other != code), "{code} has two rows");
            assert_eq!(classify(code, 400), *class);
            assert_ne!(*class, Unrecognized);
        }
        assert_eq!(classify("somethingNew", 400), Unrecognized);
        assert_eq!(classify("somethingNew", 403), Unrecognized);
        assert_eq!(classify("somethingNew", 503), Unavailable);
        assert_eq!(classify("", 429), Throttled);
        assert_eq!(classify("", 401), Denied);
    }
}
