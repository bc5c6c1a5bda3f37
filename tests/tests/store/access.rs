//! People, tokens and the audit.

use std::collections::BTreeMap;

use provisioner::{
    core::{Act, Identity, OrgId, Place, Role, Secret, TokenId, TokenKind, TokenScope, UserId, Who, Word, audit::Deed},
    store::{Holder, NewToken, StoreError, Unproved, User},
};
use uuid::Uuid;

use crate::fixture::{Fixture, NOW, acme, api, globex, name, refused, shop, web};

on_both!(
    a_secret_proves_its_holder_until_it_is_revoked_or_old,
    a_token_that_can_not_be_is_refused,
    who_is_taken_out_is_out_at_once,
    the_last_owner_stays,
    a_token_is_revoked_by_its_own_organization_alone,
    the_use_of_a_token_is_written_once_a_minute,
    the_audit_is_a_chain_that_two_writers_do_not_break,
    entries_that_come_together_are_written_together,
    the_database_keeps_every_entry_of_the_audit,
    what_was_changed_behind_the_back_is_found,
);

const DAY: i64 = 86_400_000;

fn token(n: u8, holder: Holder, scope: TokenScope) -> (Secret, NewToken) {
    let secret = Secret::new(holder.kind(), [n; 32]);
    let new = NewToken {
        id: TokenId::from_uuid(Uuid::from_u128(u128::from(n))),
        hash: secret.hash(),
        holder,
        scope,
        name: format!("token {n}"),
        created_by: "test".to_owned(),
        expires_ms: NOW + DAY,
    };
    (secret, new)
}

async fn made(fixture: &Fixture, n: u8, holder: Holder, scope: TokenScope) -> Secret {
    let (secret, new) = token(n, holder, scope);
    fixture.store.create_token(&new, NOW).await.unwrap();
    secret
}

async fn person(fixture: &Fixture, text: &str, n: u128) -> User {
    fixture.store.create_user(&name(text), UserId::from_uuid(Uuid::from_u128(n)), NOW).await.unwrap()
}

async fn proved(fixture: &Fixture, secret: &Secret, now_ms: i64) -> Result<Identity, Unproved> {
    fixture.store.authenticate(&secret.hash(), now_ms).await.unwrap()
}

async fn a_secret_proves_its_holder_until_it_is_revoked_or_old(fixture: Fixture) {
    let ann = person(&fixture, "ann", 1).await;
    fixture.store.set_member(acme(), &ann, Role::Owner, NOW).await.unwrap();
    let holders = [
        (Holder::Operator, Who::Operator, "operator operators (token 1)"),
        (Holder::Org(acme()), Who::Org(acme()), "org acme (token 2)"),
        (Holder::Project(acme(), web()), Who::Project { org: acme(), project: web() }, "project acme/web (token 3)"),
        (
            Holder::User(ann.id),
            Who::User { user: ann.id, roles: BTreeMap::from([(acme(), Role::Owner)]) },
            "user ann (token 4)",
        ),
    ];
    for (n, (holder, who, called)) in (1..).zip(holders) {
        let secret = made(&fixture, n, holder, TokenScope::Build).await;
        let identity = proved(&fixture, &secret, NOW + 1).await.unwrap();
        assert_eq!((&identity.who, identity.scope, identity.name.as_str()), (&who, TokenScope::Build, called));
        assert_eq!(proved(&fixture, &secret, NOW + DAY - 1).await.unwrap().who, who);
        assert_eq!(proved(&fixture, &secret, NOW + DAY).await, Err(Unproved::Expired));
        fixture.store.revoke_token(identity.token, None, NOW + 2).await.unwrap();
        assert_eq!(proved(&fixture, &secret, NOW + 3).await, Err(Unproved::Revoked));
    }
    let other = Secret::new(TokenKind::Org, [99; 32]);
    assert_eq!(proved(&fixture, &other, NOW).await, Err(Unproved::Unknown));
    assert_eq!(fixture.raw.number("SELECT count(*) FROM tokens WHERE hash LIKE '%prv%' OR name LIKE '%prv%'").await, 0);
}

async fn a_token_that_can_not_be_is_refused(fixture: Fixture) {
    let wrong = [
        ("name", NewToken { name: String::new(), ..token(1, Holder::Operator, TokenScope::Read).1 }),
        ("name", NewToken { name: "a\nb".to_owned(), ..token(1, Holder::Operator, TokenScope::Read).1 }),
        ("expires", NewToken { expires_ms: NOW, ..token(1, Holder::Operator, TokenScope::Read).1 }),
        ("expires", NewToken { expires_ms: NOW + 400 * DAY, ..token(1, Holder::Operator, TokenScope::Read).1 }),
        ("scope", token(1, Holder::Project(acme(), web()), TokenScope::Manage).1),
    ];
    for (field, new) in wrong {
        assert_eq!(refused(fixture.store.create_token(&new, NOW).await).0, field);
    }
    assert_eq!(fixture.store.tokens(None).await.unwrap(), []);
}

