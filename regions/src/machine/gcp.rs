//! Compute Engine: the predefined machine types that fill each size.
//!
//! Order: types of exactly the size first (`highcpu`, 2 GB a vCPU), then those with more memory; within each, newest first. E2 is
//! last and is the one series that every zone has. Compute Engine rejects a type that a zone does not have, so a type is listed only
//! in zones for which a document names it; zones that have gained it since are merely not used for it.
//! The disk kinds split the series: C4, N4 and C4A take Hyperdisk and no Persistent Disk, E2 and T2A take Persistent Disk and no
//! Hyperdisk. A cache volume of the one kind can never be attached to a machine of the other.
//! Sources. vCPU, memory and disks: Compute Engine documentation, "General-purpose machine family", for each series the sections
//! "... machine types" and "Supported disk types for ..."; E2 in all regions and zones: same page, section "E2 machine series".
//! Zones: "Compute Engine release notes", C4 2024-08-19, C4A 2024-10-30, N4 in Stockholm 2025-03-04. T2A: the output of `gcloud compute
//! machine-types list` in cockroachdb/cockroach issue 113664, and GoogleCloudPlatform/guest-test-infra pull request 1472, which
//! cites "Regions and zones". Google writes GB for what is GiB.

use super::{Row, SsdKind};
use crate::Arch::{self, Arm64, X86_64};
use crate::{Cloud, Size};

const HYPERDISK: &[SsdKind] = &[SsdKind::HyperdiskBalanced];
const PERSISTENT: &[SsdKind] = &[SsdKind::PdSsd, SsdKind::PdBalanced];

const C4_ZONES: &[&str] = &[
    "europe-west1-b",
    "europe-west1-c",
    "europe-west4-a",
    "europe-west4-b",
    "europe-west4-c",
    "us-central1-a",
    "us-central1-b",
    "us-central1-c",
    "us-east1-b",
    "us-east1-c",
    "us-east1-d",
    "us-east4-a",
    "us-east4-b",
    "us-east4-c",
];

const C4A_ZONES: &[&str] = &[
    "europe-west1-b",
    "europe-west1-c",
    "europe-west1-d",
    "europe-west3-a",
    "europe-west3-b",
    "europe-west3-c",
    "europe-west4-a",
    "europe-west4-b",
    "europe-west4-c",
    "us-central1-a",
    "us-central1-b",
    "us-central1-c",
    "us-east1-b",
    "us-east1-c",
    "us-east1-d",
    "us-east4-a",
    "us-east4-b",
    "us-east4-c",
];

const N4_ZONES: &[&str] = &["europe-north2-a", "europe-north2-b", "europe-north2-c"];

const T2A_ZONES: &[&str] =
    &["europe-west4-a", "europe-west4-b", "europe-west4-c", "us-central1-a", "us-central1-b", "us-central1-f"];

/// No zone is known to lack it.
const EVERYWHERE: &[&str] = &[];

/// Rows of one series and shape, a row for each size; `$gib` is the memory of each in that order.
macro_rules! series {
    ($series:literal, $arch:expr, $gib:expr, $ssds:expr, $zones:expr) => {
        [
            row(concat!($series, "-4"), $arch, Size::S4x8, $gib[0], $ssds, $zones),
            row(concat!($series, "-8"), $arch, Size::S8x16, $gib[1], $ssds, $zones),
            row(concat!($series, "-16"), $arch, Size::S16x32, $gib[2], $ssds, $zones),
            row(concat!($series, "-32"), $arch, Size::S32x64, $gib[3], $ssds, $zones),
        ]
    };
}

const fn row(
    name: &'static str,
    arch: Arch,
    size: Size,
    memory_gib: u16,
    ssds: &'static [SsdKind],
    only_zones: &'static [&'static str],
) -> Row {
    Row { cloud: Cloud::Gcp, name, arch, size, memory_gib, ssds, only_zones, absent_from: &[] }
}

const SERIES: &[[Row; 4]] = &[
    series!("c4-highcpu", X86_64, [8, 16, 32, 64], HYPERDISK, C4_ZONES),
    series!("n4-highcpu", X86_64, [8, 16, 32, 64], HYPERDISK, N4_ZONES),
    series!("c4-standard", X86_64, [15, 30, 60, 120], HYPERDISK, C4_ZONES),
    series!("e2-standard", X86_64, [16, 32, 64, 128], PERSISTENT, EVERYWHERE),
    series!("c4a-highcpu", Arm64, [8, 16, 32, 64], HYPERDISK, C4A_ZONES),
    series!("c4a-standard", Arm64, [16, 32, 64, 128], HYPERDISK, C4A_ZONES),
    series!("t2a-standard", Arm64, [16, 32, 64, 128], PERSISTENT, T2A_ZONES),
];

pub(super) const ROWS: &[Row] = SERIES.as_flattened();
