//! The checks of one account, and that no two are the same.

use super::super::raw::{RawAccount, RawTeam};
use super::super::server::{read_proxy, read_server};
use super::super::{
    Account, IdentitySource, KeyExchange, MAX_AUTO_ANSWERS, MAX_FURTHER_REALMS, PasswordSource, Proxy,
    SecureMedia, Server, TransportChoice,
};
use super::lots::{Given, Lots};
use super::secret::Sources;
use super::{Check, MAX_LENGTH, MAX_TIME_S};
use crate::parking::{SlotId, Text};
use toml::Spanned;

/// The most characters of an account's name: several must fit into one line of the board.
const MAX_NAME: usize = 24;

impl Check<'_> {
    /// Checks one account; `place` is its path in the file, `lots` and `team` the lots and the colleagues that belong to
    /// it.
    pub(super) fn account(
        &mut self,
        raw: &Spanned<RawAccount>,
        place: &[&str],
        lots: Given<'_>,
        team: Option<&Spanned<RawTeam>>,
    ) -> Option<Account> {
        let account = raw.get_ref();
        let server = self.server(&account.server);
        self.user(&account.user);
        let name = self.name(raw, place);
        if let Some(name) = &account.auth_user {
            self.printable(name, "a name");
        }
        if let Some(realm) = &account.realm {
            self.printable(realm, "a realm");
        }
        let further = account.further_realms.as_deref().unwrap_or_default();
        for realm in further {
            self.printable(realm, "a realm");
        }
        if let Some(realm) = further.get(MAX_FURTHER_REALMS) {
            self.say(realm, format!("at most {MAX_FURTHER_REALMS} further realms are answered"), None);
        }
        if let (None, Some(first)) = (&account.realm, further.first()) {
            self.say(first, "which realm is the server's own? name it as `realm`", None);
        }
        let password = self.password(raw, place);
        let expires_s = account.expires.as_ref().map_or(300, |expires| {
            if !(60..=MAX_TIME_S).contains(expires.get_ref()) {
                self.say(expires, format!("a registration lasts between 60 and {MAX_TIME_S} seconds"), None);
            }
            *expires.get_ref()
        });
        let outbound_proxy = account.outbound_proxy.as_ref().and_then(|proxy| self.proxy(account, proxy));
        self.security(account);
        let identity = self.identity(account, place);
        let auto_answer = account.auto_answer.as_deref().unwrap_or_default();
        self.auto_answer(auto_answer, &identity);
        let codecs =
            account.codecs.as_ref().map(|codecs| self.codecs(codecs, &[place, &["codecs"]].concat()));
        let voicemail = account.voicemail.as_ref().map(|number| self.voicemail(number));
        let nobody = RawTeam::default();
        let raw_team = team.map_or(&nobody, Spanned::get_ref);
        let (team, watch) = (self.team(raw_team), self.watch(raw_team));
        let lot_name = match (&name, place) {
            (Some(name), ["accounts", ..]) => name.as_str(),
            _ => "front",
        };
        let lots_place: &[&str] = if let ["accounts", ..] = place { place } else { &[] };
        let lots = self.lots(lots, lot_name, lots_place, server.as_ref());
        let Lots { dialect, lamps, ami, lots } = lots?;
        let known = Account::new(account.user.get_ref(), server?, password?, lots);
        Some(Account {
            name: name.unwrap_or(known.name),
            transport: account.transport.as_ref().map(|t| *t.get_ref()).unwrap_or_default(),
            outbound_proxy,
            display_name: Text::new(account.display_name.as_deref().unwrap_or("")),
            auth_user: account.auth_user.as_ref().map_or(known.auth_user, |name| name.get_ref().clone()),
            realm: account.realm.as_ref().map(|realm| realm.get_ref().clone()),
            further_realms: further.iter().map(|realm| realm.get_ref().clone()).collect(),
            digest: account.digest.unwrap_or_default(),
            expires_s,
            secure_media: account.secure_media.unwrap_or_default(),
            key_exchange: account.key_exchange.as_ref().map(|k| *k.get_ref()).unwrap_or_default(),
            identity,
            auto_answer: auto_answer.iter().map(|user| user.get_ref().clone()).collect(),
            codecs,
            voicemail,
            team,
            watch,
            dialect,
            lamps,
            ami,
            pickup_prefix: raw_team.pickup_prefix.as_ref().map(|prefix| prefix.get_ref().clone()),
            ..known
        })
    }

    /// Whose calls answer themselves: users by name or number, known by what the server asserts.
    fn auto_answer(&mut self, users: &[Spanned<String>], identity: &[IdentitySource]) {
        for user in users {
            let text = user.get_ref();
            if text.is_empty() || text.contains(['@', ':', ' ', '*']) {
                self.say(user, "here stand users of the server by their name or number, as in \"101\"", None);
            } else {
                self.printable(user, "a user");
            }
        }
        if let Some(user) = users.get(MAX_AUTO_ANSWERS) {
            self.say(user, format!("the calls of at most {MAX_AUTO_ANSWERS} users answer themselves"), None);
        }
        let asserted = identity.iter().any(|source| *source != IdentitySource::From);
        if let (Some(user), false) = (users.first(), asserted) {
            let words = "with identity = [\"from\"] anybody can claim to be anybody: no call answers itself";
            self.say(user, words, None);
        }
    }

    /// Tells where an account is like one before it: by name, or by who registers where.
    pub(super) fn unlike(&mut self, raw: &RawAccount, account: &Account, others: &[&Account]) {
        let lower = |text: &str| text.to_lowercase();
        if let Some(name) = &raw.name
            && others.iter().any(|other| lower(other.name.as_str()) == lower(account.name.as_str()))
        {
            self.say(name, format!("another account is called “{}” already", account.name), None);
        }
        let who = |account: &Account| {
            (account.user.clone(), lower(&account.server.host), account.server.port_or_default())
        };
        if others.iter().any(|other| who(other) == who(account)) {
            let words = format!("another account is {} already: one account registers once", account.label());
            self.say(&raw.user, words, None);
        }
    }

    /// What the account is called. Of several, each must say so.
    fn name(&mut self, raw: &Spanned<RawAccount>, place: &[&str]) -> Option<Text> {
        if let Some(name) = &raw.get_ref().name {
            let text = Text::new(name.get_ref());
            let length = text.as_str().chars().count();
            if text.is_empty() {
                self.say(name, "an account's name can't be empty", None);
            } else if length > MAX_NAME {
                self.say(name, format!("an account's name has at most {MAX_NAME} characters"), None);
            }
            return Some(text);
        }
        if let ["accounts", number] = place
            && !self.reading.left_out(&["accounts", number, "name"])
        {
            let number = number.parse::<usize>().map_or(0, |index| index + 1);
            self.say(
                raw,
                format!("entry {number} of [accounts] lacks “name”, which is how the board calls it"),
                None,
            );
        }
        None
    }

    fn proxy(&mut self, account: &RawAccount, proxy: &Spanned<String>) -> Option<Proxy> {
        let read = match read_proxy(proxy.get_ref().trim()) {
            Ok(read) => read,
            Err(meaning) => {
                self.say(proxy, meaning, None);
                return None;
            }
        };
        let own = account.transport.as_ref().map(|t| *t.get_ref()).unwrap_or_default();
        match (own, read.transport) {
            (own, TransportChoice::Auto) => Some(Proxy { transport: own, ..read }),
            (TransportChoice::Auto, _) => Some(read),
            (own, there) if own == there => Some(read),
            (own, there) => {
                let words = format!(
                    "the transport to the proxy is {} here and {} in transport: keep one",
                    there.word(),
                    own.word()
                );
                self.say(proxy, words, None);
                None
            }
        }
    }

    /// What would promise encrypted sound and couldn't keep it.
    fn security(&mut self, account: &RawAccount) {
        let Some(exchange) = &account.key_exchange else { return };
        let over = account.transport.as_ref().map(|t| *t.get_ref()).unwrap_or_default();
        let media = account.secure_media.unwrap_or_default();
        if *exchange.get_ref() != KeyExchange::Auto && media == SecureMedia::Off {
            let words = "sound isn't encrypted on this account, so there are no keys to exchange: add secure_media = \
                         \"optional\" or \"required\", or leave key_exchange out";
            self.say(exchange, words, None);
        } else if *exchange.get_ref() == KeyExchange::Sdes
            && matches!(over, TransportChoice::Udp | TransportChoice::Tcp)
        {
            let words = format!(
                "SDES writes the keys of the sound into messages that anybody on the way can read over {}: it wants \
                 transport = \"tls\", or key_exchange = \"dtls\"",
                over.word()
            );
            self.say(exchange, words, None);
        }
    }

    fn identity(&mut self, account: &RawAccount, place: &[&str]) -> Vec<IdentitySource> {
        let Some(sources) = &account.identity else { return IdentitySource::ALL.to_vec() };
        let list = sources.get_ref();
        if self.reading.left_out_inside(&[place, &["identity"]].concat()) {
            // What is left of it says nothing.
        } else if list.is_empty() {
            self.say(
                sources,
                "then nobody would have a name: at least one of \"pai\", \"rpid\", \"from\"",
                None,
            );
        } else if (1..list.len()).any(|i| list[..i].contains(&list[i])) {
            self.say(sources, "a header is listed twice", None);
        }
        list.clone()
    }

    fn voicemail(&mut self, number: &Spanned<String>) -> String {
        if SlotId::new(number.get_ref()).is_none() {
            self.say(number, "voicemail is what is dialled: digits, letters, “*” or “#”", None);
        }
        number.get_ref().clone()
    }

    fn user(&mut self, user: &Spanned<String>) {
        if let Some((name, _)) = user.get_ref().split_once('@') {
            let name = format!("\"{}\"", Text::new(name.trim_start_matches("sip:")));
            self.say(
                user,
                "the user is only the part before “@”; the server has a key of its own",
                Some(name),
            );
        } else if user.get_ref().contains(char::is_whitespace) {
            self.say(user, "a user's name has no blanks in it", None);
        } else {
            self.printable(user, "a user's name");
        }
    }

    pub(super) fn printable(&mut self, text: &Spanned<String>, what: &str) {
        let inside = text.get_ref();
        if inside.is_empty() {
            self.say(text, format!("{what} can't be empty"), None);
        } else if inside.len() > MAX_LENGTH || inside.chars().any(char::is_control) {
            self.say(text, format!("{what} has no control characters and at most {MAX_LENGTH} bytes"), None);
        }
    }

    pub(super) fn server(&mut self, server: &Spanned<String>) -> Option<Server> {
        let text = server.get_ref().trim();
        let bare =
            ["sip:", "sips:", "udp:", "udp://", "sip://"].iter().rev().find_map(|s| text.strip_prefix(s));
        if let Some(bare) = bare {
            let bare = format!("\"{}\"", Text::new(bare.trim_start_matches('/')));
            self.say(server, "the server is a host, or host:port, without a scheme", Some(bare));
            return None;
        }
        let read = read_server(text);
        if let Err(meaning) = &read {
            self.say(server, *meaning, None);
        }
        read.ok()
    }

    fn password(&mut self, raw: &Spanned<RawAccount>, place: &[&str]) -> Option<PasswordSource> {
        let account = raw.get_ref();
        let sources = Sources {
            what: "password",
            file: account.password_file.as_ref(),
            environment: account.password_env.as_ref(),
            command: account.password_command.as_ref(),
        };
        self.source(&sources, raw.span(), place)
    }
}