async fn who_is_taken_out_is_out_at_once(fixture: Fixture) {
    let (ann, bob) = (person(&fixture, "ann", 1).await, person(&fixture, "bob", 2).await);
    fixture.store.set_member(acme(), &ann, Role::Owner, NOW).await.unwrap();
    fixture.store.set_member(acme(), &bob, Role::Member, NOW).await.unwrap();
    let secret = made(&fixture, 1, Holder::User(bob.id), TokenScope::Manage).await;
    let place = Place::Project { org: acme(), project: web() };
    let word = async |act| proved(&fixture, &secret, NOW + 1).await.unwrap().may(act, place);
    assert_eq!((word(Act::AcquireBuilder).await, word(Act::DestroyCache).await), (Word::Yes, Word::No));
    fixture.store.set_member(acme(), &bob, Role::Owner, NOW).await.unwrap();
    assert_eq!(word(Act::DestroyCache).await, Word::Yes);
    fixture.store.remove_member(acme(), &bob).await.unwrap();
    assert_eq!((word(Act::AcquireBuilder).await, word(Act::GetProject).await), (Word::Unseen, Word::Unseen));
    let error = fixture.store.remove_member(acme(), &bob).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
}

async fn the_last_owner_stays(fixture: Fixture) {
    let (ann, bob) = (person(&fixture, "ann", 1).await, person(&fixture, "bob", 2).await);
    fixture.store.set_member(acme(), &ann, Role::Owner, NOW).await.unwrap();
    fixture.store.set_member(acme(), &bob, Role::Member, NOW).await.unwrap();
    for outcome in [
        fixture.store.remove_member(acme(), &ann).await,
        fixture.store.set_member(acme(), &ann, Role::Member, NOW).await,
    ] {
        let (field, text) = refused(outcome);
        assert!(field.contains("ann") && text.contains("last owner"), "{text}");
    }
    fixture.store.set_member(acme(), &bob, Role::Owner, NOW).await.unwrap();
    // Two owners that take each other out at the same moment: one of them stays.
    let (one, two) = tokio::join!(fixture.store.remove_member(acme(), &ann), fixture.store.remove_member(acme(), &bob));
    assert_eq!((u8::from(one.is_ok()), u8::from(two.is_ok())), if one.is_ok() { (1, 0) } else { (0, 1) });
    assert_eq!(fixture.store.members(acme()).await.unwrap().len(), 1);
    let nowhere = fixture.store.set_member(OrgId::from_uuid(Uuid::nil()), &ann, Role::Owner, NOW).await.unwrap_err();
    assert!(matches!(nowhere, StoreError::NotFound { .. }), "{nowhere}");
}

async fn a_token_is_revoked_by_its_own_organization_alone(fixture: Fixture) {
    let ours = made(&fixture, 1, Holder::Project(acme(), api()), TokenScope::Build).await;
    made(&fixture, 2, Holder::Org(globex()), TokenScope::Read).await;
    let id = proved(&fixture, &ours, NOW + 1).await.unwrap().token;
    let error = fixture.store.revoke_token(id, Some(globex()), NOW).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { what: "token", .. }), "{error}");
    assert!(proved(&fixture, &ours, NOW + 2).await.is_ok());
    let listed = fixture.store.tokens(Some(acme())).await.unwrap();
    assert_eq!(listed.iter().map(|token| (token.id, token.holder.as_str())).collect::<Vec<_>>(), [(id, "acme/api")]);
    fixture.store.revoke_token(id, Some(acme()), NOW + 5).await.unwrap();
    fixture.store.revoke_token(id, Some(acme()), NOW + 9).await.unwrap();
    assert_eq!(fixture.store.tokens(Some(acme())).await.unwrap()[0].revoked_ms, Some(NOW + 5));
    let _ = shop();
}

async fn the_use_of_a_token_is_written_once_a_minute(fixture: Fixture) {
    let secret = made(&fixture, 1, Holder::Org(acme()), TokenScope::Read).await;
    let used = async || fixture.store.tokens(Some(acme())).await.unwrap()[0].last_used_ms;
    assert_eq!(used().await, None);
    for (later, expected) in [(1, 1), (59_000, 1), (60_001, 60_001), (100_000, 60_001)] {
        proved(&fixture, &secret, NOW + later).await.unwrap();
        assert_eq!(used().await, Some(NOW + expected), "{later}");
    }
    let commits = fixture.store.commits();
    proved(&fixture, &secret, NOW + 100_001).await.unwrap();
    assert_eq!(fixture.store.commits(), commits, "a look writes nothing");
}

