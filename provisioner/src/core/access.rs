//! Who may do what: a pure function of an identity, an act and the place of it.
//!
//! There are two ways of not being allowed. What an identity can't see does not exist for it: the answer is that of a name that
//! nobody has. What it sees and may not do is refused by name. `docs/access.md` is this function as a table, and a test holds
//! them together.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{OrgId, ProjectId, Request, TokenId, TrustId, UserId};

/// What a person is in an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Builds in its projects, and sees them.
    Member,
    /// Does all that can be done in it.
    Owner,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Member, Self::Owner];

    /// The name in the database and in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Owner => "owner",
        }
    }
}

/// What a token is good for at most. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenScope {
    /// To look.
    Read,
    /// To get builders, and to start, stop and remake them.
    Build,
    /// To do all that its holder may.
    Manage,
}

impl TokenScope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Read, Self::Build, Self::Manage];

    /// The name in the database and in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Build => "build",
            Self::Manage => "manage",
        }
    }
}

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Of those who operate the installation.
    Operator,
    /// An organization's own.
    Org(OrgId),
    /// A project's own.
    Project {
        /// Its organization.
        org: OrgId,
        /// The project.
        project: ProjectId,
    },
    /// A person's.
    User {
        /// The person.
        user: UserId,
        /// What the person is, and where, at this moment.
        roles: BTreeMap<OrgId, Role>,
    },
    /// A workflow's, which a trust let in.
    Workflow {
        /// Whose trust it is.
        org: OrgId,
        /// The trust.
        trust: TrustId,
        /// The projects that the trust is for, at this moment.
        projects: BTreeSet<ProjectId>,
    },
}

/// An identity that has been proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The token that proved it.
    pub token: TokenId,
    /// What to call it in an audit: its kind, its holder and its name.
    pub name: String,
    /// What the token is good for at most.
    pub scope: TokenScope,
    /// Whose it is.
    pub who: Who,
}

/// Where something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the installation as a whole.
    Installation,
    /// Among what is the person's own who asks.
    Own,
    /// In an organization.
    Org(OrgId),
    /// In a project.
    Project {
        /// Its organization.
        org: OrgId,
        /// The project.
        project: ProjectId,
    },
}

