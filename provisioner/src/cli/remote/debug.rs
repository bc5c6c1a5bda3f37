//! `debug`, through the API.

use http::Method;
use serde_json::{Value, json};

use super::{Remote, client::Sent};
use crate::cli::{
    Failure,
    args::{BuilderName, DebugCommand},
    debug::{checked, end_said},
    span::Moment,
};
use crate::{edge::Anchored, execute::Clock as _};

/// Long polls of a minute each.
const POLLS: u32 = 2;

fn text<'a>(sent: &'a Sent, field: &str) -> &'a str {
    sent[field].as_str().unwrap_or("-")
}

impl Remote {
    pub(super) async fn debug(&self, command: DebugCommand) -> Result<(), Failure> {
        match command {
            DebugCommand::Grant { builder, to, until, reason } => self.grant(&builder, &to, until, &reason).await,
            DebugCommand::Open { project, grant } => {
                let path = format!("/v1/projects/{project}/grants/{grant}");
                let mut sent: Sent = self.client.ask(Method::POST, &format!("{path}/open"), None).await?;
                for _ in 0..POLLS {
                    if text(&sent, "state") == "opening" {
                        sent = self.client.get(&format!("{path}?wait_secs=60")).await?;
                    }
                }
                if self.screen.is_json() {
                    return self.screen.json(&sent);
                }
                if text(&sent, "state") != "open" {
                    let why = sent["problem"].as_str().unwrap_or("no worker has answered yet");
                    let state = text(&sent, "state");
                    return Err(Failure::failed(format!("grant {grant} has not been opened, it is {state}: {why}"))
                        .remedy("see that a worker runs; `provisioner debug list` shows how it goes on"));
                }
                let (who, until) = (text(&sent, "principal"), text(&sent, "until"));
                self.screen.line(&format!("grant {grant} is open for {who} until {until}"))?;
                self.screen.line(&format!("  enter: {}", text(&sent, "command")))
            }
            DebugCommand::Revoke { project, grant } => {
                let path = format!("/v1/projects/{project}/grants/{grant}/revoke");
                let sent: Sent = self.client.ask(Method::POST, &path, None).await?;
                if self.screen.is_json() {
                    return self.screen.json(&sent);
                }
                self.screen.line(&end_said(&grant.to_string(), text(&sent, "state")))
            }
            DebugCommand::List { project } => {
                let sent: Vec<Sent> = self.list(&format!("/v1/projects/{project}/grants"), None, usize::MAX).await?;
                if self.screen.is_json() {
                    return self.screen.json(&sent);
                }
                let rows = sent.iter().map(|grant| {
                    let why = grant["problem"].as_str().unwrap_or(text(grant, "reason"));
                    let fields = ["id", "arch", "state", "principal", "until", "created_by", "machine"];
                    fields.iter().map(|field| text(grant, field)).chain([why]).map(ToOwned::to_owned).collect()
                });
                let head = ["GRANT", "ARCH", "STATE", "WHO", "UNTIL", "BY", "MACHINE", "WHY"];
                self.screen.table(&head, rows.collect(), "nobody has been granted debug access")
            }
        }
    }

    async fn grant(&self, builder: &BuilderName, to: &str, until: Moment, reason: &str) -> Result<(), Failure> {
        let (for_secs, reason) = checked(until, reason, Anchored::to_wall().now_ms())?;
        let path = format!("/v1/projects/{}/builders/{}/grants", builder.project, builder.arch);
        let body: Value = json!({ "principal": to, "for_secs": for_secs, "reason": reason });
        let sent: Sent = self.client.tell(Method::POST, &path, None, &body).await?;
        if self.screen.is_json() {
            return self.screen.json(&sent);
        }
        let (id, who, until) = (text(&sent, "id"), text(&sent, "principal"), text(&sent, "until"));
        self.screen
            .line(&format!("grant {id}: {who} may be let onto {} {} until {until}", builder.project, builder.arch))?;
        self.screen.line(&format!("  then: provisioner debug open {} {id}", builder.project))
    }
}