fn deed(n: i64) -> Deed {
    Deed {
        at_ms: NOW + n,
        identity: "org acme (ci)".to_owned(),
        token: Some(TokenId::from_uuid(Uuid::from_u128(3))),
        address: Some("10.0.0.9".to_owned()),
        act: "builder.stop".to_owned(),
        org: Some(if n % 2 == 0 { acme() } else { globex() }),
        resource: format!("acme/web {n} \"ä\""),
        outcome: "accepted".to_owned(),
        detail: (n % 3 == 0).then(|| "job 7".to_owned()),
    }
}

async fn the_audit_is_a_chain_that_two_writers_do_not_break(fixture: Fixture) {
    assert_eq!(fixture.store.check_audit().await.unwrap().sound, 0);
    let writer = |from: i64| {
        let store = fixture.store.clone();
        async move {
            for n in from..from + 20 {
                store.append_deed(deed(n)).await.unwrap();
            }
        }
    };
    tokio::join!(writer(0), writer(100), writer(200));
    let checked = fixture.store.check_audit().await.unwrap();
    assert_eq!((checked.sound, &checked.flaw), (60, &None));
    let last = fixture.store.audit(None, 59, 10).await.unwrap();
    assert_eq!(checked.last, Some((60, last[0].hash.clone())));
    let ours = fixture.store.audit(Some(acme()), 0, 100).await.unwrap();
    assert_eq!(ours.len(), 30);
    assert!(ours.iter().all(|entry| entry.deed.org == Some(acme())));
}

/// Those who come together are written together, and each is told its own number; another process's are between them or not.
async fn entries_that_come_together_are_written_together(fixture: Fixture) {
    let other = fixture.database.store().await;
    let before = (fixture.store.commits(), other.commits());
    let calls = (0..300).map(|n| {
        let store = if n % 3 == 0 { other.clone() } else { fixture.store.clone() };
        tokio::spawn(async move { (n, store.append_deed(deed(n)).await.unwrap()) })
    });
    let told: Vec<(i64, i64)> = futures_util::future::join_all(calls).await.into_iter().map(Result::unwrap).collect();
    let commits = fixture.store.commits() + other.commits() - before.0 - before.1;
    assert!(commits < 100, "{commits} commits");
    let entries = fixture.store.audit(None, 0, 1_000).await.unwrap();
    for (n, seq) in told {
        let entry = entries.iter().find(|entry| entry.seq == seq).unwrap();
        assert_eq!(entry.deed, deed(n));
    }
    // PostgreSQL's text holds no NUL; whoever asks for such a thing is in the audit all the same.
    fixture.store.append_deed(Deed { resource: "acme\0/web".to_owned(), ..deed(0) }).await.unwrap();
    let checked = fixture.store.check_audit().await.unwrap();
    assert_eq!((checked.sound, checked.flaw), (301, None));
}

async fn the_database_keeps_every_entry_of_the_audit(fixture: Fixture) {
    for n in 0..3 {
        fixture.store.append_deed(deed(n)).await.unwrap();
    }
    let mut ways =
        vec!["UPDATE audit SET outcome = 'x'", "UPDATE audit SET seq = 9 WHERE seq = 3", "DELETE FROM audit"];
    if fixture.store.backend() == provisioner::store::Backend::Postgres {
        ways.push("TRUNCATE audit");
    }
    for sql in ways {
        let error = fixture.raw.run(sql).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{sql}: {error}");
    }
    assert_eq!(fixture.store.check_audit().await.unwrap().sound, 3);
}

async fn what_was_changed_behind_the_back_is_found(fixture: Fixture) {
    for n in 0..5 {
        fixture.store.append_deed(deed(n)).await.unwrap();
    }
    // Whoever owns the database can take its guard away: the chain tells.
    let unguarded = match fixture.store.backend() {
        provisioner::store::Backend::Sqlite => "DROP TRIGGER audit_keeps_rows",
        provisioner::store::Backend::Postgres => "DROP TRIGGER audit_keeps_rows ON audit",
    };
    fixture.raw.run(unguarded).await.unwrap();
    fixture.raw.run("UPDATE audit SET identity = 'nobody' WHERE seq = 3").await.unwrap();
    let checked = fixture.store.check_audit().await.unwrap();
    assert_eq!(checked.sound, 2);
    assert!(checked.flaw.as_ref().unwrap().contains("entry 3 was changed"), "{checked:?}");
}
