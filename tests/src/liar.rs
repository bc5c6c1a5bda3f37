//! Listings that lie, as real ones do: cut short, empty, old, or refused. What is looked at by name is told truly.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use providers::{
    Access, CallError, Capabilities, Closed, ErrorClass, Kind, Listed, Listing, Observed, Opened, PageToken, Power,
    Provider, RemoteId, Spec, Target, Token,
};
use regions::{Cloud, Region, Zone};

/// What is wrong with a region's listing.
#[derive(Clone, Debug)]
pub enum Lie {
    /// It ends after its first page.
    Cut,
    /// It has one page of that kind, and all of the others.
    CutOf(Kind),
    /// It is empty.
    Empty,
    /// It has nothing of that kind.
    Without(Kind),
    /// It lacks these.
    Lacks(Vec<RemoteId>),
    /// It is the picture that was taken before.
    Old(Vec<Listed>),
    /// It is refused with a 500.
    Refused,
    /// It shows everything on two pages, as it does when things move while it is read.
    Twice,
}

/// The lies in force, shared by whoever tells them.
pub type Lies = Arc<Mutex<BTreeMap<Region, Lie>>>;

/// A provider whose listings lie.
pub struct Liar {
    inner: Arc<dyn Provider>,
    lies: Lies,
}

impl Liar {
    /// Before that provider.
    #[must_use]
    pub fn new(inner: Arc<dyn Provider>, lies: Lies) -> Self {
        Self { inner, lies }
    }

    async fn all(&self, region: Region) -> Result<Vec<Listed>, CallError> {
        let (mut things, mut page) = (Vec::new(), None);
        loop {
            let listing = self.inner.list(region, page).await?;
            things.extend(listing.things);
            page = listing.next;
            if page.is_none() {
                return Ok(things);
            }
        }
    }
}

#[async_trait]
impl Provider for Liar {
    fn cloud(&self) -> Cloud {
        self.inner.cloud()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn zones(&self) -> Vec<Zone> {
        self.inner.zones()
    }

    fn check(&self, spec: &Spec) -> Result<(), CallError> {
        self.inner.check(spec)
    }

    async fn ensure(&self, token: &Token, target: &Target) -> Result<Observed, CallError> {
        self.inner.ensure(token, target).await
    }

    async fn power(&self, token: &Token, target: &Target, power: Power) -> Result<Observed, CallError> {
        self.inner.power(token, target, power).await
    }

    async fn observe(&self, region: Region, targets: &[Target]) -> Result<Vec<Observed>, CallError> {
        self.inner.observe(region, targets).await
    }

    async fn open_access(&self, access: &Access) -> Result<Opened, CallError> {
        self.inner.open_access(access).await
    }

    async fn close_access(&self, access: &Access) -> Result<Closed, CallError> {
        self.inner.close_access(access).await
    }

    async fn remove(&self, token: &Token, target: &Target) -> Result<Observed, CallError> {
        self.inner.remove(token, target).await
    }

    async fn tag(&self, token: &Token, target: &Target) -> Result<Observed, CallError> {
        self.inner.tag(token, target).await
    }

    async fn list(&self, region: Region, page: Option<PageToken>) -> Result<Listing, CallError> {
        let lie = self.lies.lock().unwrap_or_else(PoisonError::into_inner).get(&region).cloned();
        let Some(lie) = lie else { return self.inner.list(region, page).await };
        let whole = |things| Ok(Listing { things, next: None });
        match lie {
            Lie::Refused => Err(CallError::new("list", ErrorClass::Unavailable, "InternalError", "planted")),
            Lie::Empty => whole(Vec::new()),
            Lie::Old(things) => whole(things),
            Lie::Cut => whole(self.inner.list(region, None).await?.things),
            Lie::CutOf(kind) => {
                let first = self.inner.list(region, None).await?.things.into_iter().filter(|thing| thing.kind == kind);
                let others = self.all(region).await?.into_iter().filter(|thing| thing.kind != kind);
                whole(first.chain(others).collect())
            }
            Lie::Without(kind) => {
                whole(self.all(region).await?.into_iter().filter(|thing| thing.kind != kind).collect())
            }
            Lie::Lacks(names) => {
                let all = self.all(region).await?.into_iter();
                whole(all.filter(|thing| !names.contains(&thing.found.remote)).collect())
            }
            Lie::Twice => {
                let all = self.all(region).await?;
                whole(all.iter().chain(&all).cloned().collect())
            }
        }
    }
}
