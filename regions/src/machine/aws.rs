//! EC2: the instance types that fill each size.
//!
//! Order: compute optimized types first (2 GiB a vCPU, exactly the size), newest generation first and Intel before AMD
//! within one; then general purpose types of twice the memory, for when every exact fit is out of stock.
//! Sources. vCPU and memory: "Amazon EC2 Instance Types", pages "Specifications for Amazon EC2 compute optimized instances" and
//! "... general purpose instances", section "Performance specifications". Volumes: "Amazon EBS User Guide", page "Amazon EBS General
//! Purpose SSD volumes" (gp3 attaches to every type here) and page "How Amazon EBS encryption works", section "Requirements" (every type
//! here takes encrypted volumes, roots included). Where a type is not offered: `DescribeInstanceTypeOfferings` as recorded in
//! moto 5.2, `ec2/resources/instance_type_offerings`; a region that has gained a type since is merely not used for it.

use super::{Row, SsdKind};
use crate::Arch::{self, Arm64, X86_64};
use crate::{Cloud, Size};

/// Rows of one family, a row for each size.
macro_rules! family {
    ($family:literal, $arch:expr, $gib_per_vcpu:literal, $absent:expr) => {
        [
            row(concat!($family, ".xlarge"), $arch, Size::S4x8, 4 * $gib_per_vcpu, $absent),
            row(concat!($family, ".2xlarge"), $arch, Size::S8x16, 8 * $gib_per_vcpu, $absent),
            row(concat!($family, ".4xlarge"), $arch, Size::S16x32, 16 * $gib_per_vcpu, $absent),
            row(concat!($family, ".8xlarge"), $arch, Size::S32x64, 32 * $gib_per_vcpu, $absent),
        ]
    };
}

const fn row(name: &'static str, arch: Arch, size: Size, memory_gib: u16, absent_from: &'static [&'static str]) -> Row {
    Row { cloud: Cloud::Aws, name, arch, size, memory_gib, ssds: &[SsdKind::Gp3], only_zones: &[], absent_from }
}

const FAMILIES: &[[Row; 4]] = &[
    family!("c7i", X86_64, 2, &["eu-south-1"]),
    family!("c7a", X86_64, 2, &["eu-south-1", "eu-west-3", "us-west-1"]),
    family!("c6i", X86_64, 2, &["eu-south-2"]),
    family!("c6a", X86_64, 2, &["eu-north-1", "eu-south-1", "eu-south-2", "eu-west-3"]),
    family!("m7i", X86_64, 4, &[]),
    family!("m6i", X86_64, 4, &["eu-south-2"]),
    family!("c8g", Arm64, 2, &["eu-south-1c", "eu-west-3"]),
    family!("c7g", Arm64, 2, &[]),
    family!("c6g", Arm64, 2, &[]),
    family!("m8g", Arm64, 4, &[]),
    family!("m7g", Arm64, 4, &["eu-south-1"]),
];

pub(super) const ROWS: &[Row] = FAMILIES.as_flattened();
