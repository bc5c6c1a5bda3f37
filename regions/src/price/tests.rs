//! The figures against a few that were read off the sources by hand, and the tables against the catalogue.

use std::collections::BTreeSet;

use super::*;
use crate::{Arch, MachineType, Size, machine_types, regions};

fn region(cloud: Cloud, name: &str) -> Region {
    Region::find(cloud, name).unwrap()
}

fn virginia() -> Region {
    region(Cloud::Aws, "us-east-1")
}

fn iowa() -> Region {
    region(Cloud::Gcp, "us-central1")
}

fn every_machine_type(cloud: Cloud) -> Vec<MachineType> {
    let of = |arch| Size::ALL.into_iter().flat_map(move |size| machine_types(cloud, arch, size));
    Arch::ALL.into_iter().flat_map(of).collect()
}

fn text(amount: Option<Money>) -> String {
    amount.map_or_else(|| "unknown".to_owned(), |amount| amount.to_string())
}

#[test]
fn machines_cost_what_the_sources_say() {
    for (region, word, month) in [
        (virginia(), "m7i.xlarge", "$147.17"),                            // 0.2016 an hour
        (virginia(), "m7i.8xlarge", "$1177.34"),                          // 1.6128
        (virginia(), "c7i.2xlarge", "$260.61"),                           // 0.3570
        (virginia(), "c8g.xlarge", "$116.45"),                            // 0.15952
        (region(Cloud::Aws, "eu-central-1"), "m7g.2xlarge", "$285.47"),   // 0.3910, of an 8xlarge of 1.5642
        (region(Cloud::Aws, "eu-west-1"), "c7g.4xlarge", "$452.71"),      // 0.6202, of an 8xlarge of 1.2403
        (region(Cloud::Aws, "us-west-1"), "c6a.xlarge", "$139.28"),       // 0.1908
        (region(Cloud::Aws, "eu-north-1"), "m6i.xlarge", "$148.92"),      // 0.2040
        (iowa(), "e2-standard-4", "$97.84"),                              // 0.13402
        (iowa(), "c4a-standard-4", "$131.11"),                            // 0.1796
        (iowa(), "t2a-standard-16", "$449.68"),                           // 0.6160
        (region(Cloud::Gcp, "europe-north2"), "n4-highcpu-8", "$245.17"), // 0.3358488
        (region(Cloud::Gcp, "europe-west4"), "c4-standard-32", "$1212.11"), // 1.66043
    ] {
        assert_eq!(text(machine_month(region, word)), month, "{word} in {region}");
    }
}

#[test]
fn every_machine_type_has_a_price_in_the_first_regions() {
    for (cloud, region) in [(Cloud::Aws, virginia()), (Cloud::Gcp, iowa())] {
        for machine in every_machine_type(cloud) {
            assert!(machine_month(region, machine.name()).is_some(), "{machine} in {region}");
        }
    }
}

#[test]
fn whatever_the_catalogue_offers_has_a_price_but_for_what_the_source_lacks() {
    let mut unknown = BTreeSet::new();
    for region in regions() {
        let offered = |machine: &MachineType| region.zones().any(|zone| machine.offered_in(zone));
        for machine in every_machine_type(region.cloud()).into_iter().filter(offered) {
            if machine_month(region, machine.name()).is_none() {
                unknown.insert(format!("{region} {}", machine.name()));
            }
        }
    }
    let lacking = ["2xlarge", "4xlarge", "8xlarge", "xlarge"].map(|size| format!("aws/eu-south-1 m8g.{size}"));
    assert_eq!(unknown, BTreeSet::from(lacking));
}

#[test]
fn a_larger_machine_of_a_family_costs_more_in_every_region() {
    for region in regions() {
        let machines = every_machine_type(region.cloud());
        for small in &machines {
            let family = |machine: &MachineType| {
                machine.name().rsplit_once(['.', '-']).map(|(family, _)| family.to_owned()).unwrap()
            };
            for large in machines.iter().filter(|large| family(large) == family(small) && large.size() > small.size()) {
                let (low, high) = (machine_month(region, small.name()), machine_month(region, large.name()));
                assert_eq!(low.is_some(), high.is_some(), "{small}, {large} in {region}");
                assert!(low.is_none() || low < high, "{small}: {low:?}, {large}: {high:?} in {region}");
            }
        }
    }
}

#[test]
fn the_tables_name_nothing_that_the_catalogue_has_not() {
    let of = |cloud| regions().filter(move |r| r.cloud() == cloud).map(Region::name).collect::<BTreeSet<_>>();
    let named = |rows: &[(&'static str, [u64; 3])]| rows.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>();
    assert_eq!(aws::MACHINES.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), of(Cloud::Aws));
    assert_eq!(gcp::MACHINES.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), of(Cloud::Gcp));
    assert_eq!(named(aws::GP3), of(Cloud::Aws));
    assert_eq!(named(gcp::STORAGE), of(Cloud::Gcp));
    assert!(named(gcp::HYPERDISK_BALANCED).is_subset(&of(Cloud::Gcp)));
    assert!(aws::SNAPSHOTS.iter().all(|(name, _)| of(Cloud::Aws).contains(name)));

    let names = |cloud| every_machine_type(cloud).into_iter().map(MachineType::name).collect::<BTreeSet<_>>();
    assert!(aws::FAMILIES.iter().all(|family| names(Cloud::Aws).contains(format!("{family}.8xlarge").as_str())));
    assert!(gcp::SERIES.iter().all(|series| names(Cloud::Gcp).contains(format!("{series}-32").as_str())));
}

