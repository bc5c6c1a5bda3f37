//! The one table from EC2's and KMS's codes to [`ErrorClass`]. It reads codes and HTTP status, never message text.

use crate::{ErrorClass, Trouble};

use ErrorClass::{Conflict, Denied, Invalid, KeyUnusable, NoCapacity, Quota, Throttled, Unavailable, Unrecognized};

/// Where a row was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Amazon EC2 API Reference, "Error codes for the Amazon EC2 API", common client errors
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html#CommonErrors>).
    Ec2Common,
    /// The same page, client errors for specific actions (`#api-error-codes-table-client`).
    Ec2Client,
    /// The same page, server errors (`#api-error-codes-table-server`).
    Ec2Server,
    /// AWS KMS API Reference, the "Errors" section of the operations that we call: `CreateKey`, `DescribeKey`,
    /// `EnableKeyRotation`, `GetKeyRotationStatus`, `CreateAlias`, `DeleteAlias`, `TagResource`, `ListKeys`,
    /// `ListAliases`, `ListResourceTags`, `ScheduleKeyDeletion`.
    Kms,
    /// AWS KMS and AWS STS API References, "Common errors"; AWS Signature Version 4 in the IAM User Guide,
    /// troubleshooting.
    Common,
    /// AWS SDKs and Tools Reference Guide, "Retry behavior", the codes that count as throttling.
    SdkRetry,
    /// What EC2 hands on from KMS, in replies and as `StateReason`; not in the reference. AWS re:Post Knowledge Center,
    /// "Why can't I start my EC2 instance with encrypted volumes" (`Client.InternalError`); public reports of
    /// `InvalidKMSKey.InvalidState` (aws-samples/eks-workshop-v2#1542, CiscoDevNet/cloud-cml#8).
    KeyHandedOn,
}

