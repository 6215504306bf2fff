//! The manager interfaces of all lines: each a session that decides, on a connection that carries.

use super::server::tls_files;
use crate::ami::{Fact, Session, SessionConfig, Wish};
use crate::config::Config;
use crate::desk::LineId;
use crate::io::ami::{AmiEvent, AmiLinks, AmiServer};
use crate::io::clock::entropy;
use crate::io::tls::TlsClient;
use crate::parking::Moment;
use secrecy::SecretString;
use std::collections::VecDeque;

struct Interface {
    line: LineId,
    server: AmiServer,
    session: Session,
    /// Whether nobody on the way can read its connection; `None` before there was one.
    private: Option<bool>,
}

/// Those that are configured; there may be none.
pub(super) struct Interfaces {
    all: Vec<Interface>,
    links: AmiLinks,
    facts: VecDeque<(LineId, Fact)>,
}

impl Interfaces {
    /// Not begun yet. `secrets` are those of the accounts, in their order.
    pub(super) fn new(config: &Config, secrets: Vec<Option<SecretString>>) -> Self {
        let accounts = (0u8..).map(LineId).zip(&config.accounts).zip(secrets);
        let all = accounts.filter_map(|((line, account), secret)| {
            let ami = account.ami.as_ref()?;
            let session = Session::new(SessionConfig {
                user: ami.user.clone(),
                secret: secret?,
                lots: ami.lots.clone(),
                allow_plain_login: ami.allow_plain_login,
                seed: entropy(),
            });
            let server = AmiServer { host: ami.host.clone(), port: ami.port, tls: ami.tls };
            Some(Interface { line, server, session, private: None })
        });
        let links = AmiLinks::new(TlsClient::new(tls_files(&config.tls)));
        Self { all: all.collect(), links, facts: VecDeque::new() }
    }

    pub(super) fn start(&mut self, now: Moment) {
        self.all.iter_mut().for_each(|interface| interface.session.start(now));
        self.settle();
    }

    /// Says good-bye.
    pub(super) fn stop(&mut self) {
        self.all.iter_mut().for_each(|interface| interface.session.stop());
        self.settle();
    }

    /// Lets the good-byes out; waits at most a second.
    pub(super) async fn finish(&mut self) {
        self.links.finish().await;
    }

    /// What happens to a connection next. May be dropped at any time without losing anything.
    pub(super) async fn next(&mut self) -> AmiEvent {
        self.links.next().await
    }

    /// Whether nobody on the way can read the connection of the first; `None` before there was one.
    pub(super) fn is_private(&self) -> Option<bool> {
        self.all.first()?.private
    }

    /// What has happened already, without waiting.
    pub(super) fn try_next(&mut self) -> Option<AmiEvent> {
        self.links.try_next()
    }

    /// Takes in what [`Interfaces::next`] said.
    pub(super) fn take(&mut self, now: Moment, event: AmiEvent) {
        let (AmiEvent::Opened { line, .. } | AmiEvent::Bytes { line, .. } | AmiEvent::Closed { line, .. }) =
            event;
        let Some(interface) = self.all.iter_mut().find(|i| i.line.index() == line) else { return };
        match event {
            AmiEvent::Opened { private, .. } => {
                interface.private = Some(private);
                interface.session.opened(now, private);
            }
            AmiEvent::Bytes { bytes, .. } => interface.session.received(now, &bytes),
            AmiEvent::Closed { reason, .. } => interface.session.closed(now, &reason),
        }
        self.settle();
    }

    pub(super) fn wake(&mut self, now: Moment) {
        self.all.iter_mut().for_each(|interface| interface.session.wake(now));
        self.settle();
    }

    pub(super) fn next_wake(&self) -> Option<Moment> {
        self.all.iter().filter_map(|interface| interface.session.next_wake()).min()
    }

    /// The next thing that a server said, and of which line.
    pub(super) fn poll_fact(&mut self) -> Option<(LineId, Fact)> {
        self.facts.pop_front()
    }

    /// Does what the sessions wish, and keeps what they know until it is taken.
    fn settle(&mut self) {
        for Interface { line, server, session, .. } in &mut self.all {
            while let Some(wish) = session.poll_wish() {
                match wish {
                    Wish::Connect => self.links.open(line.index(), server.clone(), entropy()),
                    Wish::Send(bytes) => self.links.send(line.index(), bytes),
                    Wish::Disconnect => self.links.close(line.index()),
                }
            }
            while let Some(fact) = session.poll_fact() {
                if let Fact::Lost { reason, .. } | Fact::Troubled { reason } = &fact {
                    tracing::warn!(target: "ami", server = %server.host, %reason);
                }
                self.facts.push_back((*line, fact));
            }
        }
    }
}
