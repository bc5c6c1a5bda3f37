//! The table of `docs/access.md`, cell by cell, and what no table shows.

use std::{collections::BTreeMap, fmt::Write as _};

use uuid::Uuid;

use super::*;

const ORG: OrgId = OrgId::from_uuid(Uuid::from_u128(1));
const OTHER: OrgId = OrgId::from_uuid(Uuid::from_u128(2));
const PROJECT: ProjectId = ProjectId::from_uuid(Uuid::from_u128(3));
const TRUST: TrustId = TrustId::from_uuid(Uuid::from_u128(6));
const SIBLING: ProjectId = ProjectId::from_uuid(Uuid::from_u128(4));

fn identity(who: Who, scope: TokenScope) -> Identity {
    Identity { token: TokenId::from_uuid(Uuid::from_u128(9)), name: "test".to_owned(), scope, who }
}

fn user(role: Role) -> Who {
    Who::User { user: UserId::from_uuid(Uuid::from_u128(5)), roles: BTreeMap::from([(ORG, role)]) }
}

/// The columns of the table.
fn holders() -> [(&'static str, Who); 6] {
    [
        ("operator", Who::Operator),
        ("owner", user(Role::Owner)),
        ("member", user(Role::Member)),
        ("organization", Who::Org(ORG)),
        ("project", Who::Project { org: ORG, project: PROJECT }),
        ("workflow", Who::Workflow { org: ORG, trust: TRUST, projects: BTreeSet::from([PROJECT]) }),
    ]
}

fn place(act: Act) -> Place {
    match act.level() {
        Level::Installation => Place::Installation,
        Level::Own => Place::Own,
        Level::Org => Place::Org(ORG),
        Level::Project => Place::Project { org: ORG, project: PROJECT },
    }
}

fn table() -> String {
    let mut text = String::from("| act | needs |");
    for (name, _) in holders() {
        let _ = write!(text, " {name} |");
    }
    text.push_str("\n| --- | --- |");
    text.push_str(&" --- |".repeat(holders().len()));
    text.push('\n');
    for act in Act::ALL {
        let _ = write!(text, "| `{}` | {} |", act.as_str(), act.needs().as_str());
        for (_, who) in holders() {
            let word = match identity(who, TokenScope::Manage).may(*act, place(*act)) {
                Word::Yes => "yes",
                Word::No => "no",
                Word::Unseen => "unseen",
            };
            let _ = write!(text, " {word} |");
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_table_of_the_documents_is_this_function() {
    let document = include_str!("../../../../docs/access.md");
    assert!(document.contains(&table()), "docs/access.md has to hold this table:\n{}", table());
}

#[test]
fn nobody_sees_what_is_not_theirs() {
    for (name, who) in holders().into_iter().skip(1) {
        for scope in TokenScope::ALL {
            let it = identity(who.clone(), scope);
            for act in Act::ALL {
                for place in [Place::Org(OTHER), Place::Project { org: OTHER, project: SIBLING }] {
                    assert_eq!(it.may(*act, place), Word::Unseen, "{name} {} {place:?}", act.as_str());
                }
            }
        }
    }
    let ones = [
        Who::Project { org: ORG, project: PROJECT },
        Who::Workflow { org: ORG, trust: TRUST, projects: BTreeSet::from([PROJECT]) },
    ];
    for (one, act) in ones.into_iter().flat_map(|who| Act::ALL.iter().map(move |act| (who.clone(), act))) {
        let one = identity(one, TokenScope::Manage);
        assert_eq!(one.may(*act, Place::Project { org: ORG, project: SIBLING }), Word::Unseen, "{}", act.as_str());
        assert_eq!(one.may(*act, Place::Org(ORG)), Word::Unseen, "{}", act.as_str());
    }
}

#[test]
fn a_token_does_no_more_than_its_scope() {
    for (name, who) in holders() {
        for scope in TokenScope::ALL {
            for act in Act::ALL.iter().filter(|act| act.needs() > scope) {
                let word = identity(who.clone(), scope).may(*act, place(*act));
                assert_ne!(word, Word::Yes, "{name} with {} does {}", scope.as_str(), act.as_str());
            }
        }
    }
}

#[test]
fn names_are_unique() {
    let names: std::collections::BTreeSet<&str> = Act::ALL.iter().map(|act| act.as_str()).collect();
    assert_eq!(names.len(), Act::ALL.len());
}
