//! A lane as one number, for narrow rows and indexes.

use uuid::Uuid;

use crate::core::Lane;
use regions::Arch;

/// The number of a lane: the high and the low half of its UUID, folded, with a mark for what kind of lane it is. Two lanes that
/// collide would merely take turns: nothing but speed depends on the number's being unique.
#[must_use]
pub fn lane_key(lane: Lane) -> i64 {
    let (uuid, mark) = match lane {
        Lane::Builder(project, Arch::X86_64) => (project.as_uuid(), 1),
        Lane::Builder(project, Arch::Arm64) => (project.as_uuid(), 2),
        Lane::Project(project) => (project.as_uuid(), 3),
        Lane::Org(org) => (org.as_uuid(), 4),
        Lane::Stray(stray) => (stray.as_uuid(), 5),
    };
    fold(uuid).wrapping_add(mark)
}

/// Half of a UUID version 7 is a time and half is chance: multiplied before it is folded, the time does not cancel the chance.
fn fold(uuid: Uuid) -> i64 {
    let (high, low) = uuid.as_u64_pair();
    (high.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ low.rotate_left(29)).cast_signed()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::core::{OrgId, ProjectId};

    #[test]
    fn lanes_of_neighbours_differ() {
        let mut seen = BTreeSet::new();
        for n in 0..10_000_u128 {
            let uuid = Uuid::from_u128((0x0192_0000_0000_7000_8000_u128 << 48) + n);
            let project = ProjectId::from_uuid(uuid);
            for lane in [
                Lane::Builder(project, Arch::X86_64),
                Lane::Builder(project, Arch::Arm64),
                Lane::Project(project),
                Lane::Org(OrgId::from_uuid(uuid)),
            ] {
                assert!(seen.insert(lane_key(lane)), "{lane:?}");
            }
        }
    }
}
