//! The one door to facts and resources.
//!
//! Everything that a job learns or is about to do goes through [`Store::record`]: the facts, the rows that they change and an
//! event for those who follow, all or nothing, and only while the job is the worker's. The lane's row is locked from the
//! check to the end, so that no takeover slips in between.

mod rows;

use sea_orm::{DatabaseTransaction, QueryResult};
use uuid::Uuid;

use super::{
    Claim, RecordError, Store, StoreError,
    sql::{Row, Sql, Via},
};
use crate::core::{Entry, Fact, RowChange};

/// What was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The facts with their places and times.
    pub entries: Vec<Entry>,
    /// Whether a person has asked for the job to be called off.
    pub cancel_asked: bool,
}

/// A job that is the worker's, as the check found it.
struct Held {
    org: Uuid,
    project: Option<Uuid>,
    cancel_asked: bool,
    /// The place of its last fact.
    last: i32,
}

/// The check: the lane is held by this job, under this fence, by this session.
const HELD: &str = "SELECT j.id, j.org, j.project, j.cancel_asked, \
     (SELECT coalesce(max(f.seq), 0) FROM job_facts f WHERE f.job = j.id) AS last \
     FROM lanes l JOIN jobs j ON j.id = l.job WHERE l.lane = $1 AND l.job = $2 AND l.fence = $3 AND l.worker = $4";

/// The check without its point, for the simulation on SQLite, which has to notice.
#[cfg(feature = "sabotage")]
const UNFENCED: &str = "SELECT j.id, j.org, j.project, j.cancel_asked, \
     (SELECT coalesce(max(f.seq), 0) FROM job_facts f WHERE f.job = j.id) AS last \
     FROM jobs j WHERE j.id = $2 AND $1 IS NOT NULL AND $3 IS NOT NULL AND $4 IS NOT NULL";

impl Store {
    /// The same database, on SQLite without the rule that only a job's present holder may write for it; nobody is told that a
    /// session is over either.
    #[cfg(feature = "sabotage")]
    #[must_use]
    pub const fn without_fencing(mut self) -> Self {
        self.unfenced = true;
        self
    }

    #[cfg(feature = "sabotage")]
    pub(super) const fn is_unfenced(&self) -> bool {
        self.unfenced
    }

