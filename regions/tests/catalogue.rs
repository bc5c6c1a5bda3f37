//! The catalogue's own promises: what lies where, who is refused and why, and that every size can be filled.
//!
//! The list of member states stands here and not in the crate, so that a wrong row can't agree with itself.

use std::collections::HashSet;

use regions::{
    Arch, Cloud, Eu, Home, MachineType, Placement, Region, RegionError, Residency, Site, Size, SsdKind, Us, Zone,
    machine_types, refused_regions, regions,
};
use serde::{Serialize, de::DeserializeOwned};

/// European Union, "Easy to read - about the EU", section "Countries": the 27 since 1 February 2020, ISO 3166-1 alpha-2.
const MEMBER_STATES: [&str; 27] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

fn region(cloud: Cloud, name: &str) -> Region {
    Region::find(cloud, name).unwrap_or_else(|error| panic!("{error}"))
}

fn every_machine_type() -> impl Iterator<Item = MachineType> {
    Cloud::ALL.into_iter().flat_map(|cloud| {
        Arch::ALL.into_iter().flat_map(move |arch| {
            Size::ALL.into_iter().flat_map(move |size| machine_types(cloud, arch, size).collect::<Vec<_>>())
        })
    })
}

#[test]
fn every_region_lies_in_the_country_of_its_residency() {
    assert_eq!(MEMBER_STATES.iter().collect::<HashSet<_>>().len(), 27);
    for region in regions() {
        let inside = match region.residency() {
            Residency::Us => region.country() == "US",
            Residency::Eu => MEMBER_STATES.contains(&region.country()),
        };
        assert!(inside, "{region} lies in {}", region.country());
    }
}

#[test]
fn the_catalogue_is_complete() {
    let names = |cloud, residency| -> Vec<_> {
        regions().filter(|r| r.cloud() == cloud && r.residency() == residency).map(Region::name).collect()
    };
    assert_eq!(names(Cloud::Aws, Residency::Us), ["us-east-1", "us-east-2", "us-west-1", "us-west-2"]);
    assert_eq!(
        names(Cloud::Aws, Residency::Eu),
        ["eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-3"]
    );
    assert_eq!(names(Cloud::Gcp, Residency::Us).len(), 9);
    assert_eq!(names(Cloud::Gcp, Residency::Eu).len(), 11);
}

#[test]
fn zones_start_with_their_regions_name_and_end_in_a_letter() {
    for zone in regions().flat_map(Region::zones) {
        let letter = zone.name().strip_prefix(zone.region().name()).unwrap_or_else(|| panic!("{zone:?}"));
        let letter = match zone.cloud() {
            Cloud::Aws => Some(letter),
            Cloud::Gcp => letter.strip_prefix('-'),
        };
        assert!(letter.is_some_and(|l| l.len() == 1 && l.chars().all(|c| c.is_ascii_lowercase())), "{zone:?}");
    }
    for region in regions() {
        assert!(region.zones().count() >= 3, "{region} has too few zones");
    }
}

#[test]
fn nothing_is_listed_twice() {
    let mut seen = HashSet::new();
    let refused = refused_regions().iter().map(|r| format!("{}/{}", r.cloud, r.name));
    let zones = regions().flat_map(Region::zones).map(|zone| zone.to_string());
    let machines = every_machine_type().map(|machine| machine.to_string());
    for name in regions().map(|r| r.to_string()).chain(refused).chain(zones).chain(machines) {
        assert!(seen.insert(name.clone()), "{name} is listed twice");
    }
}

#[test]
fn london_and_zurich_are_refused_by_name() {
    for (cloud, name, place, country) in [
        (Cloud::Aws, "eu-west-2", "London", "the United Kingdom"),
        (Cloud::Gcp, "europe-west2", "London", "the United Kingdom"),
        (Cloud::Aws, "eu-central-2", "Zurich", "Switzerland"),
        (Cloud::Gcp, "europe-west6", "Zurich", "Switzerland"),
    ] {
        let error = Region::find(cloud, name).unwrap_err();
        assert!(matches!(&error, RegionError::Refused { .. }), "{error}");
        assert_eq!(
            error.to_string(),
            format!(
                "{cloud} region `{name}` is refused: {place} lies in {country}, which is not a member state of the \
                 European Union"
            )
        );
    }
}

#[test]
fn other_partitions_are_refused_by_name() {
    for (name, word) in [
        ("us-gov-west-1", "GovCloud"),
        ("us-gov-east-1", "GovCloud"),
        ("eusc-de-east-1", "European Sovereign Cloud"),
        ("us-iso-east-1", "classified"),
    ] {
        let error = Region::find(Cloud::Aws, name).unwrap_err().to_string();
        assert!(error.contains(word) && error.contains("partition"), "{error}");
    }
}

