//! Where the accounts' servers are: looked up beside the loop, again when nothing was found.

use super::Carrier;
use crate::app::server::{FIND_AGAIN, expect, look_up, reach_also};
use crate::desk::LineId;
use crate::sip::Peer;
use std::time::Duration;
use tokio::task::JoinError;

impl Carrier {
    /// Looks an account's servers up, after `wait`.
    pub(super) fn look_up(&mut self, line: LineId, wait: Duration) {
        let Some(account) = self.accounts.get(line.index()).cloned() else { return };
        self.lookups.spawn(async move {
            tokio::time::sleep(wait).await;
            (line, look_up(&account).await)
        });
    }

    pub(super) async fn take_servers(
        &mut self,
        found: Result<(LineId, Result<Vec<Peer>, String>), JoinError>,
    ) {
        let now = self.clock.now();
        match found {
            Ok((line, Ok(servers))) => {
                if let Some(account) = self.accounts.get(line.index()) {
                    expect(&mut self.net, account, &servers);
                }
                if let Some(other) = reach_also(&self.network, &mut self.net, &servers).await {
                    self.engine.add_address(other);
                }
                self.engine.set_servers(now, line, servers);
            }
            Ok((line, Err(reason))) => {
                self.engine.servers_not_found(now, line, &reason, now + FIND_AGAIN);
                self.look_up(line, FIND_AGAIN);
            }
            Err(error) => tracing::error!(%error, "a look-up ended early"),
        }
    }
}
