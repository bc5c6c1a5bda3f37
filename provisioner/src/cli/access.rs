//! `user`, `member`, `token` and `audit`: who may come in by the API's door, and what was done there.
//!
//! These work at the database: whoever can reach that is an operator. What they change they write into the audit.

use serde_json::{Value, json};

use super::{
    Failure,
    args::{AuditCommand, MemberCommand, TokenCommand, TokenCreate, UserCommand},
    screen::or_dash,
    session::Session,
    time::{clock_time, rfc3339},
};
use crate::{
    core::{Act, OrgId, Role, TokenId, TokenKind, TokenScope, audit::Deed},
    edge,
    store::{Holder, NewToken, Token},
};

/// Entries that an export reads at a time.
const PAGE: u32 = 1_000;

/// What a command at the database changes, for the audit.
pub(super) fn deed(session: &Session, act: Act, org: Option<OrgId>, resource: String) -> Deed {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "unknown".to_owned());
    Deed {
        at_ms: session.now_ms(),
        identity: format!("operator at the database ({user})"),
        token: None,
        address: None,
        act: act.as_str().to_owned(),
        org,
        resource,
        outcome: "accepted".to_owned(),
        detail: None,
    }
}

pub(crate) async fn user(session: &Session, command: UserCommand) -> Result<(), Failure> {
    let screen = session.screen;
    match command {
        UserCommand::Create { user } => {
            let deed = deed(session, Act::CreateUser, None, user.to_string());
            let change = session.store.create_user(&user, edge::new_user_id(), session.now_ms());
            let user = session.store.audited(deed, change).await?;
            if screen.is_json() {
                let made = rfc3339(user.created_ms);
                return screen.json(&json!({ "id": user.id, "name": user.name, "created_at": made }));
            }
            screen.line(&format!(
                "user {} made; `provisioner member set ORG {} --role ROLE` is next",
                user.name, user.name
            ))
        }
        UserCommand::List => {
            let users = session.store.users().await?;
            if screen.is_json() {
                let views = users
                    .iter()
                    .map(|user| json!({ "id": user.id, "name": user.name, "created_at": rfc3339(user.created_ms) }));
                return screen.json(&views.collect::<Vec<Value>>());
            }
            let rows = users.iter().map(|user| vec![user.name.to_string(), clock_time(user.created_ms)]);
            screen.table(&["USER", "MADE"], rows.collect(), "nobody; `provisioner user create NAME` makes one known")
        }
    }
}

pub(crate) async fn member(session: &Session, command: MemberCommand) -> Result<(), Failure> {
    let screen = session.screen;
    match command {
        MemberCommand::Set { org, user, role } => {
            let (org, user, role) =
                (session.store.org(&org).await?, session.store.user(&user).await?, Role::from(role));
            let resource = format!("{}/{} {}", org.name, user.name, role.as_str());
            let deed = deed(session, Act::SetMember, Some(org.id), resource);
            session.store.audited(deed, session.store.set_member(org.id, &user, role, session.now_ms())).await?;
            if screen.is_json() {
                return screen.json(&json!({ "org": org.name, "user": user.name, "role": role }));
            }
            screen.line(&format!("{} is {} of {}", user.name, role.as_str(), org.name))
        }
        MemberCommand::List { org } => {
            let org = session.store.org(&org).await?;
            let members = session.store.members(org.id).await?;
            if screen.is_json() {
                let views = members
                    .iter()
                    .map(|member| json!({ "org": org.name, "user": member.user.name, "role": member.role }));
                return screen.json(&views.collect::<Vec<Value>>());
            }
            let rows = members.iter().map(|member| vec![member.user.name.to_string(), member.role.as_str().to_owned()]);
            let none = "nobody; `provisioner member set ORG USER --role owner` makes an owner";
            screen.table(&["USER", "ROLE"], rows.collect(), none)
        }
        MemberCommand::Remove { org, user } => {
            let (org, user) = (session.store.org(&org).await?, session.store.user(&user).await?);
            let deed = deed(session, Act::RemoveMember, Some(org.id), format!("{}/{}", org.name, user.name));
            session.store.audited(deed, session.store.remove_member(org.id, &user)).await?;
            if screen.is_json() {
                return screen.json(&json!({ "org": org.name, "user": user.name, "role": null }));
            }
            screen.line(&format!("{} is out of {}", user.name, org.name))
        }
    }
}

