//! The consoles' legs: how they begin, what is asked in them, how they end.

use super::*;

impl Pbx {
    pub(super) fn media(&self) -> LocalMedia {
        LocalMedia {
            address: self.address.ip(),
            port: 30_000,
            codecs: vec![Codec::Pcmu],
            redundancy: false,
            direction: Direction::SendRecv,
            session_id: 1,
            version: 1,
            security: sdp::LocalSecurity::default(),
        }
    }

    /// A caller dials the console, or comes back to it.
    pub fn ring(&mut self, now: Moment, caller: CallerId, console: SocketAddr, referred: bool) {
        let Some(contact) = self.registered.get(&console).cloned() else {
            return self.model.ends(now, caller, Why::ServersRule);
        };
        let mut headers = identity_of(caller);
        if referred {
            let user = contact.user.clone().unwrap_or_default();
            headers.push(("Referred-By".to_owned(), format!("<sip:{user}@{HOST}>")));
        }
        let from = match caller {
            NOBODY => NameAddr::new(Uri::sip("anonymous", "anonymous.invalid")).with_display("Anonymous"),
            caller => NameAddr::new(Uri::sip(caller.number(), HOST)).with_display(caller.name()),
        };
        let sdp = sdp::offer(&self.media());
        let invite = Invite {
            account: None,
            from: Some(from),
            target: contact,
            send_to: console.into(),
            sdp,
            headers,
        };
        let key = self.ua.invite(now, invite);
        self.insert_leg(key, console, None);
        self.model.moves(now, caller, Place::Ringing(key.number()));
    }

    pub(super) fn insert_leg(&mut self, key: CallKey, console: SocketAddr, port: Option<u16>) {
        let leg = LegState {
            key,
            console,
            port,
            failing: false,
            refers: Vec::new(),
            digits: String::new(),
            held_at: None,
        };
        self.legs.insert(key.number(), leg);
    }

    pub(super) fn answered(&mut self, now: Moment, leg: Leg, sdp: Option<Vec<u8>>) {
        let port =
            sdp.and_then(|sdp| sdp::accept(&self.media(), &sdp).ok()).map(|agreed| agreed.remote.port());
        if let Some(held) = self.legs.get_mut(&leg) {
            held.port = port;
        }
        if let Some(caller) = self.model.who_is(Place::Ringing(leg)) {
            self.model.moves(now, caller, Place::With(leg));
            self.parkings.remove(&caller);
        }
    }

    pub(super) fn dialled(&mut self, now: Moment, call: CallKey, console: SocketAddr, request: &Request) {
        let number = request.uri.user.clone().unwrap_or_default();
        self.invites_seen.push(number.clone());
        let Ok((answer, agreed)) = sdp::answer(&request.body, &self.media()) else {
            return self.ua.reject(now, call, 488, Vec::new());
        };
        self.insert_leg(call, console, Some(agreed.remote.port()));
        match self.setup.kind {
            Kind::Asterisk | Kind::AsteriskDtmf => self.asterisk_dialled(now, call, &number, answer),
            Kind::FreeSwitch => self.freeswitch_dialled(now, call, &number, answer),
            Kind::BroadWorks => self.broadworks_dialled(now, call, &number, answer),
            Kind::PortSip | Kind::Generic => self.generic_dialled(now, call, &number, answer),
        }
    }

    pub(super) fn referred(&mut self, now: Moment, call: Option<CallKey>, refer: ReferKey, target: &str) {
        let leg = call.map(CallKey::number).and_then(|leg| self.legs.get_mut(&leg));
        let (Some(leg), None) = (leg, self.setup.refuses_refer) else {
            let status = self.setup.refuses_refer.unwrap_or(481);
            return self.ua.answer_refer(now, refer, status, Vec::new());
        };
        leg.refers.push(refer);
        let leg = leg.key.number();
        match self.setup.kind {
            Kind::Asterisk | Kind::AsteriskDtmf => self.asterisk_referred(now, leg, refer, target),
            Kind::FreeSwitch => self.freeswitch_referred(now, leg, refer, target),
            Kind::BroadWorks => self.broadworks_referred(now, leg, refer, target),
            Kind::PortSip | Kind::Generic => self.generic_referred(now, leg, refer, target),
        }
    }

    /// Says who is at the other end of a leg now, if this server says such things.
    pub(super) fn identify(&mut self, now: Moment, leg: Leg) {
        let (Some(held), Tells::Identity) = (self.legs.get(&leg), self.setup.tells) else { return };
        if let Some(caller) = self.model.who_is(Place::With(leg)) {
            self.ua.update(now, held.key, identity_of(caller));
        }
    }

    pub fn identity_headers(&self, caller: CallerId) -> Vec<(String, String)> {
        if self.setup.tells == Tells::Identity { identity_of(caller) } else { Vec::new() }
    }

    /// The server ends a leg.
    pub fn hang_up(&mut self, now: Moment, leg: Leg) {
        self.leave_stall(now, leg);
        if let Some(held) = self.legs.remove(&leg) {
            self.ua.hang_up(now, held.key);
        }
    }

    /// An operator who parked himself is gone.
    pub(super) fn leave_stall(&mut self, now: Moment, leg: Leg) {
        let stall = self.selves.iter().find(|(_, there)| **there == leg).map(|(stall, _)| *stall);
        if let Some(stall) = stall {
            self.selves.remove(&stall);
            self.lamp_changes(now, stall);
        }
    }

    /// As if the console had sent a BYE.
    pub fn console_ended(&mut self, now: Moment, leg: Leg) {
        let cause = EndCause { by: EndedBy::Remote, status: None, reason: String::new() };
        self.leg_ended(now, leg, &cause);
    }

    /// A leg ended, by the console or for lack of one.
    pub(super) fn leg_ended(&mut self, now: Moment, leg: Leg, cause: &EndCause) {
        let Some(held) = self.legs.remove(&leg) else { return };
        self.leave_stall(now, leg);
        let excused = self.excused.remove(&leg);
        let Some(caller) = self.model.caller_of(leg) else { return };
        let rang = self.model.place(caller) == Place::Ringing(leg);
        let why = match cause.by {
            _ if excused => Why::Dismissed,
            EndedBy::Remote if rang && self.parkings.contains_key(&caller) => {
                Why::Lost("his comeback was turned away, and no key said so")
            }
            EndedBy::Remote if rang => Why::ServersRule,
            EndedBy::Remote if held.failing => Why::Lost("our leg was ended while his park failed"),
            EndedBy::Remote => Why::Lost("his leg was ended, and no key said so"),
            EndedBy::Local | EndedBy::Timeout => Why::ServersRule,
        };
        self.model.ends(now, caller, why);
    }
}