    #[cfg(feature = "sabotage")]
    const fn fence(&self) -> &'static str {
        if self.unfenced { UNFENCED } else { HELD }
    }

    #[cfg(not(feature = "sabotage"))]
    #[expect(clippy::unused_self, reason = "tests may take the fence away")]
    const fn fence(&self) -> &'static str {
        HELD
    }

    /// Appends the facts, applies the changes and writes one event, in one transaction, if the job is still the
    /// claim's. Statements, BEGIN and COMMIT included: on PostgreSQL one without changes, otherwise three and one or two
    /// for the changes; on SQLite five and one or two.
    ///
    /// # Errors
    /// [`RecordError::LostLease`]; [`RecordError::Held`] if a change concerns a key that another live job is in the
    /// middle of making, or whose making it has yet to learn of; [`StoreError::Exists`] for a second volume, machine or key where there may be one; and
    /// [`StoreError::Refused`] for a row of another tenant than the job's. Nothing was written then.
    pub async fn record(
        &self,
        claim: &Claim,
        facts: Vec<Fact>,
        changes: &[RowChange],
        now_ms: i64,
    ) -> Result<Recorded, RecordError> {
        let texts: Vec<String> =
            facts.iter().map(serde_json::to_string).collect::<Result<_, _>>().map_err(StoreError::other)?;
        let told = Told { claim, texts: &texts, story: story(&facts), now_ms };
        let held = if changes.is_empty() && self.is_postgres() {
            self.tell_at_once(Via::Alone, &told).await?
        } else {
            let transaction = self.begin().await?;
            let held = if self.is_postgres() {
                self.tell_at_once(Via::Within(&transaction), &told).await?
            } else {
                self.tell_in_steps(&transaction, &told).await?
            };
            let complaint = self.apply(&transaction, claim, &held, changes, now_ms).await;
            match complaint {
                Ok(()) => self.commit(transaction).await?,
                Err(error) => {
                    // Undone before anything is looked up: in memory there is one connection.
                    self.run(transaction.rollback()).await?;
                    return Err(self.explain(error, changes).await);
                }
            }
            held
        };
        let entries = (held.last + 1..).zip(facts).map(|(seq, fact)| Entry { seq, at_ms: now_ms, fact }).collect();
        Ok(Recorded { entries, cancel_asked: held.cancel_asked })
    }

    /// Check, facts and event in one statement.
    async fn tell_at_once(&self, via: Via<'_>, told: &Told<'_>) -> Result<Held, RecordError> {
        let mut sql = told.check(&format!("WITH held AS MATERIALIZED ({HELD} FOR SHARE OF l), noted AS ("));
        sql.push("INSERT INTO job_facts (job, at, seq, fact) SELECT h.id, ").bind(told.now_ms);
        sql.push(", h.last + t.nth::integer, t.fact FROM held h, json_array_elements_text(").bind(told.json()?);
        sql.push("::json) WITH ORDINALITY AS t (fact, nth)), told AS (");
        sql.push("INSERT INTO events (at, job, org, project, what) SELECT ").bind(told.now_ms);
        sql.push(", h.id, h.org, h.project, ").bind(told.story.as_str()).push(" FROM held h) SELECT * FROM held");
        held(&self.query(via, sql).await?)
    }

    /// The same for SQLite, where a statement does one thing.
    async fn tell_in_steps(&self, transaction: &DatabaseTransaction, told: &Told<'_>) -> Result<Held, RecordError> {
        let held = held(&self.query(Via::Within(transaction), told.check(self.fence())).await?)?;
        let (job, now_ms) = (told.claim.job.0, told.now_ms);
        if !told.texts.is_empty() {
            let mut sql = Sql::new("INSERT INTO job_facts (job, at, seq, fact) VALUES ");
            let places = held.last + 1..;
            sql.rows(
                places.zip(told.texts).map(|(seq, text)| vec![job.into(), now_ms.into(), seq.into(), text.into()]),
            );
            self.execute(transaction, sql).await?;
        }
        let mut sql = Sql::new("INSERT INTO events (at, job, org, project, what) VALUES ");
        let story = told.story.as_str();
        sql.rows([vec![now_ms.into(), job.into(), held.org.into(), held.project.into(), story.into()]]);
        self.execute(transaction, sql).await?;
        Ok(held)
    }
}

/// What is to be told of a job.
struct Told<'a> {
    claim: &'a Claim,
    texts: &'a [String],
    story: String,
    now_ms: i64,
}

impl Told<'_> {
    /// A statement that begins with the check, or with something around it.
    fn check(&self, text: &str) -> Sql {
        let claim = self.claim;
        Sql::with(text, [claim.lane.into(), claim.job.0.into(), claim.fence.into(), claim.session.into()])
    }

    fn json(&self) -> Result<String, StoreError> {
        serde_json::to_string(self.texts).map_err(StoreError::other)
    }
}

fn held(rows: &[QueryResult]) -> Result<Held, RecordError> {
    let row = rows.first().ok_or(RecordError::LostLease)?;
    let row = Row::new("jobs", "id", row);
    Ok(Held {
        org: row.get("org")?,
        project: row.get("project")?,
        cancel_asked: row.get("cancel_asked")?,
        last: row.get("last")?,
    })
}

/// What happened, in a few words for those who follow the events. The facts have the whole.
fn story(facts: &[Fact]) -> String {
    let words: Vec<String> = facts.iter().map(words).collect();
    words.join("; ")
}

fn words(fact: &Fact) -> String {
    match fact {
        Fact::Planned { .. } => "planned".to_owned(),
        Fact::Began { resource, verb, .. } => format!("began {} {resource}", verb.as_str()),
        Fact::Answered { resource, verb, .. } => format!("answered {} {resource}", verb.as_str()),
        Fact::Failed { resource, verb, error } => {
            let verb = verb.map_or("look", crate::core::Verb::as_str);
            format!("failed {verb} {resource}: {}", error.class())
        }
        Fact::Saw { resource, .. } => format!("saw {resource}"),
        Fact::Settled { resource } => format!("settled {resource}"),
        Fact::Unwinding { because, .. } => format!("unwinding: {}", because.class),
        Fact::CancelAsked => "cancel asked".to_owned(),
        Fact::RetryAsked => "retry asked".to_owned(),
        Fact::Ended { outcome } => outcome.ending.state().as_str().to_owned(),
    }
}
