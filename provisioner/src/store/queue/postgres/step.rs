//! Finish and claim, in one statement.

use sea_orm::sqlx::{self, PgPool, Row, postgres::PgRow};

use crate::{
    core::JobId,
    store::queue::{
        marks::Sight,
        rows::JobColumns,
        step::{Step, Stepped},
    },
};

/// The ready jobs whose lane is free and in which no older job is left, the same among those that waited for their time, and of
/// both the first. `$free` says which lanes are as good as free, `$gone` which older jobs are as good as gone.
/// What this worker holds already is skipped first (`$20`), at no price.
/// Correlated scalar subqueries stay subqueries, `OFFSET 0` keeps a subquery from being folded into its surroundings: the plan
/// is the text.
macro_rules! chosen {
    ($free:literal, $gone:literal) => {
        concat!(
            "ready AS MATERIALIZED (
    SELECT j.id, j.lane, j.rank, l.stamp
    FROM unnest($7::smallint[], $8::bigint[], $9::smallint[], $10::bigint[]) AS r (rank, id, to_rank, to_id)
    CROSS JOIN LATERAL (
        SELECT j.id, j.lane, j.rank FROM jobs j
        WHERE j.run_at IS NULL AND (j.rank, j.id) >= (r.rank, r.id) AND (j.rank, j.id) < (r.to_rank, r.to_id)
            AND j.id NOT IN (SELECT unnest($20::bigint[]))
        ORDER BY j.rank, j.id OFFSET 0
    ) j",
            chosen!(lane $free, $gone),
            "
    LIMIT $11
), due AS MATERIALIZED (
    SELECT j.id, j.lane, j.rank, l.stamp
    FROM (
        SELECT j.id, j.lane, j.rank FROM jobs j
        WHERE j.run_at IS NOT NULL AND j.run_at <= $12 AND j.id NOT IN (SELECT unnest($20::bigint[]))
        ORDER BY j.run_at OFFSET 0
    ) j",
            chosen!(lane $free, $gone),
            "
    LIMIT $11
), chosen AS MATERIALIZED (
    SELECT * FROM (SELECT * FROM ready UNION ALL SELECT * FROM due) c ORDER BY c.rank, c.id LIMIT $11
)"
        )
    };
    (lane $free:literal, $gone:literal) => {
        concat!(
            "
    CROSS JOIN LATERAL (
        SELECT l.stamp FROM lanes l WHERE l.lane = j.lane AND (l.worker IS NULL",
            $free,
            ") OFFSET 0
    ) l
    WHERE CASE WHEN l.stamp IS NOT NULL AND (SELECT o.id FROM jobs o WHERE o.lane = j.lane AND o.id < j.id",
            $gone,
            " LIMIT 1) IS NULL
        THEN pg_try_advisory_xact_lock(j.lane) END"
        )
    };
}

/// What both statements answer: what is next and left in the queue, then a row for each lane that changed.
macro_rules! answer {
    ($aside:literal) => {
        concat!(
            "
SELECT
    (SELECT j.run_at FROM jobs j WHERE j.run_at IS NOT NULL AND j.run_at > $12 ORDER BY j.run_at LIMIT 1) AS next_due,
    CASE WHEN $17 THEN (SELECT j.id FROM jobs j ORDER BY j.id LIMIT 1) IS NOT NULL ELSE true END AS any_left,
    (SELECT count(*) FROM chosen) AS chosen,
    (SELECT last_value FROM jobs_id_seq) AS last_id,
    ARRAY(SELECT (SELECT j.id FROM jobs j WHERE j.run_at IS NULL AND j.rank = k.rank AND j.id >= k.id ORDER BY j.rank, j.id LIMIT 1)
        FROM unnest($18::smallint[], $19::bigint[]) WITH ORDINALITY AS k (rank, id, nth) ORDER BY k.nth) AS firsts,
    m.ended, m.next, m.lane, m.fence,
    j.created, j.org, j.project, j.attempt, j.rank, j.cancel_asked, j.verb, j.arch, j.entries",
            $aside,
            "
FROM (SELECT) AS one LEFT JOIN moved m ON true LEFT JOIN LATERAL (
    SELECT j.*, CASE WHEN j.run_at IS NOT NULL THEN
        (SELECT json_agg(json_build_array(f.seq, f.at, f.fact) ORDER BY f.seq)::text FROM job_facts f WHERE f.job = j.id)
        END AS entries
    FROM jobs j WHERE j.id = m.next OFFSET 0
) j ON true"
        )
    };
}

/// Reads from top to bottom:
/// what the worker says has ended, as far as it still holds it;
/// what it may begin, in lanes that are free or are being freed here;
/// one change for each lane: over to the next job, or to nobody.
/// The change looks at the lanes as they are when it gets there, not as they were: a lane that was lost is left alone, and
/// one whose stamp moved is freed, but gets no new job.
const STEP: &str = concat!(
    "
WITH said AS MATERIALIZED (
    SELECT s.lane, s.job, s.fence, s.state, s.outcome, l.stamp, l.since
    FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::text[], $5::text[]) AS s (lane, job, fence, state, outcome)
    CROSS JOIN LATERAL (
        SELECT l.stamp, l.since FROM lanes l
        WHERE l.lane = s.lane AND l.job = s.job AND l.fence = s.fence AND l.worker = $6 OFFSET 0
    ) l
), leaving AS MATERIALIZED (
    SELECT coalesce(array_agg(job), '{}') AS jobs FROM said
), ",
    chosen!(
        " OR l.job <> j.id AND l.job = ANY ((SELECT jobs FROM leaving)::bigint[])",
        " AND o.id <> ALL ((SELECT jobs FROM leaving)::bigint[])"
    ),
    ", moves AS MATERIALIZED (
    SELECT coalesce(s.lane, c.lane) AS lane, s.job, s.fence, s.state, s.outcome, s.since,
        coalesce(s.stamp, c.stamp) AS stamp, c.id AS next
    FROM said s FULL JOIN chosen c ON c.lane = s.lane
    ORDER BY 1
), moved AS (
    UPDATE lanes l SET
        job = CASE WHEN l.stamp = m.stamp THEN m.next END,
        worker = CASE WHEN l.stamp = m.stamp AND m.next IS NOT NULL THEN $6 END,
        since = CASE WHEN m.next IS NOT NULL THEN $12 END,
        fence = l.fence + 1,
        stamp = l.stamp + 1,
        room = NULL
    FROM moves m
    WHERE l.lane = m.lane AND CASE WHEN m.job IS NULL THEN l.stamp = m.stamp AND l.worker IS NULL
        ELSE l.job = m.job AND l.fence = m.fence AND l.worker = $6 END
    RETURNING m.job AS ended, m.state, m.outcome, m.since, l.job AS next, l.lane, l.fence
), gone AS (
    DELETE FROM jobs j USING moved m WHERE j.id = m.ended
    RETURNING j.*, m.state, m.outcome, m.since
), kept AS (
    INSERT INTO job_history (id, created, started, ended, org, project, attempt, rank, cancel_asked, state, verb, arch,
        org_name, project_name, worker, key, outcome)
    SELECT id, created, since, $12, org, project, attempt, rank, cancel_asked, state, verb, arch,
        org_name, project_name, $13, key, outcome
    FROM gone
), noted AS (
    INSERT INTO job_facts (job, at, seq, fact)
    SELECT f.job, $12, (SELECT coalesce(max(k.seq), 0) FROM job_facts k WHERE k.job = f.job) + f.nth, f.fact
    FROM unnest($14::bigint[], $15::integer[], $16::text[]) AS f (job, nth, fact)
    WHERE f.job IN (SELECT ended FROM moved)
)",
    answer!("")
);