#[test]
fn a_name_of_the_other_cloud_or_of_none_lists_those_that_exist() {
    for (cloud, name) in
        [(Cloud::Gcp, "us-east-1"), (Cloud::Aws, "us-central1"), (Cloud::Aws, ""), (Cloud::Gcp, "US-EAST1")]
    {
        let error = Region::find(cloud, name).unwrap_err();
        let RegionError::UnknownRegion { known, .. } = &error else { panic!("{error}") };
        assert!(regions().filter(|r| r.cloud() == cloud).all(|r| known.contains(r.name())), "{error}");
    }
}

#[test]
fn an_outside_region_lists_those_that_would_do() {
    let error = region(Cloud::Aws, "us-east-1").inside(Residency::Eu).unwrap_err();
    let RegionError::Outside { region, actual, wanted, inside } = &error else { panic!("{error}") };
    assert_eq!((region.as_str(), *actual, *wanted), ("aws/us-east-1", Residency::Us, Residency::Eu));
    assert_eq!(inside, "eu-central-1, eu-north-1, eu-south-1, eu-south-2, eu-west-1, eu-west-3");
    assert!(error.to_string().ends_with(inside.as_str()), "{error}");
    assert_eq!(region_names_inside(Cloud::Gcp, Residency::Us).len(), 9);
}

fn region_names_inside(cloud: Cloud, residency: Residency) -> Vec<&'static str> {
    regions().filter(|r| r.cloud() == cloud && r.inside(residency).is_ok()).map(Region::name).collect()
}

#[test]
fn zones_are_read_back_with_an_error_that_says_what_is_wrong() {
    let read = |text: &str| Zone::try_from(text.to_owned());
    assert_eq!(read("gcp/us-central1-f").unwrap().region(), region(Cloud::Gcp, "us-central1"));
    for text in ["aws/us-east-2f", "gcp/us-central1-d", "gcp/europe-west1-a"] {
        assert!(matches!(read(text), Err(RegionError::UnknownZone { .. })), "{text}");
    }
    for text in ["aws/eu-west-2a", "gcp/europe-west6-b"] {
        assert!(matches!(read(text), Err(RegionError::Refused { .. })), "{text}");
    }
    for text in ["aws/us-east-1", "aws/us-east-1-bos-1a", "gcp/us-central1", "gcp/us-central1-ai1a", "gcp/nowhere-a"] {
        assert!(
            matches!(read(text), Err(RegionError::UnknownRegion { .. } | RegionError::UnknownZone { .. })),
            "{text}"
        );
    }
    for text in ["", "us-east-1a", "azure/us-east-1a"] {
        assert!(matches!(read(text), Err(RegionError::Malformed(_))), "{text}");
    }
}

#[test]
fn every_size_has_machine_types_to_fall_back_on() {
    for cloud in Cloud::ALL {
        for arch in Arch::ALL {
            for size in Size::ALL {
                let fits: Vec<_> = machine_types(cloud, arch, size).collect();
                assert!(fits.len() >= 2, "{cloud} {arch} {size}: {fits:?}");
                assert!(fits.iter().all(|m| (m.cloud(), m.arch(), m.size()) == (cloud, arch, size)), "{fits:?}");
                assert_eq!(fits[0].memory_gib(), size.memory_gib(), "{} is no exact fit", fits[0]);
                let exact: Vec<_> = fits.iter().map(|m| m.memory_gib() == size.memory_gib()).collect();
                assert!(exact.is_sorted_by(|a, b| a >= b), "exact fits come first: {fits:?}");
            }
        }
    }
}

#[test]
fn machine_types_have_the_memory_and_an_ssd() {
    for machine in every_machine_type() {
        let size = machine.size();
        assert!((size.memory_gib()..=2 * size.memory_gib()).contains(&machine.memory_gib()), "{machine}");
        assert!(!machine.ssds().is_empty(), "{machine}");
        for ssd in machine.ssds() {
            let of = match ssd {
                SsdKind::Gp3 => Cloud::Aws,
                SsdKind::PdSsd | SsdKind::PdBalanced | SsdKind::HyperdiskBalanced => Cloud::Gcp,
            };
            assert_eq!(of, machine.cloud(), "{machine}");
        }
    }
}

#[test]
fn every_region_can_run_x86_64_and_some_of_each_residency_arm64() {
    let offers = |region: Region, arch, size| {
        machine_types(region.cloud(), arch, size).any(|m| region.zones().any(|zone| m.offered_in(zone)))
    };
    for size in Size::ALL {
        for region in regions() {
            assert!(offers(region, Arch::X86_64, size), "{region} {size}");
            assert!(region.cloud() == Cloud::Gcp || offers(region, Arch::Arm64, size), "{region} {size}");
        }
        for residency in Residency::ALL {
            let arm = regions().filter(|r| r.cloud() == Cloud::Gcp && r.residency() == residency);
            assert!(arm.filter(|r| offers(*r, Arch::Arm64, size)).count() >= 3, "{residency} {size}");
        }
    }
}