#[test]
fn volumes_cost_their_size_and_what_is_provisioned_above_the_baseline() {
    let gp3 = |size_gib, iops, rate| text(volume_month(virginia(), "gp3", size_gib, iops, rate));
    assert_eq!(gp3(100, None, None), "$8.00");
    assert_eq!(gp3(100, Some(3_000), Some(125)), "$8.00");
    assert_eq!(gp3(100, Some(4_000), None), "$13.00");
    assert_eq!(gp3(100, Some(4_000), Some(225)), "$17.00");
    assert_eq!(text(volume_month(region(Cloud::Aws, "eu-central-1"), "gp3", 100, None, None)), "$9.52");

    assert_eq!(text(volume_month(iowa(), "pd-ssd", 100, None, None)), "$17.00");
    assert_eq!(text(volume_month(region(Cloud::Gcp, "europe-west10"), "pd-balanced", 100, None, None)), "$15.40");
    assert_eq!(text(volume_month(iowa(), "hyperdisk-balanced", 100, Some(4_000), Some(240))), "$17.00");
}

#[test]
fn what_no_source_gave_is_unknown() {
    let spain = region(Cloud::Aws, "eu-south-2");
    assert!(volume_month(spain, "gp3", 100, Some(3_000), Some(125)).is_some());
    assert_eq!(volume_month(spain, "gp3", 100, Some(3_001), None), None);
    assert_eq!(volume_month(spain, "gp3", 100, None, Some(126)), None);
    assert_eq!(volume_month(region(Cloud::Gcp, "europe-west1"), "hyperdisk-balanced", 100, None, None), None);
    assert_eq!(snapshot_month(region(Cloud::Aws, "us-east-2"), 100), None);
    assert_eq!(snapshot_month(region(Cloud::Gcp, "us-east5"), 100), None);
    assert_eq!(machine_month(region(Cloud::Aws, "us-west-1"), "c7a.xlarge"), None);
}

#[test]
fn an_unknown_word_has_no_price() {
    for word in ["", "c7g", "c7g.", "c7g.metal", "c7g.16xlarge", "m5.xlarge", "aws/c7g.xlarge", "e2-standard-4"] {
        assert_eq!(machine_month(virginia(), word), None, "{word}");
    }
    for word in ["", "e2", "e2-standard", "e2-standard-2", "e2-standard-64", "n1-standard-4", "c7g.xlarge"] {
        assert_eq!(machine_month(iowa(), word), None, "{word}");
    }
    for word in ["", "gp2", "GP3", "pd-ssd", "hyperdisk-balanced"] {
        assert_eq!(volume_month(virginia(), word, 1, None, None), None, "{word}");
    }
    for word in ["", "pd-standard", "gp3"] {
        assert_eq!(volume_month(iowa(), word, 1, None, None), None, "{word}");
    }
}

#[test]
fn snapshots_and_keys_cost_what_the_sources_say() {
    assert_eq!(text(snapshot_month(virginia(), 100)), "$5.00");
    assert_eq!(text(snapshot_month(region(Cloud::Aws, "eu-central-1"), 100)), "$5.40");
    assert_eq!(text(snapshot_month(region(Cloud::Gcp, "europe-west3"), 100)), "$5.90");
    assert_eq!(key_month(Cloud::Aws).to_string(), "$1.00");
    assert_eq!(key_month(Cloud::Gcp).to_string(), "$0.06");
}

#[test]
fn money_is_written_in_cents_and_adds_up() {
    for (micros, text) in [
        (0, "$0.00"),
        (4_999, "$0.00"),
        (5_000, "$0.01"),
        (60_000, "$0.06"),
        (12_344_999, "$12.34"),
        (12_345_000, "$12.35"),
        (999_999_999, "$1000.00"),
        (u64::MAX, "$18446744073709.55"),
    ] {
        assert_eq!(Money::from_micros(micros).to_string(), text);
    }
    assert_eq!(format!("{:>8}|", Money::from_micros(1_230_000)), "   $1.23|");
    assert!(Money::from_micros(1) > Money::ZERO);
    assert_eq!([1, 2, 3].map(Money::from_micros).into_iter().sum::<Money>(), Money::from_micros(6));
    let mut total = Money::from_micros(u64::MAX);
    total += Money::from_micros(1);
    assert_eq!(total.micros(), u64::MAX);
}
