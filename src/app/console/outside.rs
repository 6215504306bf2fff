//! The control socket's side of the loop: requests in, what is new out.

use super::Carrier;
use crate::app::control::{Asked, Reply, Verb, View};
use crate::desk::{Notice, Severity};

impl Carrier {
    /// A request over the control socket.
    pub(super) fn take_asked(&mut self, asked: Asked) {
        let now = self.clock.now();
        let reply = match &asked.request {
            Err(reason) => Reply { say: reason.clone(), ..Reply::default() },
            Ok(request) => {
                let id = request.id.clone();
                match request.verb.commands(self.engine.desk()) {
                    Err(say) => Reply { id, say, ..Reply::default() },
                    Ok(commands) => {
                        let asks = matches!(request.verb, Verb::Status | Verb::Watch);
                        let (mut ok, mut say) = (asks || commands.is_empty(), String::new());
                        for command in commands {
                            (ok, say) = self.engine.obey_told(now, command);
                        }
                        let status = asks.then(|| View::of(self.engine.desk()));
                        Reply { id, ok, say, status }
                    }
                }
            }
        };
        let watches = matches!(&asked.request, Ok(request) if request.verb == Verb::Watch);
        if let Some(control) = &mut self.control {
            control.answer(&asked, &reply);
            if watches {
                control.watch(&asked, reply.status.unwrap_or_default());
            }
        }
    }

    /// Tells the watchers of the control socket what is new.
    pub(super) fn show_outside(&mut self) {
        let Some(control) = self.control.as_mut().filter(|control| control.is_watched()) else { return };
        let desk = self.engine.desk();
        control.show(View::of(desk));
        let newest = desk.notices.back();
        if newest != self.told.as_ref() {
            let fresh = desk.notices.iter().rev().take_while(|notice| Some(*notice) != self.told.as_ref());
            let fresh: Vec<Notice> = fresh.cloned().collect();
            for notice in fresh.iter().rev() {
                let severity = match notice.severity {
                    Severity::Info => "info",
                    Severity::Warning => "warning",
                    Severity::Error => "error",
                };
                control.say(severity, notice.text.as_str());
            }
            self.told = newest.cloned();
        }
    }
}