#[test]
fn machine_types_are_offered_only_in_zones_that_have_them() {
    let machine = |name: &str| MachineType::try_from(name.to_owned()).unwrap_or_else(|error| panic!("{error}"));
    let zone = |text: &str| Zone::try_from(text.to_owned()).unwrap_or_else(|error| panic!("{error}"));
    for (name, place, offered) in [
        ("aws/c7i.xlarge", "aws/eu-central-1a", true),
        ("aws/c7i.xlarge", "aws/eu-south-1a", false), // the region lacks it
        ("aws/c8g.xlarge", "aws/eu-south-1b", true),
        ("aws/c8g.xlarge", "aws/eu-south-1c", false), // the zone lacks it
        ("aws/c7i.xlarge", "gcp/us-central1-a", false),
        ("gcp/c4a-highcpu-4", "gcp/us-central1-a", true),
        ("gcp/c4a-highcpu-4", "gcp/us-central1-f", false),
        ("gcp/t2a-standard-4", "gcp/us-central1-f", true),
        ("gcp/t2a-standard-4", "gcp/europe-west3-a", false),
        ("gcp/e2-standard-4", "gcp/europe-west12-c", true),
    ] {
        assert_eq!(machine(name).offered_in(zone(place)), offered, "{name} in {place}");
    }
    // Every zone and region that a row names is one of the catalogue, or the row would never apply.
    for machine in every_machine_type() {
        assert!(regions().flat_map(Region::zones).any(|zone| machine.offered_in(zone)), "{machine} is offered nowhere");
    }
}

#[test]
fn googles_disk_kinds_follow_the_series() {
    for machine in every_machine_type().filter(|m| m.cloud() == Cloud::Gcp) {
        let hyperdisk_only = ["c4-", "c4a-", "n4-"].iter().any(|series| machine.name().starts_with(series));
        let expected: &[_] =
            if hyperdisk_only { &[SsdKind::HyperdiskBalanced] } else { &[SsdKind::PdSsd, SsdKind::PdBalanced] };
        assert_eq!(machine.ssds(), expected, "{machine}");
    }
}

fn assert_round_trip<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: T, text: &str) {
    let json = format!("\"{text}\"");
    assert_eq!(serde_json::to_string(&value).ok(), Some(json.clone()));
    assert_eq!(serde_json::from_str::<T>(&json).ok(), Some(value));
}

#[test]
fn text_forms_round_trip() {
    for region in regions() {
        assert_round_trip(region, &region.to_string());
        for zone in region.zones() {
            assert_round_trip(zone, &zone.to_string());
        }
    }
    for machine in every_machine_type() {
        assert_round_trip(machine, &machine.to_string());
    }
    Size::ALL.into_iter().for_each(|size| assert_round_trip(size, size.as_str()));
    Arch::ALL.into_iter().for_each(|arch| assert_round_trip(arch, arch.as_str()));
    Cloud::ALL.into_iter().for_each(|cloud| assert_round_trip(cloud, cloud.as_str()));
    Residency::ALL.into_iter().for_each(|residency| assert_round_trip(residency, residency.as_str()));
}

#[test]
fn text_forms_parse_what_they_print() {
    assert!(Size::ALL.into_iter().all(|size| size.as_str().parse::<Size>().unwrap() == size));
    assert!(Arch::ALL.into_iter().all(|arch| arch.as_str().parse::<Arch>().unwrap() == arch));
    assert!(Cloud::ALL.into_iter().all(|cloud| cloud.as_str().parse::<Cloud>().unwrap() == cloud));
    assert!(Residency::ALL.into_iter().all(|r| r.as_str().parse::<Residency>().unwrap() == r));
    for wrong in ["4X8", "64x128", "x86", "ARM64", "AWS", "azure", "EU", "uk", ""] {
        assert!(wrong.parse::<Size>().is_err() && wrong.parse::<Arch>().is_err(), "{wrong}");
        assert!(wrong.parse::<Cloud>().is_err() && wrong.parse::<Residency>().is_err(), "{wrong}");
    }
}

#[test]
fn a_placement_is_checked_when_it_is_made_and_when_it_is_read() {
    for zone in regions().flat_map(Region::zones) {
        for residency in Residency::ALL {
            let placement = Placement::check(residency, zone);
            assert_eq!(placement.is_ok(), zone.region().residency() == residency, "{zone} in {residency}");
            let json = format!(r#"{{"residency":"{residency}","zone":"{zone}"}}"#);
            assert_eq!(serde_json::from_str::<Placement>(&json).ok(), placement.ok(), "{json}");
        }
    }
}

#[test]
fn a_site_is_proven_for_its_own_residency_only() {
    let frankfurt = region(Cloud::Aws, "eu-central-1").zones().next().unwrap();
    let site = Site::<Eu>::prove(frankfurt).unwrap();
    assert_eq!(Home::<Eu>::new().place(site).zone(), frankfurt);
    assert!(matches!(Site::<Us>::prove(frankfurt), Err(RegionError::Outside { .. })));
}