/// A row.
pub(super) type Row = (&'static str, ErrorClass, Source);

/// The table, checked against a public copy of the reference's page (solvuu/awsm, `lib/codegen/ec2_errors.ml`). Codes
/// that EC2 and KMS share mean the same in both.
#[rustfmt::skip]
pub(super) const CODES: &[Row] = &[
    // Asked too often.
    ("RequestLimitExceeded", Throttled, Source::Ec2Server),
    ("Throttling", Throttled, Source::Common),
    ("ThrottlingException", Throttled, Source::Common),
    ("ThrottledException", Throttled, Source::SdkRetry),
    ("RequestThrottledException", Throttled, Source::SdkRetry),
    ("RequestThrottled", Throttled, Source::SdkRetry),
    ("TooManyRequestsException", Throttled, Source::SdkRetry),
    ("EC2ThrottledException", Throttled, Source::SdkRetry),
    ("SlowDown", Throttled, Source::SdkRetry),
    // The service can't.
    ("InternalError", Unavailable, Source::Ec2Server),
    ("InternalFailure", Unavailable, Source::Ec2Server),
    ("ServerInternal", Unavailable, Source::Ec2Server),
    ("ServiceUnavailable", Unavailable, Source::Ec2Server),
    ("Unavailable", Unavailable, Source::Ec2Server),
    ("KMSInternalException", Unavailable, Source::Kms),
    ("DependencyTimeoutException", Unavailable, Source::Kms),
    ("KeyUnavailableException", Unavailable, Source::Kms),
    // No such machine there, or not now: another type or zone may do.
    ("InsufficientInstanceCapacity", NoCapacity, Source::Ec2Server),
    ("InsufficientCapacity", NoCapacity, Source::Ec2Server),
    ("InsufficientHostCapacity", NoCapacity, Source::Ec2Server),
    ("InsufficientReservedInstanceCapacity", NoCapacity, Source::Ec2Server),
    ("InsufficientVolumeCapacity", NoCapacity, Source::Ec2Server),
    ("InsufficientFreeAddressesInSubnet", NoCapacity, Source::Ec2Client),
    ("ReservationCapacityExceeded", NoCapacity, Source::Ec2Client),
    ("VolumeTypeNotAvailableInZone", NoCapacity, Source::Ec2Client),
    // "... if you attempt to launch an instance type in an Availability Zone that does not support it."
    ("Unsupported", NoCapacity, Source::Ec2Client),
    // The account may not have more.
    ("InstanceLimitExceeded", Quota, Source::Ec2Client),
    ("VcpuLimitExceeded", Quota, Source::Ec2Client),
    ("VolumeLimitExceeded", Quota, Source::Ec2Client),
    ("MaxIOPSLimitExceeded", Quota, Source::Ec2Client),
    ("ResourceLimitExceeded", Quota, Source::Ec2Client),
    ("ResourceCountExceeded", Quota, Source::Ec2Client),
    ("AttachmentLimitExceeded", Quota, Source::Ec2Client),
    ("PrivateIpAddressLimitExceeded", Quota, Source::Ec2Client),
    ("NetworkInterfaceLimitExceeded", Quota, Source::Ec2Client),
    ("LimitExceededException", Quota, Source::Kms),
    // Who we are, and what we may.
    ("AuthFailure", Denied, Source::Ec2Common),
    ("Blocked", Denied, Source::Ec2Common),
    ("IncompleteSignature", Denied, Source::Ec2Common),
    ("InvalidClientTokenId", Denied, Source::Ec2Common),
    ("MissingAuthenticationToken", Denied, Source::Ec2Common),
    ("OptInRequired", Denied, Source::Ec2Common),
    ("PendingVerification", Denied, Source::Ec2Common),
    ("RequestExpired", Denied, Source::Ec2Common),
    ("UnauthorizedOperation", Denied, Source::Ec2Common),
    ("OperationNotPermitted", Denied, Source::Ec2Client),
    ("AccessDenied", Denied, Source::Common),
    ("AccessDeniedException", Denied, Source::Common),
    ("ExpiredToken", Denied, Source::Common),
    ("ExpiredTokenException", Denied, Source::Common),
    ("InvalidSignatureException", Denied, Source::Common),
    ("SignatureDoesNotMatch", Denied, Source::Common),
    ("UnrecognizedClientException", Denied, Source::Common),
    ("NotAuthorized", Denied, Source::Common),
    // The key.
    ("CustomerKeyHasBeenRevoked", KeyUnusable, Source::Ec2Client),
    ("DisabledException", KeyUnusable, Source::Kms),
    ("KMSInvalidStateException", KeyUnusable, Source::Kms),
    ("InvalidKeyUsageException", KeyUnusable, Source::Kms),
    ("InvalidKMSKey.InvalidState", KeyUnusable, Source::KeyHandedOn),
    // The thing is in another state, or not visible yet: look first.
    ("IdempotentParameterMismatch", Conflict, Source::Ec2Common),
    ("IdempotentInstanceTerminated", Conflict, Source::Ec2Client),
    ("InvalidInstanceState", Conflict, Source::Ec2Client),
    ("IncorrectInstanceState", Conflict, Source::Ec2Client),
    ("IncorrectState", Conflict, Source::Ec2Client),
    ("InvalidState", Conflict, Source::Ec2Client),
    ("IncorrectModificationState", Conflict, Source::Ec2Client),
    ("VolumeInUse", Conflict, Source::Ec2Client),
    ("InvalidDevice.InUse", Conflict, Source::Ec2Client),
    ("DependencyViolation", Conflict, Source::Ec2Client),
    ("ConcurrentTagAccess", Conflict, Source::Ec2Client),
    ("InvalidInstanceID.NotFound", Conflict, Source::Ec2Client),
    ("InvalidVolume.NotFound", Conflict, Source::Ec2Client),
    ("InvalidAttachment.NotFound", Conflict, Source::Ec2Client),
    ("AlreadyExistsException", Conflict, Source::Kms),
    ("ConflictException", Conflict, Source::Kms),
    ("NotFoundException", Conflict, Source::Kms),
    // Wrong, and wrong again.
    ("InvalidAction", Invalid, Source::Ec2Common),
    ("InvalidCharacter", Invalid, Source::Ec2Common),
    ("InvalidPaginationToken", Invalid, Source::Ec2Common),
    ("InvalidParameter", Invalid, Source::Ec2Common),
    ("InvalidParameterCombination", Invalid, Source::Ec2Common),
    ("InvalidParameterDependency", Invalid, Source::Ec2Common),
    ("InvalidParameterValue", Invalid, Source::Ec2Common),
    ("InvalidQueryParameter", Invalid, Source::Ec2Common),
    ("MalformedQueryString", Invalid, Source::Ec2Common),
    ("MissingAction", Invalid, Source::Ec2Common),
    ("MissingParameter", Invalid, Source::Ec2Common),
    ("UnknownParameter", Invalid, Source::Ec2Common),
    ("UnsupportedInstanceAttribute", Invalid, Source::Ec2Common),
    ("UnsupportedOperation", Invalid, Source::Ec2Common),
    ("UnsupportedProtocol", Invalid, Source::Ec2Common),
    ("ValidationError", Invalid, Source::Ec2Common),
    ("BootForVolumeTypeUnsupported", Invalid, Source::Ec2Client),
    ("EncryptedVolumesNotSupported", Invalid, Source::Ec2Client),
    ("FilterLimitExceeded", Invalid, Source::Ec2Client),
    ("InvalidAMIID.Malformed", Invalid, Source::Ec2Client),
    ("InvalidAMIID.NotFound", Invalid, Source::Ec2Client),
    ("InvalidAMIID.Unavailable", Invalid, Source::Ec2Client),
    ("InvalidAvailabilityZone", Invalid, Source::Ec2Client),
    ("InvalidBlockDeviceMapping", Invalid, Source::Ec2Client),
    ("InvalidClientToken", Invalid, Source::Ec2Client),
    ("InvalidFilter", Invalid, Source::Ec2Client),
    ("InvalidGroup.NotFound", Invalid, Source::Ec2Client),
    ("InvalidGroupId.Malformed", Invalid, Source::Ec2Client),
    ("InvalidIamInstanceProfileArn.Malformed", Invalid, Source::Ec2Client),
    ("InvalidID", Invalid, Source::Ec2Client),
    ("InvalidInput", Invalid, Source::Ec2Client),
    ("InvalidInstanceAttributeValue", Invalid, Source::Ec2Client),
    ("InvalidInstanceID", Invalid, Source::Ec2Client),
    ("InvalidInstanceID.Malformed", Invalid, Source::Ec2Client),
    ("InvalidInstanceType", Invalid, Source::Ec2Client),
    ("InvalidInterface.IpAddressLimitExceeded", Invalid, Source::Ec2Client),
    ("InvalidMaxResults", Invalid, Source::Ec2Client),
    ("InvalidNextToken", Invalid, Source::Ec2Client),
    ("InvalidRequest", Invalid, Source::Ec2Client),
    ("InvalidSecurityGroupId.Malformed", Invalid, Source::Ec2Client),
    ("InvalidSecurityGroupID.NotFound", Invalid, Source::Ec2Client),
    ("InvalidSecurity.RequestHasExpired", Denied, Source::Ec2Client),
    ("InvalidSnapshot.NotFound", Invalid, Source::Ec2Client),
    ("InvalidSnapshotID.Malformed", Invalid, Source::Ec2Client),
    ("InvalidSubnet", Invalid, Source::Ec2Client),
    ("InvalidSubnetID.NotFound", Invalid, Source::Ec2Client),
    ("InvalidSubnetID.Malformed", Invalid, Source::Ec2Client),
    ("InvalidTagKey.Malformed", Invalid, Source::Ec2Client),
    ("InvalidVolume.ZoneMismatch", Invalid, Source::Ec2Client),
    ("InvalidVolumeID.Malformed", Invalid, Source::Ec2Client),
    ("InvalidVolumeID.ZoneMismatch", Invalid, Source::Ec2Client),
    ("InvalidZone.NotFound", Invalid, Source::Ec2Client),
    ("MissingInput", Invalid, Source::Ec2Client),
    ("NonEBSInstance", Invalid, Source::Ec2Client),
    ("SecurityGroupsPerInstanceLimitExceeded", Invalid, Source::Ec2Client),
    ("TagLimitExceeded", Invalid, Source::Ec2Client),
    ("UnknownVolumeType", Invalid, Source::Ec2Client),
    ("VolumeIOPSLimit", Invalid, Source::Ec2Client),
    ("VPCIdNotSpecified", Invalid, Source::Ec2Client),
    ("VPCResourceNotSpecified", Invalid, Source::Ec2Client),
    ("ZonesMismatched", Invalid, Source::Ec2Client),
    ("InvalidAliasNameException", Invalid, Source::Kms),
    ("InvalidArnException", Invalid, Source::Kms),
    ("InvalidMarkerException", Invalid, Source::Kms),
    ("MalformedPolicyDocumentException", Invalid, Source::Kms),
    ("TagException", Invalid, Source::Kms),
    ("UnsupportedOperationException", Invalid, Source::Kms),
    ("ValidationException", Invalid, Source::Common),
    ("SerializationException", Invalid, Source::Common),
];

/// The class of an answer. Where no row knows the code, 5xx and 429 are classed by status (Amazon EC2 API Reference:
/// server errors are "accompanied by a 500-series HTTP response code"), and the rest is not recognized.
pub(super) fn classify(code: &str, status: u16) -> ErrorClass {
    if let Some((_, class, _)) = CODES.iter().find(|(known, _, _)| *known == code) {
        return *class;
    }
    // EC2 hands on KMS's own codes behind a prefix, such as `KMS.DisabledException`.
    if code.starts_with("KMS.") || code.starts_with("InvalidKMSKey.") {
        return KeyUnusable;
    }
    match status {
        429 => Throttled,
        500..=599 => Unavailable,
        _ => Unrecognized,
    }
}

/// Why an instance is in its state, as EC2 codes it, and what that means for us; none where nothing went wrong.
/// Source: Amazon EC2 API Reference, `StateReason`.
#[rustfmt::skip]
const REASONS: &[(&str, Option<ErrorClass>)] = &[
    ("Server.InsufficientInstanceCapacity", Some(NoCapacity)),
    ("Server.InternalError", Some(Unavailable)),
    ("Server.ScheduledStop", None),
    ("Server.SpotInstanceShutdown", Some(NoCapacity)),
    ("Server.SpotInstanceTermination", Some(NoCapacity)),
    ("Client.InstanceInitiatedShutdown", None),
    ("Client.InstanceTerminated", None),
    // The reference says only "a client error"; for a launch with encrypted volumes it is a key that can't be used
    // (AWS re:Post Knowledge Center, see `Source::KeyHandedOn`), and ours always are.
    ("Client.InternalError", Some(KeyUnusable)),
    ("Client.InvalidSnapshot.NotFound", Some(Invalid)),
    ("Client.UserInitiatedHibernate", None),
    ("Client.UserInitiatedShutdown", None),
    ("Client.VolumeLimitExceeded", Some(Quota)),
    // While it starts, EC2 shows the state's own name here.
    ("pending", None),
];

/// What a state reason tells of a machine that died or could not start.
pub(super) fn reason(code: Option<&str>, message: Option<&str>, machine: &str) -> Option<Trouble> {
    let code = code.filter(|code| !code.is_empty())?;
    let known = REASONS.iter().find(|(known, _)| *known == code).map(|(_, class)| *class);
    let bare = code.strip_prefix("Client.").or_else(|| code.strip_prefix("Server.")).unwrap_or(code);
    let class = known.unwrap_or_else(|| Some(classify(bare, 0)))?;
    let said = message.unwrap_or(code);
    let remedy = match class {
        KeyUnusable => {
            ": EC2 could not use the organization's key; see that it is enabled, and that the worker's role may \
             kms:CreateGrant on it"
        }
        ErrorClass::Throttled
        | Unavailable
        | ErrorClass::Ambiguous
        | NoCapacity
        | Quota
        | Denied
        | Invalid
        | Conflict
        | Unrecognized => "",
    };
    Some(Trouble {
        class,
        code: code.to_owned(),
        message: format!("machine {machine} did not come up: {said}{remedy}"),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_code_has_one_row() {
        let codes: BTreeSet<&str> = CODES.iter().map(|(code, _, _)| *code).collect();
        assert_eq!(codes.len(), CODES.len());
    }

    /// What the classes must never get wrong, whoever edits the table.
    #[test]
    fn the_table_keeps_its_promises() {
        for (code, class, source) in CODES {
            // The row counts, whatever the status.
            for status in [200, 400, 403, 500, 503] {
                assert_eq!(classify(code, status), *class, "{code}");
            }
            if *source == Source::Ec2Server {
                assert!(matches!(class, Throttled | Unavailable | NoCapacity), "{code} is the server's doing");
            }
            if code.starts_with("Insufficient") {
                assert_eq!(*class, NoCapacity, "{code}");
            }
            if code.ends_with("LimitExceeded") && *code != "RequestLimitExceeded" {
                assert!(matches!(class, Quota | Invalid), "{code} is a limit");
            }
            if code.contains("Thrott") {
                assert_eq!(*class, Throttled, "{code}");
            }
            assert!(!matches!(class, Unrecognized | ErrorClass::Ambiguous), "{code} is known and is an answer");
        }
    }

    #[test]
    fn what_no_row_knows_goes_by_status() {
        for (code, status, class) in [
            ("Brand.New", 400, Unrecognized),
            ("Brand.New", 403, Unrecognized),
            ("Brand.New", 500, Unavailable),
            ("Brand.New", 503, Unavailable),
            ("Brand.New", 429, Throttled),
            ("Brand.New", 0, Unrecognized),
            ("KMS.Anything", 400, KeyUnusable),
            ("InvalidKMSKey.Anything", 400, KeyUnusable),
            // Case counts: these are codes, not words.
            ("throttling", 400, Unrecognized),
        ] {
            assert_eq!(classify(code, status), class, "{code} {status}");
        }
    }

    #[test]
    fn reasons_speak_only_of_what_went_wrong() {
        for (code, class) in REASONS {
            assert_eq!(reason(Some(code), None, "i-1").map(|why| why.class), *class, "{code}");
        }
        assert_eq!(reason(None, Some("text"), "i-1"), None);
        assert_eq!(reason(Some(""), None, "i-1"), None);
        let why = reason(Some("Client.InvalidKMSKey.InvalidState"), None, "i-1").expect("a reason");
        assert_eq!(why.class, KeyUnusable);
        assert!(why.message.contains("i-1"));
    }
}
