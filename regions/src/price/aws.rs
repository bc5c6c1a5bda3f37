//! Amazon Web Services: EC2, EBS and KMS.
//!
//! What a table leaves out, or has nought for, is unknown to us; it is not free. Figures are micro-dollars.
//! Within a family AWS prices an instance type in proportion to its vCPUs, but for rounding each to four or five decimals of a
//! dollar an hour. So a family is one figure, that of its `8xlarge`, and the smaller types are an eighth, a quarter and a half of it:
//! within 0.00005 dollars an hour of the list, which is four cents a month.

use super::{Performance, known, row};

/// The families, in the order of the columns of [`MACHINES`].
pub(super) const FAMILIES: [&str; 11] = ["c7i", "c7a", "c6i", "c6a", "m7i", "m6i", "c8g", "c7g", "c6g", "m8g", "m7g"];

/// On-demand Linux: an hour of the `8xlarge` of each of [`FAMILIES`].
///
/// Source: skypilot-org/skypilot-catalog, `catalogs/v8/aws/vms.csv`, commit 00148f2af367, column Price, which comes of the AWS Price List
/// API; the file bears no date. Checked for the families of `us-east-1` that begin with c against aws/karpenter-provider-aws,
/// `pkg/providers/pricing/zz_generated.pricing_aws.go`, commit 031e72b6099c, generated 2026-01-19: the same.
#[rustfmt::skip]
pub(super) const MACHINES: &[(&str, [u64; 11])] = &[
    //                 c7i        c7a        c6i        c6a        m7i        m6i        c8g        c7g        c6g        m8g        m7g
    ("us-east-1",    [1_428_000, 1_642_240, 1_360_000, 1_224_000, 1_612_800, 1_536_000, 1_276_160, 1_160_000, 1_088_000, 1_436_160, 1_305_600]),
    ("us-east-2",    [1_428_000, 1_642_240, 1_360_000, 1_224_000, 1_612_800, 1_536_000, 1_271_680, 1_156_200, 1_088_000, 1_436_160, 1_305_600]),
    ("us-west-1",    [1_780_800,         0, 1_696_000, 1_526_400, 1_881_600, 1_792_000, 1_585_920, 1_441_600, 1_356_800, 1_675_520, 1_523_200]),
    ("us-west-2",    [1_428_000, 1_642_240, 1_360_000, 1_224_000, 1_612_800, 1_536_000, 1_276_160, 1_160_000, 1_088_000, 1_436_160, 1_305_600]),
    ("eu-central-1", [1_629_600, 1_874_080, 1_552_000, 1_396_800, 1_932_000, 1_840_000, 1_451_200, 1_319_200, 1_241_600, 1_720_640, 1_564_200]),
    ("eu-north-1",   [1_528_800, 1_758_080, 1_456_000,         0, 1_713_600, 1_632_000, 1_361_600, 1_237_800, 1_168_000, 1_526_080, 1_387_200]),
    ("eu-south-1",   [        0,         0, 1_616_000,         0, 1_881_600, 1_792_000, 1_507_520, 1_370_400, 1_292_800,         0,         0]),
    ("eu-south-2",   [1_532_000, 1_761_600,         0,         0, 1_797_600,         0, 1_364_160, 1_240_000, 1_167_400, 1_599_680, 1_454_400]),
    ("eu-west-1",    [1_532_160, 1_761_920, 1_459_200, 1_313_280, 1_797_600, 1_712_000, 1_364_480, 1_240_300, 1_167_400, 1_600_640, 1_455_200]),
    ("eu-west-3",    [1_696_800,         0, 1_616_000,         0, 1_881_600, 1_792_000,         0, 1_373_800, 1_296_000, 1_675_520, 1_523_200]),
];

/// A month of gp3: a GiB, an IOPS above the baseline, a MiB/s above the baseline.
///
/// Sources. GiB: xbill9/zombiescan, `src/zombiescan/pricing/table.json`, commit 077155131f2a, `ebs_gb_month` (AWS Price List API,
/// generated 2026-09-21). IOPS: a copy of the page "Amazon EBS pricing" of July 2021 (`VolumePricingHelper.swift`, found in a
/// public repository by its text), which agrees with the former on the GiB of every region that it has. MiB/s: the Price List's descriptions "per provisioned
/// MiBps-month of gp3" as quoted in public repositories, in four regions only.
#[rustfmt::skip]
pub(super) const GP3: &[(&str, [u64; 3])] = &[
    //                GiB     IOPS   MiB/s
    ("us-east-1",    [80_000, 5_000, 40_000]),
    ("us-east-2",    [80_000, 5_000,      0]),
    ("us-west-1",    [96_000, 6_000, 48_000]),
    ("us-west-2",    [80_000, 5_000, 40_000]),
    ("eu-central-1", [95_200, 6_000, 47_600]),
    ("eu-north-1",   [83_600, 5_200,      0]),
    ("eu-south-1",   [92_400, 5_800,      0]),
    ("eu-south-2",   [88_000,     0,      0]),
    ("eu-west-1",    [88_000, 5_500,      0]),
    ("eu-west-3",    [92_800, 5_800,      0]),
];

/// What every gp3 volume has without charge. "Amazon EBS User Guide", page "Amazon EBS General Purpose SSD volumes".
pub(super) const GP3_FREE: Performance = Performance { iops: 3_000, throughput_mibps: 125 };

/// A month of a GiB of snapshot, standard tier.
///
/// Source: the same file as for [`GP3`], `snapshot_gb_month`, generated 2026-09-21; `us-west-1`: the AWS Price List row of 2023-08-01
/// quoted in a public repository. The file's figures for `us-east-2`, `us-west-1`, `eu-north-1` and `eu-west-3` are about half
/// of all others and of that row; they seem to be another product's, and are left out.
#[rustfmt::skip]
pub(super) const SNAPSHOTS: &[(&str, u64)] = &[
    ("us-east-1",    50_000),
    ("us-west-1",    55_000),
    ("us-west-2",    50_000),
    ("eu-central-1", 54_000),
    ("eu-south-1",   52_500),
    ("eu-south-2",   50_000),
    ("eu-west-1",    50_000),
];

/// A month of a customer managed KMS key of one version, in every region. Source: the same repository as for [`GP3`], commit
/// 350cba964f41, `kms_key_month`. A rotated key costs more, a key that is about to be deleted nothing.
pub(super) const KEY: u64 = 1_000_000;

/// An hour of that type, as eighths: of which figure, and how many.
pub(super) fn machine(region: &str, word: &str) -> Option<(u64, u64)> {
    let (family, size) = word.split_once('.')?;
    let eighths = match size {
        "xlarge" => 1,
        "2xlarge" => 2,
        "4xlarge" => 4,
        "8xlarge" => 8,
        _ => return None,
    };
    let column = FAMILIES.iter().position(|name| *name == family)?;
    Some((known(row(MACHINES, region)?[column])?, eighths))
}
