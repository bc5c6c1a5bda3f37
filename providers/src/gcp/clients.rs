//! The clients, made when they are first needed; and the project's number, asked for once.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use google_cloud_compute_v1::client::{Disks, Instances, Projects, Snapshots, ZoneOperations};
use google_cloud_gax::client_builder::Error as BuilderError;
use google_cloud_gax::error::Error;
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_iap_v1::client::IdentityAwareProxyAdminService;
use google_cloud_kms_v1::client::KeyManagementService;

use super::{GcpProvider, credentials, error};
use crate::{CallError, ErrorClass};

/// What the APIs are reached by.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    pub(super) instances: Instances,
    pub(super) disks: Disks,
    pub(super) snapshots: Snapshots,
    pub(super) operations: ZoneOperations,
    pub(super) kms: KeyManagementService,
    pub(super) iap: IdentityAwareProxyAdminService,
    projects: Projects,
}

/// One client: one call is one attempt, because what may be repeated is decided where the facts are.
macro_rules! client {
    ($kind:ident, $config:expr, $credentials:expr) => {{
        let mut builder = $kind::builder().with_retry_policy(NeverRetry);
        if let Some(endpoint) = &$config.endpoint {
            builder = builder.with_endpoint(endpoint.clone());
        }
        if let Some(credentials) = &$credentials {
            builder = builder.with_credentials(credentials.clone());
        }
        builder.build().await.map_err(|error| unbuilt(&error))?
    }};
}

impl GcpProvider {
    /// The clients.
    pub(super) async fn clients(&self) -> Result<&Clients, CallError> {
        let make = || async {
            let credentials = credentials::choose(&self.config);
            Ok(Clients {
                instances: client!(Instances, self.config, credentials),
                disks: client!(Disks, self.config, credentials),
                snapshots: client!(Snapshots, self.config, credentials),
                operations: client!(ZoneOperations, self.config, credentials),
                projects: client!(Projects, self.config, credentials),
                kms: client!(KeyManagementService, self.config, credentials),
                iap: client!(IdentityAwareProxyAdminService, self.config, credentials),
            })
        };
        self.clients.get_or_try_init(make).await
    }

    /// One call, which ends in time.
    pub(super) async fn send<T>(
        &self,
        call: &str,
        what: &str,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, CallError> {
        self.try_send(call, what, request).await?.map_err(|error| error::refused(call, what, &error))
    }

    /// The same, with the service's refusal for the caller to read.
    pub(super) async fn try_send<T>(
        &self,
        call: &str,
        what: &str,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<Result<T, Error>, CallError> {
        let time = Duration::from_secs(u64::from(self.config.call_timeout_secs));
        tokio::time::timeout(time, request).await.map_err(|_| error::unanswered(call, what))
    }

    /// Compute Engine's own account in the project, which encrypts and decrypts disks (Compute Engine documentation, "Compute
    /// Engine service agent"). One `projects.get` a process, unless the number is configured.
    pub(super) async fn service_agent(&self) -> Result<Arc<str>, CallError> {
        let ask = || async {
            let number = match self.config.project_number {
                Some(number) => number,
                None => self.ask_project_number().await?,
            };
            Ok(Arc::from(format!("serviceAccount:service-{number}@compute-system.iam.gserviceaccount.com")))
        };
        self.agent.get_or_try_init(ask).await.cloned()
    }

    /// The default service account is `NUMBER-compute@developer.gserviceaccount.com` (Compute Engine documentation, "Service
    /// accounts"). The project's `id` in this API is not its number.
    async fn ask_project_number(&self) -> Result<u64, CallError> {
        let call = "compute.projects.get";
        let what = format!("project {}", self.config.project);
        let request = self.clients().await?.projects.get().set_project(&self.config.project);
        let project = self.send(call, &what, request.send()).await?;
        let account = project.default_service_account.unwrap_or_default();
        account.split_once("-compute@").and_then(|(number, _)| number.parse().ok()).ok_or_else(|| {
            let message =
                format!("{what} has no default service account to read its number from: set gcp.project_number");
            CallError::new(call, ErrorClass::Invalid, "NotConfigured", message)
        })
    }
}

fn unbuilt(error: &BuilderError) -> CallError {
    let (class, code) = if error.is_default_credentials() {
        (ErrorClass::Denied, "CredentialsMissing")
    } else {
        (ErrorClass::Invalid, "NotBuilt")
    };
    let message = format!(
        "no client for Google Cloud: {error}; run `gcloud auth application-default login`, set \
         GOOGLE_APPLICATION_CREDENTIALS, or run with a service account"
    );
    CallError::new("connect", class, code, message)
}