macro_rules! acts {
    ($($(#[$doc:meta])* $name:ident $word:literal $level:ident $scope:ident,)*) => {
        /// What can be done through the API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Act {
            $($(#[$doc])* $name,)*
        }

        impl Act {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name in the audit and in the documents.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// Where it is done.
            #[must_use]
            pub const fn level(self) -> Level {
                match self {
                    $(Self::$name => Level::$level,)*
                }
            }

            /// What a token has to be good for.
            #[must_use]
            pub const fn needs(self) -> TokenScope {
                match self {
                    $(Self::$name => TokenScope::$scope,)*
                }
            }
        }
    };
}

/// The kind of place at which an act is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The installation.
    Installation,
    /// What is a person's own.
    Own,
    /// An organization.
    Org,
    /// A project.
    Project,
}

acts! {
    /// See the organizations that one can see.
    ListOrgs "org.list" Installation Read,
    /// Make an organization.
    CreateOrg "org.create" Installation Manage,
    /// See the jobs that one can see, of all projects together.
    FindJobs "job.find" Installation Read,
    /// See the people.
    ListUsers "user.list" Installation Manage,
    /// Make a person known.
    CreateUser "user.create" Installation Manage,
    /// See one's own tokens; never their secrets.
    ListOwnTokens "user.token.list" Own Manage,
    /// Make a token of one's own. With a lesser token none is made: one that leaked would outlive its revocation.
    CreateOwnToken "user.token.create" Own Manage,
    /// Make a token of one's own worthless.
    RevokeOwnToken "user.token.revoke" Own Manage,
    /// See an organization.
    GetOrg "org.get" Org Read,
    /// Delete an organization with all that it has.
    DeleteOrg "org.delete" Org Manage,
    /// See who belongs to it.
    ListMembers "member.list" Org Read,
    /// Say what a person is in it.
    SetMember "member.set" Org Manage,
    /// Take a person out of it.
    RemoveMember "member.remove" Org Manage,
    /// See its tokens; never their secrets.
    ListTokens "token.list" Org Manage,
    /// Make a token of it or of a project of its.
    CreateToken "token.create" Org Manage,
    /// Make a token worthless.
    RevokeToken "token.revoke" Org Manage,
    /// See what it trusts.
    ListTrusts "trust.list" Org Manage,
    /// Trust a repository's workflows for some of its projects.
    CreateTrust "trust.create" Org Manage,
    /// Trust them no more; the tokens that came of it are worthless at once.
    DeleteTrust "trust.delete" Org Manage,
    /// See its projects.
    ListProjects "project.list" Org Read,
    /// Make a project.
    CreateProject "project.create" Org Manage,
    /// See what was done in it, and refused.
    ReadAudit "audit.read" Org Manage,
    /// See a project.
    GetProject "project.get" Project Read,
    /// Delete a project with all that it has.
    DeleteProject "project.delete" Project Manage,
    /// See the jobs of a project.
    ListJobs "job.list" Project Read,
    /// See a job.
    GetJob "job.get" Project Read,
    /// See a job's whole story: each step, each call, each error, and what comes next.
    ReadStory "job.story" Project Manage,
    /// Call a job off.
    CancelJob "job.cancel" Project Build,
    /// Give a job another try.
    RetryJob "job.retry" Project Build,
    /// See builders.
    GetBuilder "builder.get" Project Read,
    /// Get a builder for a build.
    AcquireBuilder "builder.acquire" Project Build,
    /// Say that a build goes on.
    TouchBuilder "builder.touch" Project Build,
    /// Say that a build is over.
    ReleaseBuilder "builder.release" Project Build,
    /// Have a builder made.
    ProvisionBuilder "builder.provision" Project Build,
    /// Have a builder switched on.
    StartBuilder "builder.start" Project Build,
    /// Have a builder switched off.
    StopBuilder "builder.stop" Project Build,
    /// Have a builder taken away; its cache stays.
    DestroyBuilder "builder.destroy" Project Build,
    /// Keep reconcile, stops and removals off a builder until a time.
    HoldBuilder "builder.hold" Project Manage,
    /// Let a builder go that is held.
    UnholdBuilder "builder.unhold" Project Manage,
    /// See who has been let onto a project's builders, and who is.
    ListGrants "grant.list" Project Manage,
    /// Let somebody onto a builder for a while. An owner's own word: no token that is not a person's has it, and no operator.
    CreateGrant "grant.create" Project Manage,
    /// Make use of a grant: have the way in opened.
    OpenGrant "grant.open" Project Manage,
    /// End a grant before its time.
    RevokeGrant "grant.revoke" Project Manage,
    /// See caches.
    GetCache "cache.get" Project Read,
    /// Have a cache taken away, with what it holds.
    DestroyCache "cache.destroy" Project Manage,
    /// Follow what happens in a project.
    FollowEvents "event.follow" Project Read,
}

impl Act {
    /// What asking for that job is. Who calls one off or gives it another try decides about the same thing.
    #[must_use]
    pub const fn asking(request: &Request) -> Self {
        match request {
            Request::Provision { .. } => Self::ProvisionBuilder,
            Request::Stop { .. } => Self::StopBuilder,
            Request::Start { .. } => Self::StartBuilder,
            Request::Destroy { .. } => Self::DestroyBuilder,
            Request::DestroyCache { .. } => Self::DestroyCache,
            // Reconcile asks for these; who may say that it keeps off may call them off.
            Request::Adopt { .. }
            | Request::Retag { .. }
            | Request::Quarantine { .. }
            | Request::Halt { .. }
            | Request::Collect { .. } => Self::HoldBuilder,
            Request::DeleteProject { .. } => Self::DeleteProject,
            Request::DeleteOrg { .. } => Self::DeleteOrg,
        }
    }
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It may.
    Yes,
    /// It sees the place, and may not do that there.
    No,
    /// For this identity there is no such place.
    Unseen,
}

/// Whose rows an identity can see at all. Every query for the API is narrowed by it, whatever a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tenants {
    /// Everybody's.
    All,
    /// Those of these organizations.
    Orgs(BTreeSet<OrgId>),
    /// Those of some projects of one organization, and nothing else of it.
    Projects(OrgId, BTreeSet<ProjectId>),
}

impl Identity {
    /// Whose rows it can see at all.
    #[must_use]
    pub fn tenants(&self) -> Tenants {
        match &self.who {
            Who::Operator => Tenants::All,
            Who::Org(org) => Tenants::Orgs(BTreeSet::from([*org])),
            Who::Project { org, project } => Tenants::Projects(*org, BTreeSet::from([*project])),
            Who::Workflow { org, projects, .. } => Tenants::Projects(*org, projects.clone()),
            Who::User { roles, .. } => Tenants::Orgs(roles.keys().copied().collect()),
        }
    }

    /// The person, if it is one's.
    #[must_use]
    pub const fn person(&self) -> Option<UserId> {
        match &self.who {
            Who::User { user, .. } => Some(*user),
            Who::Operator | Who::Org(_) | Who::Project { .. } | Who::Workflow { .. } => None,
        }
    }

    /// Whether it may do that there.
    #[must_use]
    pub fn may(&self, act: Act, place: Place) -> Word {
        match self.ceiling(place) {
            None => Word::Unseen,
            Some(most) if most.min(self.scope) >= act.needs() && self.is_one_for(act) => Word::Yes,
            Some(_) => Word::No,
        }
    }

    /// Whether it is one of those whose act it is at all, whatever else they may.
    const fn is_one_for(&self, act: Act) -> bool {
        match act {
            Act::CreateGrant => self.person().is_some(),
            Act::OpenGrant => matches!(self.who, Who::User { .. } | Who::Operator),
            _ => true,
        }
    }

    /// The most that whoever holds the token may do there; none where it sees nothing.
    fn ceiling(&self, place: Place) -> Option<TokenScope> {
        match (&self.who, place) {
            // Persons have tokens of their own; for all others there is no such place.
            (Who::User { .. }, Place::Own) => Some(TokenScope::Manage),
            (_, Place::Own) => None,
            (Who::Operator, _) => Some(TokenScope::Manage),
            // Everybody sees that there is an installation, and nothing of it but what is theirs.
            (_, Place::Installation) => Some(TokenScope::Read),
            (Who::Org(own), Place::Org(org) | Place::Project { org, .. }) => {
                (*own == org).then_some(TokenScope::Manage)
            }
            // It is for builds: it takes no cache and no project away.
            (Who::Project { project: own, .. }, Place::Project { project, .. }) => {
                (*own == project).then_some(TokenScope::Build)
            }
            (Who::Workflow { projects, .. }, Place::Project { project, .. }) => {
                projects.contains(&project).then_some(TokenScope::Build)
            }
            (Who::Project { .. } | Who::Workflow { .. }, Place::Org(_)) => None,
            (Who::User { roles, .. }, Place::Org(org)) => roles.get(&org).map(|role| match role {
                Role::Owner => TokenScope::Manage,
                Role::Member => TokenScope::Read,
            }),
            (Who::User { roles, .. }, Place::Project { org, .. }) => roles.get(&org).map(|role| match role {
                Role::Owner => TokenScope::Manage,
                Role::Member => TokenScope::Build,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