pub(crate) async fn token(session: &Session, command: TokenCommand) -> Result<(), Failure> {
    let (screen, now_ms) = (session.screen, session.now_ms());
    match command {
        TokenCommand::Bootstrap(terms) => {
            let tokens = session.store.tokens(None).await?;
            let is_good = |token: &&Token| {
                token.kind == TokenKind::Operator && token.revoked_ms.is_none() && token.expires_ms > now_ms
            };
            if let Some(other) = tokens.iter().find(is_good) {
                return Err(Failure::failed(format!(
                    "the operators have a token already: {} ({})",
                    other.id, other.name
                ))
                .remedy("use it; or make another with `provisioner token create --operator --scope manage`")
                .remedy(format!("if its secret is lost: `provisioner token revoke {}` first", other.id)));
            }
            issue(session, Holder::Operator, TokenScope::Manage, &terms.name, terms.expires.ms(now_ms)).await
        }
        TokenCommand::Create(new) => {
            let holder = holder(session, &new).await?;
            issue(session, holder, new.scope.into(), &new.terms.name, new.terms.expires.ms(now_ms)).await
        }
        TokenCommand::List { org } => {
            let org = session.org_id(org.as_ref()).await?;
            let tokens = session.store.tokens(org).await?;
            if screen.is_json() {
                return screen.json(&tokens.iter().map(view).collect::<Vec<Value>>());
            }
            let rows = tokens.iter().map(|token| {
                vec![
                    token.id.to_string(),
                    token.kind.as_str().to_owned(),
                    token.holder.clone(),
                    token.scope.as_str().to_owned(),
                    token.name.clone(),
                    life(token, now_ms),
                    or_dash(token.last_used_ms.map(clock_time)),
                    token.created_by.clone(),
                ]
            });
            let head = ["ID", "KIND", "OF", "SCOPE", "NAME", "GOOD UNTIL", "LAST USED", "MADE BY"];
            screen.table(&head, rows.collect(), "no tokens; `provisioner token bootstrap` makes the first")
        }
        TokenCommand::Revoke { id } => {
            let id = TokenId::from_uuid(id);
            let known = session.store.tokens(None).await?.into_iter().find(|token| token.id == id);
            let deed = deed(session, Act::RevokeToken, known.and_then(|token| token.org), id.to_string());
            session.store.audited(deed, session.store.revoke_token(id, None, now_ms)).await?;
            if screen.is_json() {
                return screen.json(&json!({ "id": id, "revoked": true }));
            }
            screen.line(&format!("token {id} is worthless now"))
        }
    }
}

async fn holder(session: &Session, new: &TokenCreate) -> Result<Holder, Failure> {
    if let Some(org) = &new.org {
        return Ok(Holder::Org(session.store.org(org).await?.id));
    }
    if let Some(path) = &new.project {
        let (org, project) = session.store.project(&path.org, &path.project).await?;
        return Ok(Holder::Project(org.id, project.id));
    }
    if let Some(user) = &new.user {
        return Ok(Holder::User(session.store.user(user).await?.id));
    }
    Ok(Holder::Operator)
}

