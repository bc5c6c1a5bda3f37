//! AWS: the commercial partition's regions in the United States and in member states of the European Union.
//!
//! Sources. Region names and partition: botocore's `partitions.json`, partition `aws`, and "AWS Regions and Availability
//! Zones", page "AWS Regions". Countries: the same guide, page "AWS Availability Zones", column Geography. Zone codes:
//! that page says a code is the region's code and a letter, and that accounts made before November 2025 have letters of their own
//! in the oldest regions; the letters below are those that `DescribeInstanceTypeOfferings` returned (`LocationType`
//! `availability-zone`, as recorded in moto 5.2, `ec2/resources/instance_type_offerings`), with the exceptions noted.
//! Local Zones and Wavelength Zones are left out: they hold few instance types and not all lie in the region's country.

use super::{Row, eu, us};
use crate::Cloud::Aws;

pub(super) const ROWS: &[Row] = &[
    // One of the six (AZ ID use1-az3, mostly under the letter e) has none of the current instance types: leave it without a subnet.
    us(
        Aws,
        "us-east-1",
        "Northern Virginia",
        &["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d", "us-east-1e", "us-east-1f"],
    ),
    us(Aws, "us-east-2", "Ohio", &["us-east-2a", "us-east-2b", "us-east-2c"]),
    // An account sees two of these three; which two depends on the account.
    us(Aws, "us-west-1", "Northern California", &["us-west-1a", "us-west-1b", "us-west-1c"]),
    us(Aws, "us-west-2", "Oregon", &["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"]),
    eu(Aws, "eu-central-1", "DE", "Frankfurt, Germany", &["eu-central-1a", "eu-central-1b", "eu-central-1c"]),
    eu(Aws, "eu-north-1", "SE", "Stockholm, Sweden", &["eu-north-1a", "eu-north-1b", "eu-north-1c"]),
    eu(Aws, "eu-south-1", "IT", "Milan, Italy", &["eu-south-1a", "eu-south-1b", "eu-south-1c"]),
    eu(Aws, "eu-south-2", "ES", "Aragon, Spain", &["eu-south-2a", "eu-south-2b", "eu-south-2c"]),
    eu(Aws, "eu-west-1", "IE", "Dublin, Ireland", &["eu-west-1a", "eu-west-1b", "eu-west-1c"]),
    eu(Aws, "eu-west-3", "FR", "Paris, France", &["eu-west-3a", "eu-west-3b", "eu-west-3c"]),
];
