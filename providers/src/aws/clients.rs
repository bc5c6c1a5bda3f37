//! One set of clients for a region, made when it is first asked for; and the account, asked for once.

use std::sync::PoisonError;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use regions::Region;

use super::{AwsProvider, error::refused};
use crate::{CallError, ErrorClass};

/// The behaviour of the SDK that this code was written against.
fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// What one region is reached by.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    pub(super) ec2: aws_sdk_ec2::Client,
    pub(super) kms: aws_sdk_kms::Client,
    pub(super) ssm: aws_sdk_ssm::Client,
    sts: aws_sdk_sts::Client,
}

/// Whose credentials these are.
#[derive(Clone, Debug)]
pub(super) struct Account {
    /// `aws`, or another partition's name.
    pub(super) partition: String,
    /// Twelve digits.
    pub(super) id: String,
}

impl AwsProvider {
    /// The clients of that region.
    pub(super) async fn clients(&self, region: Region) -> Clients {
        if let Some(clients) = self.clients.lock().unwrap_or_else(PoisonError::into_inner).get(&region) {
            return clients.clone();
        }
        let made = self.make_clients(region).await;
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).entry(region).or_insert(made).clone()
    }

    async fn make_clients(&self, region: Region) -> Clients {
        let name = aws_sdk_ec2::config::Region::new(region.name());
        let chain = || aws_config::defaults(behavior()).region(name.clone()).load();
        let base = self.base.get_or_init(chain).await;
        let answer = Duration::from_secs(u64::from(self.config.call_timeout_secs));
        let time = TimeoutConfig::builder()
            .connect_timeout(answer.min(Duration::from_secs(5)))
            .operation_timeout(answer)
            .build();
        let sdk: SdkConfig = base
            .to_builder()
            .behavior_version(behavior())
            .region(name)
            // One call is one attempt: what may be repeated is decided where the facts are.
            .retry_config(RetryConfig::disabled())
            .timeout_config(time)
            // Answers are small: the time limit of the operation covers a stalled one, which is then ambiguous as it
            // should be.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Clients {
            ec2: aws_sdk_ec2::Client::new(&sdk),
            kms: aws_sdk_kms::Client::new(&sdk),
            ssm: aws_sdk_ssm::Client::new(&sdk),
            sts: aws_sdk_sts::Client::new(&sdk),
        }
    }

    /// The account that the credentials belong to. One `GetCallerIdentity` a process.
    pub(super) async fn account(&self, region: Region) -> Result<&Account, CallError> {
        let ask = || async {
            let call = "sts:GetCallerIdentity";
            let sts = self.clients(region).await.sts;
            let answer = sts.get_caller_identity().send().await.map_err(|e| refused(call, "the AWS account", &e))?;
            let partition = answer.arn().and_then(|arn| arn.split(':').nth(1));
            match (partition, answer.account()) {
                (Some(partition), Some(id)) => Ok(Account { partition: partition.to_owned(), id: id.to_owned() }),
                _ => {
                    Err(CallError::new(call, ErrorClass::Ambiguous, "Empty", "the AWS account: the answer names none"))
                }
            }
        };
        self.account.get_or_try_init(ask).await
    }
}
