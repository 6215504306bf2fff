//! The checks of a lot's manager interface.

use super::super::raw::RawAmi;
use super::super::{Ami, Server};
use super::Check;
use super::secret::Sources;
use toml::Spanned;

/// The lot that every Asterisk has.
const DEFAULT_LOT: &str = "default";
/// The longest name of a phone, in bytes; Asterisk's own are shorter.
const MAX_DEVICE: usize = 128;

impl Check<'_> {
    /// Checks what a lot of that dialect says of a manager interface; `place` is the lot's path, `server` that of its
    /// account, which has so many lots.
    pub(super) fn ami(
        &mut self,
        dialect: &str,
        raw: &Spanned<RawAmi>,
        place: &[&str],
        server: Option<&Server>,
        lots: usize,
    ) -> Option<Ami> {
        let ami = raw.get_ref();
        if dialect == "parkdeck" {
            let words =
                "only Asterisk has a manager interface; the parkdeck lot tells who is parked by itself";
            self.say(raw, words, None);
        }
        self.printable(&ami.user, "a manager user");
        let names = self.ami_lots(raw, lots);
        let sources = Sources {
            what: "secret",
            file: ami.secret_file.as_ref(),
            environment: ami.secret_env.as_ref(),
            command: ami.secret_command.as_ref(),
        };
        let secret = self.source(&sources, raw.span(), &[place, &["ami"]].concat());
        let device = ami.device.as_ref().and_then(|device| self.device(device));
        let named = ami.host.as_ref().and_then(|host| self.ami_host(host));
        let host = match &ami.host {
            Some(_) => named?,
            None => server?.host.clone(),
        };
        let tls = ami.tls.unwrap_or(false);
        let (clear, secure) = Ami::PORTS;
        if let Some(port) = ami.port.as_ref().filter(|port| *port.get_ref() == 0) {
            self.say(port, "a port is between 1 and 65535", None);
        }
        Some(Ami {
            host,
            port: ami.port.as_ref().map_or(if tls { secure } else { clear }, |port| *port.get_ref()),
            user: ami.user.get_ref().clone(),
            secret: secret?,
            tls,
            lots: names,
            device,
            allow_plain_login: ami.allow_plain_login.unwrap_or(false),
        })
    }

    /// What the server calls the lots: each of them one of its own.
    fn ami_lots(&mut self, raw: &Spanned<RawAmi>, lots: usize) -> Vec<String> {
        let Some(given) = &raw.get_ref().lot else {
            if lots > 1 {
                let words = format!(
                    "what does the server call the {lots} lots? name them in their order: lot = [\"{DEFAULT_LOT}\", …]"
                );
                self.say(raw, words, None);
            }
            return vec![DEFAULT_LOT.to_owned()];
        };
        let names = &given.get_ref().items;
        let unfit = |name: &&String| {
            name.is_empty() || name.len() > super::MAX_LENGTH || name.chars().any(char::is_control)
        };
        if names.iter().any(|name| unfit(&name)) {
            let words = format!("a lot's name is not empty and has at most {} bytes", super::MAX_LENGTH);
            self.say(given, words, None);
        } else if (1..names.len()).any(|i| names[..i].contains(&names[i])) {
            self.say(given, "a lot is named twice", None);
        } else if names.len() != lots {
            let words =
                format!("there are {lots} lots and {} names: one for each, in their order", names.len());
            self.say(given, words, None);
        }
        names.clone()
    }

    /// A phone as Asterisk names it: technology and endpoint.
    fn device(&mut self, device: &Spanned<String>) -> Option<String> {
        let name = device.get_ref();
        let endpoint = name.split_once('/').map_or("", |(_, endpoint)| endpoint);
        let plain = !name.chars().any(|c| c.is_control() || c.is_whitespace());
        if plain && !endpoint.is_empty() && !name.starts_with('/') && name.len() <= MAX_DEVICE {
            return Some(name.clone());
        }
        let example = plain && !name.contains('/') && !name.is_empty() && name.len() <= MAX_DEVICE;
        let words = "a phone as the server names it: its technology, a slash and the endpoint's section";
        self.say(device, words, example.then(|| format!("\"PJSIP/{name}\"")));
        None
    }

    fn ami_host(&mut self, host: &Spanned<String>) -> Option<String> {
        let read = self.server(host)?;
        if read.port.is_some() {
            self.say(host, "the port of the manager interface has a key of its own: port", None);
        }
        Some(read.host)
    }
}
