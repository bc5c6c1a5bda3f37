//! What can go wrong with the database, in words that name the thing and the remedy.
//!
//! Classified from SQLSTATE on PostgreSQL and from result codes on SQLite. Message text is shown and never read.

use providers::ResourceId;
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, sqlx};

use crate::core::JobId;

/// Why the store could not do what it was asked. Nothing was changed, unless a variant says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no such thing.
    #[error("{what} `{name}` does not exist: {remedy}")]
    NotFound {
        /// The kind of thing.
        what: &'static str,
        /// Its name or number as it was given.
        name: String,
        /// What to do.
        remedy: String,
    },
    /// The name is taken.
    #[error("{what} `{name}` exists already: {remedy}")]
    Exists {
        /// The kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
        /// What to do.
        remedy: String,
    },
    /// It can't be done as things are.
    #[error("{field}: {reason}; {remedy}")]
    Refused {
        /// The field or thing that is in the way.
        field: String,
        /// Why.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// An idempotency key came with another request than before.
    #[error("key `{key}` was used for another request, job {job}: use a new key for a new request")]
    KeyReused {
        /// The key.
        key: String,
        /// The job for which it stands.
        job: JobId,
    },
    /// The database has not been set up, or only in part.
    #[error(
        "database {database} has no schema of ours, or an older one (missing: {missing}): run `provisioner migrate`"
    )]
    NoSchema {
        /// Which one, without its password.
        database: String,
        /// The changes that it lacks.
        missing: String,
    },
    /// A newer release has changed the database.
    #[error("database {database} was changed by a newer release (unknown here: {unknown}): upgrade this program")]
    NewerSchema {
        /// Which one, without its password.
        database: String,
        /// The changes that this program does not know.
        unknown: String,
    },
    /// It can't be reached, or was lost on the way. A write that was under way may have been done.
    #[error("cannot reach database {database}: {reason}; check that it runs, and the URL")]
    Unreachable {
        /// Which one, without its password.
        database: String,
        /// What happened.
        reason: String,
    },
    /// It does not let us in, or not do this.
    #[error("database {database} refuses this user: {reason}; check user, password and grants")]
    Denied {
        /// Which one, without its password.
        database: String,
        /// In its own words.
        reason: String,
    },
    /// It can only be read.
    #[error("database {database} is read-only: {reason}; make it writable, or use the primary")]
    ReadOnly {
        /// Which one, without its password.
        database: String,
        /// In its own words.
        reason: String,
    },
    /// There is no room left.
    #[error("the disk of database {database} is full: {reason}; make room, then try again: nothing was lost")]
    DiskFull {
        /// Which one, without its password.
        database: String,
        /// In its own words.
        reason: String,
    },
    /// Others hold what is needed. The same call may succeed a moment later.
    #[error("database {database} is busy: {reason}; try again, or look for a long transaction that holds it")]
    Busy {
        /// Which one, without its password.
        database: String,
        /// In its own words.
        reason: String,
    },
    /// A row that the types or the catalogue refuse.
    #[error("{table} row {id} is corrupt, column {column}: {reason}; correct the row by hand, or restore a backup")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The row's key.
        id: String,
        /// The column.
        column: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A constraint of the schema was violated: two writers at once, or a mistake of ours.
    #[error("database {database} refuses the row: {reason}")]
    Constraint {
        /// Which one, without its password.
        database: String,
        /// Which kind of constraint.
        kind: Constraint,
        /// In its own words.
        reason: String,
    },
    /// Anything else.
    #[error("database {database}: {reason}")]
    Other {
        /// Which one, without its password.
        database: String,
        /// In its own words.
        reason: String,
    },
}

/// The kinds of constraints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// Another row has it already.
    Unique,
    /// It points to nothing, or something points to it.
    ForeignKey,
    /// A value that the column or the row may not have.
    Check,
}

