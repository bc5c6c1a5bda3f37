//! Google Cloud: the regions in the United States and in member states of the European Union.
//!
//! Sources. Compute Engine documentation, "Regions and zones", section "Available regions and zones" (region, zone letters,
//! location); "Compute Engine release notes", 2025-03-04, for `europe-north2-a,b,c`. The same lists as `gcloud compute zones list`
//! prints are kept in the public repository Cyclenerd/google-cloud-pricing-cost-calculator, `tools/zones.csv` and `tools/regions.csv`.
//! Letters have gaps: `us-east1` and `europe-west1` begin with b, and `us-central1` has f and neither d nor e.
//! AI zones (`us-central1-ai1a` and the like) are left out: they hold accelerators, not builders.

use super::{Row, eu, us};
use crate::Cloud::Gcp;

pub(super) const ROWS: &[Row] = &[
    us(
        Gcp,
        "us-central1",
        "Council Bluffs, Iowa",
        &["us-central1-a", "us-central1-b", "us-central1-c", "us-central1-f"],
    ),
    us(Gcp, "us-east1", "Moncks Corner, South Carolina", &["us-east1-b", "us-east1-c", "us-east1-d"]),
    us(Gcp, "us-east4", "Ashburn, Virginia", &["us-east4-a", "us-east4-b", "us-east4-c"]),
    us(Gcp, "us-east5", "Columbus, Ohio", &["us-east5-a", "us-east5-b", "us-east5-c"]),
    us(Gcp, "us-south1", "Dallas, Texas", &["us-south1-a", "us-south1-b", "us-south1-c"]),
    us(Gcp, "us-west1", "The Dalles, Oregon", &["us-west1-a", "us-west1-b", "us-west1-c"]),
    us(Gcp, "us-west2", "Los Angeles, California", &["us-west2-a", "us-west2-b", "us-west2-c"]),
    us(Gcp, "us-west3", "Salt Lake City, Utah", &["us-west3-a", "us-west3-b", "us-west3-c"]),
    us(Gcp, "us-west4", "Las Vegas, Nevada", &["us-west4-a", "us-west4-b", "us-west4-c"]),
    eu(
        Gcp,
        "europe-central2",
        "PL",
        "Warsaw, Poland",
        &["europe-central2-a", "europe-central2-b", "europe-central2-c"],
    ),
    eu(Gcp, "europe-north1", "FI", "Hamina, Finland", &["europe-north1-a", "europe-north1-b", "europe-north1-c"]),
    eu(Gcp, "europe-north2", "SE", "Stockholm, Sweden", &["europe-north2-a", "europe-north2-b", "europe-north2-c"]),
    eu(
        Gcp,
        "europe-southwest1",
        "ES",
        "Madrid, Spain",
        &["europe-southwest1-a", "europe-southwest1-b", "europe-southwest1-c"],
    ),
    eu(Gcp, "europe-west1", "BE", "St. Ghislain, Belgium", &["europe-west1-b", "europe-west1-c", "europe-west1-d"]),
    eu(Gcp, "europe-west3", "DE", "Frankfurt, Germany", &["europe-west3-a", "europe-west3-b", "europe-west3-c"]),
    eu(Gcp, "europe-west4", "NL", "Eemshaven, Netherlands", &["europe-west4-a", "europe-west4-b", "europe-west4-c"]),
    eu(Gcp, "europe-west8", "IT", "Milan, Italy", &["europe-west8-a", "europe-west8-b", "europe-west8-c"]),
    eu(Gcp, "europe-west9", "FR", "Paris, France", &["europe-west9-a", "europe-west9-b", "europe-west9-c"]),
    eu(Gcp, "europe-west10", "DE", "Berlin, Germany", &["europe-west10-a", "europe-west10-b", "europe-west10-c"]),
    eu(Gcp, "europe-west12", "IT", "Turin, Italy", &["europe-west12-a", "europe-west12-b", "europe-west12-c"]),
];
