//! Real regions that lie outside every residency that we offer, each with the reason a person is told.
//!
//! Sources: the same documents as the regions that are offered. AWS: botocore's `partitions.json` (all partitions) and "AWS
//! Availability Zones", column Geography. Google Cloud: "Regions and zones", section "Available regions and zones". That GovCloud and the
//! European Sovereign Cloud are partitions of their own, with other accounts and endpoints: "AWS Fault Isolation Boundaries",
//! section "Partitions", and "AWS General Reference", page "Amazon Resource Names".

use super::RefusedRegion;
use crate::Cloud::{self, Aws, Gcp};

macro_rules! european {
    ($place:literal, $country:literal) => {
        concat!($place, " lies in ", $country, ", which is not a member state of the European Union")
    };
}

macro_rules! elsewhere {
    ($place:literal, $country:literal) => {
        concat!($place, " lies in ", $country, ", neither in the United States nor in the European Union")
    };
}

const GOVCLOUD: &str = "AWS GovCloud (US) is a partition of its own: other accounts, endpoints and resource names; \
                        only the commercial partition's regions are offered";
const SOVEREIGN: &str = "it belongs to the AWS European Sovereign Cloud (Germany), a partition of its own: other accounts, \
                         endpoints and resource names; only the commercial partition's regions are offered";
const CLASSIFIED: &str = "it belongs to a partition for classified workloads; only the commercial partition's regions \
                          are offered";

const fn no(cloud: Cloud, name: &'static str, reason: &'static str) -> RefusedRegion {
    RefusedRegion { cloud, name, reason }
}

pub(super) const ROWS: &[RefusedRegion] = &[
    no(Aws, "eu-west-2", european!("London", "the United Kingdom")),
    no(Aws, "eu-central-2", european!("Zurich", "Switzerland")),
    no(Aws, "us-gov-east-1", GOVCLOUD),
    no(Aws, "us-gov-west-1", GOVCLOUD),
    no(Aws, "eusc-de-east-1", SOVEREIGN),
    no(Aws, "us-iso-east-1", CLASSIFIED),
    no(Aws, "us-iso-west-1", CLASSIFIED),
    no(Aws, "us-isob-east-1", CLASSIFIED),
    no(Aws, "us-isob-west-1", CLASSIFIED),
    no(Aws, "us-isof-east-1", CLASSIFIED),
    no(Aws, "us-isof-south-1", CLASSIFIED),
    no(Aws, "eu-isoe-west-1", CLASSIFIED),
    no(Aws, "af-south-1", elsewhere!("Cape Town", "South Africa")),
    no(Aws, "ap-east-1", elsewhere!("Hong Kong", "China")),
    no(Aws, "ap-east-2", elsewhere!("Taipei", "Taiwan")),
    no(Aws, "ap-northeast-1", elsewhere!("Tokyo", "Japan")),
    no(Aws, "ap-northeast-2", elsewhere!("Seoul", "South Korea")),
    no(Aws, "ap-northeast-3", elsewhere!("Osaka", "Japan")),
    no(Aws, "ap-south-1", elsewhere!("Mumbai", "India")),
    no(Aws, "ap-south-2", elsewhere!("Hyderabad", "India")),
    no(Aws, "ap-southeast-1", elsewhere!("Singapore", "Singapore")),
    no(Aws, "ap-southeast-2", elsewhere!("Sydney", "Australia")),
    no(Aws, "ap-southeast-3", elsewhere!("Jakarta", "Indonesia")),
    no(Aws, "ap-southeast-4", elsewhere!("Melbourne", "Australia")),
    no(Aws, "ap-southeast-5", elsewhere!("it", "Malaysia")),
    no(Aws, "ap-southeast-6", elsewhere!("it", "New Zealand")),
    no(Aws, "ap-southeast-7", elsewhere!("it", "Thailand")),
    no(Aws, "ca-central-1", elsewhere!("Montreal", "Canada")),
    no(Aws, "ca-west-1", elsewhere!("Calgary", "Canada")),
    no(Aws, "cn-north-1", elsewhere!("Beijing", "China")),
    no(Aws, "cn-northwest-1", elsewhere!("Ningxia", "China")),
    no(Aws, "il-central-1", elsewhere!("Tel Aviv", "Israel")),
    no(Aws, "me-central-1", elsewhere!("it", "the United Arab Emirates")),
    no(Aws, "me-south-1", elsewhere!("it", "Bahrain")),
    no(Aws, "mx-central-1", elsewhere!("it", "Mexico")),
    no(Aws, "sa-east-1", elsewhere!("Sao Paulo", "Brazil")),
    no(Gcp, "europe-west2", european!("London", "the United Kingdom")),
    no(Gcp, "europe-west6", european!("Zurich", "Switzerland")),
    no(Gcp, "africa-south1", elsewhere!("Johannesburg", "South Africa")),
    no(Gcp, "asia-east1", elsewhere!("Changhua County", "Taiwan")),
    no(Gcp, "asia-east2", elsewhere!("Hong Kong", "China")),
    no(Gcp, "asia-northeast1", elsewhere!("Tokyo", "Japan")),
    no(Gcp, "asia-northeast2", elsewhere!("Osaka", "Japan")),
    no(Gcp, "asia-northeast3", elsewhere!("Seoul", "South Korea")),
    no(Gcp, "asia-south1", elsewhere!("Mumbai", "India")),
    no(Gcp, "asia-south2", elsewhere!("Delhi", "India")),
    no(Gcp, "asia-southeast1", elsewhere!("Jurong West", "Singapore")),
    no(Gcp, "asia-southeast2", elsewhere!("Jakarta", "Indonesia")),
    no(Gcp, "asia-southeast3", elsewhere!("Bangkok", "Thailand")),
    no(Gcp, "australia-southeast1", elsewhere!("Sydney", "Australia")),
    no(Gcp, "australia-southeast2", elsewhere!("Melbourne", "Australia")),
    no(Gcp, "me-central1", elsewhere!("Doha", "Qatar")),
    no(Gcp, "me-central2", elsewhere!("Dammam", "Saudi Arabia")),
    no(Gcp, "me-west1", elsewhere!("Tel Aviv", "Israel")),
    no(Gcp, "northamerica-northeast1", elsewhere!("Montreal", "Canada")),
    no(Gcp, "northamerica-northeast2", elsewhere!("Toronto", "Canada")),
    no(Gcp, "northamerica-south1", elsewhere!("Queretaro", "Mexico")),
    no(Gcp, "southamerica-east1", elsewhere!("Osasco", "Brazil")),
    no(Gcp, "southamerica-west1", elsewhere!("Santiago", "Chile")),
];
