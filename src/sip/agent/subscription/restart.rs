//! A server that has lost its memory: noticed by the first subscriptions that it no longer knows, so that the others
//! needn't each wait for their own refresh. And all subscriptions of an account at once, when its way to us is gone.

use super::super::{AccountKey, SubscriptionKey, UserAgent};
use super::Health;
use crate::sip::Moment;
use crate::sip::Peer;
use std::time::Duration;

/// Two subscriptions forgotten within this time are a restart.
const RESTART_WITHIN: Duration = Duration::from_secs(10);
/// How many others are asked when one was forgotten: is it this one, or all?
const WITNESSES: usize = 2;

impl UserAgent {
    /// A subscription that held was answered by 481. The first time others are asked; the second time all of them are
    /// in doubt, for the server answers what it doesn't know of by silence.
    pub(super) fn suspect_restart(&mut self, now: Moment, key: SubscriptionKey) {
        let Some(order) = self.subscriptions.get(&key).map(|held| &held.order) else { return };
        let (server, account) = (order.send_to, order.account);
        self.pace.forgotten.retain(|_, at| now < *at + RESTART_WITHIN);
        let proven = self.pace.forgotten.insert(server, now).is_some();
        let others = self.active_at(|peer, _| peer == server);
        if proven {
            self.forget_nonce(account);
            self.begin_all_afresh(now, &others);
        } else {
            for other in others.into_iter().take(WITNESSES) {
                self.queue_subscribe(now, other);
            }
        }
    }

    /// Whatever this account was told may no longer hold, and it is told no more: the way to its server was lost, or our
    /// address has changed. All its lamps are stale at once; whoever restores the way renews them.
    pub(in super::super) fn doubt_subscriptions(&mut self, account: AccountKey) {
        for key in self.active_at(|_, of| of == Some(account)) {
            self.mark_stale(key);
        }
    }

    fn active_at(&self, of: impl Fn(Peer, Option<AccountKey>) -> bool) -> Vec<SubscriptionKey> {
        let active = |held: &super::Subscription| held.health == Health::Active && !held.leaving;
        let wanted = |held: &super::Subscription| active(held) && of(held.order.send_to, held.order.account);
        self.subscriptions.iter().filter(|(_, held)| wanted(held)).map(|(key, _)| *key).collect()
    }

    fn begin_all_afresh(&mut self, now: Moment, keys: &[SubscriptionKey]) {
        for key in keys {
            let Some(held) = self.subscriptions.get_mut(key) else { continue };
            held.afresh = true;
            self.mark_stale(*key);
            // One that is under way is asked again when it is answered.
            self.queue_subscribe(now, *key);
        }
    }
}