async fn issue(
    session: &Session,
    holder: Holder,
    scope: TokenScope,
    name: &str,
    expires_ms: i64,
) -> Result<(), Failure> {
    let secret = edge::new_secret(holder.kind())
        .map_err(|error| Failure::failed(format!("the operating system gives no random bits: {error}")))?;
    let new = NewToken {
        id: edge::new_token_id(),
        hash: secret.hash(),
        holder,
        scope,
        name: name.to_owned(),
        created_by: "operator at the database".to_owned(),
        expires_ms,
    };
    let org = match holder {
        Holder::Org(org) | Holder::Project(org, _) => Some(org),
        Holder::Operator | Holder::User(_) => None,
    };
    let deed = deed(session, Act::CreateToken, org, format!("{} {} ({name})", holder.kind().as_str(), new.id));
    session.store.audited(deed, session.store.create_token(&new, session.now_ms())).await?;
    if session.screen.is_json() {
        return session.screen.json(&json!({
            "id": new.id, "kind": holder.kind(), "scope": scope, "name": name, "expires_at": rfc3339(expires_ms),
            "secret": secret.reveal(),
        }));
    }
    session.screen.line(secret.reveal())?;
    let told = format!("token {}, scope {}, good until {}", new.id, scope.as_str(), clock_time(expires_ms));
    // The secret alone is on standard output, for scripts that keep it.
    eprintln!("{told}; this is the only time that it is shown");
    Ok(())
}

fn view(token: &Token) -> Value {
    json!({
        "id": token.id, "kind": token.kind, "holder": token.holder, "scope": token.scope, "name": token.name,
        "created_by": token.created_by, "created_at": rfc3339(token.created_ms),
        "expires_at": rfc3339(token.expires_ms), "last_used_at": token.last_used_ms.map(rfc3339),
        "revoked_at": token.revoked_ms.map(rfc3339),
    })
}

fn life(token: &Token, now_ms: i64) -> String {
    match token.revoked_ms {
        Some(at) => format!("revoked {}", clock_time(at)),
        None if token.expires_ms <= now_ms => format!("expired {}", clock_time(token.expires_ms)),
        None => clock_time(token.expires_ms),
    }
}

pub(crate) async fn audit(session: &Session, command: AuditCommand) -> Result<(), Failure> {
    let screen = session.screen;
    match command {
        AuditCommand::List { org, after, limit } => {
            let org = session.org_id(org.as_ref()).await?;
            let entries = session.store.audit(org, after, limit).await?;
            if screen.is_json() {
                return screen.json(&entries);
            }
            let rows = entries.iter().map(|entry| {
                let deed = &entry.deed;
                vec![
                    entry.seq.to_string(),
                    clock_time(deed.at_ms),
                    deed.identity.clone(),
                    or_dash(deed.address.clone()),
                    deed.act.clone(),
                    deed.resource.clone(),
                    deed.outcome.clone(),
                    or_dash(deed.detail.clone()),
                ]
            });
            let head = ["N", "WHEN", "WHO", "FROM", "WHAT", "ON", "OUTCOME", "DETAIL"];
            screen.table(&head, rows.collect(), "nothing was done")
        }
        AuditCommand::Export => {
            let mut after = 0;
            loop {
                let page = session.store.audit(None, after, PAGE).await?;
                for entry in &page {
                    screen.line(&serde_json::to_string(entry)?)?;
                    after = entry.seq;
                }
                if page.len() < PAGE as usize {
                    return Ok(());
                }
            }
        }
        AuditCommand::Verify { includes } => verify(session, includes).await,
    }
}

async fn verify(session: &Session, includes: Option<(i64, String)>) -> Result<(), Failure> {
    let checked = session.store.check_audit().await?;
    let mut flaw = checked.flaw.clone();
    if let (None, Some((seq, hash))) = (&flaw, &includes) {
        let there = session.store.audit(None, seq - 1, 1).await?;
        if there.first().is_none_or(|entry| entry.seq != *seq || entry.hash != *hash) {
            flaw = Some(format!("entry {seq} is not the one that was there: it was cut off, or all from it on is new"));
        }
    }
    let last = checked.last.as_ref().map(|(seq, hash)| format!("{seq}:{hash}"));
    if session.screen.is_json() {
        session.screen.json(&json!({ "sound": checked.sound, "last": last, "flaw": flaw }))?;
        return if flaw.is_some() { Err(Failure::told()) } else { Ok(()) };
    }
    match flaw {
        None => session.screen.line(&format!("{} entries, all sound; the last is {}", checked.sound, or_dash(last))),
        Some(flaw) => {
            Err(Failure::failed(format!("the audit is not sound: {flaw}; {} entries before it are", checked.sound))
                .remedy("compare it with an export or a backup, and find out who can write to the database"))
        }
    }
}
