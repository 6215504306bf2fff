//! Which of the user agent's events are a phone's: several phones share one user agent.

use super::phone::Phone;
use crate::sip::{self, CallKey, UserAgent};

/// The call that an event is about, if it is about nothing but a call.
pub(super) fn call_of(event: &sip::Event) -> Option<CallKey> {
    use sip::Event as E;
    match event {
        E::CallProgress { call, .. }
        | E::CallRedirected { call, .. }
        | E::CallMoved { call, .. }
        | E::CallAnswered { call, .. }
        | E::CallConfirmed { call }
        | E::CallEnded { call, .. }
        | E::OfferReceived { call, .. }
        | E::OfferAnswered { call, .. }
        | E::OfferFailed { call, .. }
        | E::IdentityChanged { call, .. }
        | E::InfoReceived { call, .. }
        | E::MediaAddressWanted { call } => Some(*call),
        _ => None,
    }
}

impl Phone {
    /// Whether this event of the user agent is about something that this phone began or was given.
    pub(super) fn owns(&self, event: &sip::Event) -> bool {
        use sip::Event as E;
        let has = |call: &CallKey| self.by_key.contains_key(call) || self.runs_errand(*call);
        match event {
            E::Registered { account, .. }
            | E::RegistrationFailed { account, .. }
            | E::Unregistered { account }
            | E::ServersWanted { account }
            | E::NotifiedUnasked { account, .. }
            | E::FlowLost { account, .. } => *account == self.account,
            E::CallProgress { .. }
            | E::CallRedirected { .. }
            | E::CallMoved { .. }
            | E::CallAnswered { .. }
            | E::CallConfirmed { .. }
            | E::CallEnded { .. }
            | E::OfferReceived { .. }
            | E::OfferAnswered { .. }
            | E::OfferFailed { .. }
            | E::IdentityChanged { .. }
            | E::InfoReceived { .. }
            | E::MediaAddressWanted { .. } => call_of(event).is_some_and(|call| has(&call)),
            // Those of a REFER may follow the end of their call.
            E::ReferAccepted { call, refer, .. }
            | E::ReferRefused { call, refer, .. }
            | E::ReferProgress { call, refer, .. } => call.as_ref().is_some_and(has) || self.asked_by(*refer),
            E::ReferSent { refer } => self.asked_by(*refer),
            E::ReferReceived { call, .. } => call.as_ref().is_some_and(has),
            E::Notified { subscription, .. }
            | E::SubscriptionActive { subscription, .. }
            | E::SubscriptionStale { subscription, .. }
            | E::SubscriptionRefreshed { subscription, .. }
            | E::SubscriptionRefused { subscription, .. } => self.subscribed.contains_key(subscription),
            E::ProbeAnswered { probe, .. } | E::ProbeLost { probe } => {
                self.probing.as_ref().is_some_and(|(ours, _)| ours == probe)
            }
            E::RequestAnswered { sent, .. } => self.awaits_message(sent),
            E::CallReceived { .. }
            | E::RequestReceived { .. }
            | E::WatcherRefreshed { .. }
            | E::WatcherLeft { .. }
            | E::Malformed { .. } => false,
        }
    }

    /// Whether a request that came from there is for this phone's account: `None` no, else how well its user fits.
    pub(super) fn is_meant(
        &self,
        ua: &UserAgent,
        from: sip::Peer,
        request: &sip::message::Request,
    ) -> Option<u8> {
        if !ua.is_own_server(self.account, from) {
            return None;
        }
        let ours = self.config.account.aor.uri.user.as_deref();
        let to = request.headers.to().and_then(|to| to.uri.user);
        // Our Contact has our user part: the Request-URI decides, then whom the caller dialled (RFC 3261 8.2.2.1).
        Some(match () {
            () if request.uri.user.as_deref() == ours => 2,
            () if to.as_deref() == ours => 1,
            () => 0,
        })
    }
}