/// Why a job's write was not done. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The job is no longer this worker's.
    #[error("the lease was lost: the job is no longer this worker's")]
    LostLease,
    /// Another job is in the middle of making that key.
    #[error("job {by} is in the middle of making key {resource}")]
    Held {
        /// The key.
        resource: ResourceId,
        /// The other job.
        by: JobId,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The classes of errors that a database has.
enum Class {
    Unreachable,
    Denied,
    ReadOnly,
    DiskFull,
    Busy,
    Constraint(Constraint),
    Other,
}

impl StoreError {
    /// What a tenant may read of it: what is wrong with a request in full, and of the database no more than that it was the database.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::NotFound { .. } | Self::Exists { .. } | Self::Refused { .. } | Self::KeyReused { .. } => {
                self.to_string()
            }
            error if error.is_passing() => "the database was not available".to_owned(),
            _ => "the service failed; its log says why".to_owned(),
        }
    }

    /// Whether another try may help.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Denied { .. }
            | Self::ReadOnly { .. }
            | Self::DiskFull { .. }
            | Self::Busy { .. } => true,
            Self::NotFound { .. }
            | Self::Exists { .. }
            | Self::Refused { .. }
            | Self::KeyReused { .. }
            | Self::NoSchema { .. }
            | Self::NewerSchema { .. }
            | Self::Corrupt { .. }
            | Self::Constraint { .. }
            | Self::Other { .. } => false,
        }
    }

    /// Puts in which database it was.
    #[must_use]
    pub(super) fn at(mut self, place: &str) -> Self {
        match &mut self {
            Self::Unreachable { database, .. }
            | Self::Denied { database, .. }
            | Self::ReadOnly { database, .. }
            | Self::DiskFull { database, .. }
            | Self::Busy { database, .. }
            | Self::Constraint { database, .. }
            | Self::Other { database, .. } => place.clone_into(database),
            Self::NotFound { .. }
            | Self::Exists { .. }
            | Self::Refused { .. }
            | Self::KeyReused { .. }
            | Self::NoSchema { .. }
            | Self::NewerSchema { .. }
            | Self::Corrupt { .. } => {}
        }
        self
    }

    /// Anything that has no class of its own.
    pub(crate) fn other(reason: impl ToString) -> Self {
        Self::new(Class::Other, reason)
    }

    pub(super) fn unreachable(reason: impl ToString) -> Self {
        Self::new(Class::Unreachable, reason)
    }

    /// The kind of the constraint that was violated, if one was.
    pub(super) const fn constraint(&self) -> Option<Constraint> {
        if let Self::Constraint { kind, .. } = self { Some(*kind) } else { None }
    }

    fn new(class: Class, reason: impl ToString) -> Self {
        let (database, reason) = (String::new(), reason.to_string());
        match class {
            Class::Unreachable => Self::Unreachable { database, reason },
            Class::Denied => Self::Denied { database, reason },
            Class::ReadOnly => Self::ReadOnly { database, reason },
            Class::DiskFull => Self::DiskFull { database, reason },
            Class::Busy => Self::Busy { database, reason },
            Class::Constraint(kind) => Self::Constraint { database, kind, reason },
            Class::Other => Self::Other { database, reason },
        }
    }

    fn of_sqlx(error: &sqlx::Error) -> Self {
        let class = match error {
            sqlx::Error::Database(inner) => class_of(inner.as_ref()),
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Class::Unreachable
            }
            sqlx::Error::PoolTimedOut => return Self::unreachable(NO_CONNECTION),
            _ => Class::Other,
        };
        Self::new(class, error)
    }
}

const NO_CONNECTION: &str = "no connection came free in time: it does not answer, or all of them are in long use";

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::of_sqlx(&error)
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match &error {
            DbErr::Conn(RuntimeErr::SqlxError(inner))
            | DbErr::Exec(RuntimeErr::SqlxError(inner))
            | DbErr::Query(RuntimeErr::SqlxError(inner)) => Self::of_sqlx(inner),
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => Self::unreachable(NO_CONNECTION),
            DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed) => {
                Self::unreachable("the connection was closed")
            }
            _ => Self::other(error),
        }
    }
}

fn class_of(error: &dyn sqlx::error::DatabaseError) -> Class {
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        return class_of_sqlite(code.parse().unwrap_or(0));
    }
    class_of_sqlstate(&code)
}

/// PostgreSQL documentation, appendix A, "PostgreSQL Error Codes".
fn class_of_sqlstate(code: &str) -> Class {
    match code {
        "23505" | "23P01" => Class::Constraint(Constraint::Unique),
        "23503" => Class::Constraint(Constraint::ForeignKey),
        "23502" | "23514" => Class::Constraint(Constraint::Check),
        "25006" => Class::ReadOnly,
        "53100" => Class::DiskFull,
        // Out of connections; shutting down, starting up; the database was dropped, or never was.
        "53300" | "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "3D000" => Class::Unreachable,
        // Serialization failure, deadlock, lock not available, statement timeout.
        "40001" | "40P01" | "55P03" | "57014" => Class::Busy,
        "42501" => Class::Denied,
        code if code.starts_with("08") => Class::Unreachable,
        code if code.starts_with("28") => Class::Denied,
        _ => Class::Other,
    }
}

/// SQLite documentation, "Result and Error Codes". The low byte is the primary code.
fn class_of_sqlite(code: i32) -> Class {
    match (code & 0xff, code) {
        (_, 1555 | 2067 | 2579) => Class::Constraint(Constraint::Unique),
        (_, 787) => Class::Constraint(Constraint::ForeignKey),
        (19, _) => Class::Constraint(Constraint::Check),
        (5 | 6, _) => Class::Busy,
        (8, _) => Class::ReadOnly,
        // Full; and no room for the shared memory of the log.
        (13, _) | (_, 4874) => Class::DiskFull,
        // Not permitted.
        (3 | 23, _) => Class::Denied,
        // I/O error, cannot open, not a database.
        (10 | 14 | 26, _) => Class::Unreachable,
        _ => Class::Other,
    }
}