/// The same where nothing has ended, the lanes in the same order: an update that finds a row changed keeps it locked to the end of its
/// statement, even if it then leaves it alone. What it does need not be on disk before it is answered: the first thing that is recorded
/// under a claim takes the claim to disk with it, and a claim that a crash of the server takes back before that is one under
/// which nothing was done; its holder's next write finds so.
const CLAIM: &str = concat!(
    "
WITH ",
    chosen!("", ""),
    ", moves AS MATERIALIZED (
    SELECT * FROM chosen ORDER BY lane
), moved AS (
    UPDATE lanes l SET job = c.id, worker = $6, since = $12, fence = l.fence + 1, stamp = l.stamp + 1, room = NULL
    FROM moves c
    WHERE l.lane = c.lane AND l.stamp = c.stamp AND l.worker IS NULL
    RETURNING NULL::bigint AS ended, l.job AS next, l.lane, l.fence
)",
    answer!(", set_config('synchronous_commit', 'off', true) AS aside")
);

/// See [`crate::store::queue::step`].
pub(in crate::store::queue) async fn step(pool: &PgPool, step: &Step<'_>) -> Result<Stepped, sqlx::Error> {
    let mut ended = Ended::default();
    for finish in step.finishes {
        ended.push(finish)?;
    }
    let (mut from_ranks, mut from_ids, mut to_ranks, mut to_ids) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((from_rank, from_id), (to_rank, to_id)) in step.marks.stretches() {
        from_ranks.push(from_rank);
        from_ids.push(from_id);
        to_ranks.push(to_rank);
        to_ids.push(to_id);
    }
    let (mark_ranks, mark_ids) = step.marks.as_arrays();
    let rows = sqlx::query(if step.finishes.is_empty() { CLAIM } else { STEP })
        .bind(&ended.lanes)
        .bind(&ended.jobs)
        .bind(&ended.fences)
        .bind(&ended.states)
        .bind(&ended.outcomes)
        .bind(step.session.id)
        .bind(from_ranks)
        .bind(from_ids)
        .bind(to_ranks)
        .bind(to_ids)
        .bind(i64::try_from(step.slots).unwrap_or(i64::MAX))
        .bind(step.now_ms)
        .bind(&step.session.worker.0)
        .bind(&ended.fact_jobs)
        .bind(&ended.fact_nths)
        .bind(&ended.facts)
        .bind(step.look_for_any)
        .bind(mark_ranks)
        .bind(mark_ids)
        .bind(step.running)
        .fetch_all(pool)
        .await?;
    read(&rows, step)
}

/// The ends of jobs as the arrays that the statement takes.
#[derive(Default)]
struct Ended<'a> {
    lanes: Vec<i64>,
    jobs: Vec<i64>,
    fences: Vec<i32>,
    states: Vec<&'a str>,
    outcomes: Vec<Option<String>>,
    fact_jobs: Vec<i64>,
    fact_nths: Vec<i32>,
    facts: Vec<String>,
}

impl Ended<'_> {
    fn push(&mut self, finish: &crate::store::queue::Finish) -> Result<(), sqlx::Error> {
        let job = finish.claim.job.0;
        self.lanes.push(finish.claim.lane);
        self.jobs.push(job);
        self.fences.push(super::fence(&finish.claim));
        self.states.push(finish.outcome.ending.state().as_str());
        self.outcomes.push(finish.outcome_json().map_err(super::encoding)?);
        for (nth, fact) in (1..).zip(finish.facts_json().map_err(super::encoding)?) {
            self.fact_jobs.push(job);
            self.fact_nths.push(nth);
            self.facts.push(fact);
        }
        Ok(())
    }
}

fn read(rows: &[PgRow], step: &Step<'_>) -> Result<Stepped, sqlx::Error> {
    let mut stepped = Stepped::default();
    let Some(first) = rows.first() else { return Ok(stepped) };
    stepped.next_due_ms = first.try_get(0)?;
    stepped.any = first.try_get(1)?;
    let chosen: i64 = first.try_get(2)?;
    stepped.sight = Sight { last_id: first.try_get(3)?, firsts: first.try_get(4)? };
    let mut claimed = Vec::new();
    for row in rows {
        if let Some(ended) = row.try_get::<Option<i64>, _>(5)? {
            stepped.finished.push(JobId(ended));
        }
        if let Some(next) = row.try_get::<Option<i64>, _>(6)? {
            claimed.push(JobColumns {
                id: next,
                lane: row.try_get(7)?,
                fence: row.try_get(8)?,
                created: row.try_get(9)?,
                org: row.try_get(10)?,
                project: row.try_get(11)?,
                attempt: row.try_get(12)?,
                rank: row.try_get(13)?,
                cancel_asked: row.try_get(14)?,
                verb: row.try_get(15)?,
                arch: row.try_get(16)?,
                entries: row.try_get(17)?,
            });
        }
    }
    stepped.contested = i64::try_from(claimed.len()).is_ok_and(|claimed| claimed < chosen);
    claimed.sort_by_key(|job| (job.rank, job.id));
    stepped.claimed = claimed.into_iter().map(|job| job.into_claimed(step.session)).collect();
    Ok(stepped)
}
