//! What is misconfigured, in the server's own words, and how to mend it. Asterisk's option, file and section as its
//! administrator knows them; our own lot's; and plain words for everybody else.

use super::plan::{Keys, in_short};
use crate::parking::SlotId;

/// Whose words are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    Asterisk,
    /// Our own.
    Lot,
    Other,
}

impl Server {
    /// By what the server calls itself, else by the dialect that was configured.
    pub fn of(product: Option<&str>, dialect: &str) -> Self {
        let product = product.unwrap_or_default().to_ascii_lowercase();
        let is = |word: &str| product.contains(word) || (product.is_empty() && dialect.starts_with(word));
        if is("parkdeck") {
            Self::Lot
        } else if is("asterisk") || is("freepbx") || dialect.starts_with("asterisk") {
            Self::Asterisk
        } else {
            Self::Other
        }
    }
}

/// Words for one account at one server.
pub(super) struct Words<'a> {
    pub server: Server,
    /// The account's user: on Asterisk the endpoint's section as a rule.
    pub user: &'a str,
}

fn line(text: impl Into<String>) -> Vec<String> {
    vec![text.into()]
}

impl Words<'_> {
    /// Whether the server's answer to OPTIONS says which extensions there are.
    pub fn knows_extensions(&self) -> bool {
        self.server != Server::Other
    }

    /// REGISTER was refused.
    pub fn registration(&self, status: Option<u16>, reason: &str) -> Vec<String> {
        let user = self.user;
        match (self.server, status) {
            (_, None) if reason.contains("certificate") => line(
                "[tls] of the configuration has ca_file; `server` must be a name that the certificate has",
            ),
            (_, None) => line("is the server up, is the port right, does a firewall stand between?"),
            (Server::Asterisk, Some(401 | 407)) => vec![
                format!(
                    "pjsip.conf: username and password of the type=auth section that [{user}] names with auth="
                ),
                format!(
                    "pjsip.conf: is there an endpoint [{user}] at all? Asterisk gives the same answer to a user it doesn't know; its log says “No matching endpoint found”"
                ),
            ],
            (Server::Asterisk, Some(403)) => line(format!(
                "pjsip.conf, type=aor of [{user}]: max_contacts is 0 or reached (max_contacts=1 with remove_existing=yes takes the newest); or a permit/deny list"
            )),
            (Server::Asterisk, Some(404)) => line(format!(
                "pjsip.conf, endpoint [{user}]: aors= names no section, or the section of type=aor has another name than “{user}”"
            )),
            (Server::Asterisk, Some(423)) => {
                line("pjsip.conf, type=aor: minimum_expiration is higher than `expires` of the account")
            }
            (Server::Lot, Some(401 | 403 | 407)) => line(
                "the lot's file: name and secret of this user in [[users]]; the log of the lot says which of them",
            ),
            (_, Some(401 | 403 | 407)) => line("`user`, `auth_user` and the password of the account"),
            (_, Some(_)) => line("the server's log says why"),
        }
    }

    /// SUBSCRIBE to slots was refused with this status; `dialled` says whether such an extension can be dialled.
    pub fn lamps(&self, status: u16, slots: &[SlotId], dialled: Option<bool>, all: bool) -> Vec<String> {
        let (user, which) = (self.user, in_short(slots));
        match (self.server, status) {
            (Server::Asterisk, 403 | 603) => {
                line(format!("pjsip.conf, endpoint [{user}]: allow_subscribe=yes"))
            }
            (Server::Asterisk, 404) if dialled == Some(true) => vec![
                format!(
                    "{which} can be dialled and has no hint: res_parking.conf, section of the lot: parkinghints=yes (then `module reload res_parking.so`)"
                ),
                format!(
                    "or pjsip.conf, endpoint [{user}]: subscribe_context names another context than that of the hints"
                ),
            ],
            (Server::Asterisk, 404) if all && dialled == Some(false) => self.no_lot(),
            (Server::Asterisk, 404) => line(format!(
                "{which} is no slot of the lot: `slots` of the account goes beyond parkpos in res_parking.conf"
            )),
            (Server::Asterisk, 489) => line(
                "modules.conf: res_pjsip_exten_state.so and res_pjsip_dialog_info_body_generator.so must be loaded",
            ),
            (Server::Lot, 404) => line(format!(
                "the lot's file, [[lots]]: parkpos has no {which}; or `slots` of the account is wrong"
            )),
            (Server::Lot, 403) => line("the lot's file, [[users]]: this user may not see who is parked"),
            _ => line(format!("the server has no lamp for {which}: are `slots` and `lamps` right?")),
        }
    }

    /// Neither slots nor park extension can be dialled by this account.
    pub fn no_lot(&self) -> Vec<String> {
        let user = self.user;
        match self.server {
            Server::Asterisk => vec![
                format!(
                    "extensions.conf, the context of endpoint [{user}]: include => parkedcalls, written exactly like `context` in res_parking.conf (upper and lower case count)"
                ),
                "is the parking module there? `module show like res_parking`, `parking show`".to_owned(),
                "or `park_extension` and `slots` of the account are not those of parkext and parkpos"
                    .to_owned(),
            ],
            Server::Lot => line("the lot's file, [[lots]]: parkext and parkpos"),
            Server::Other => line("`park_extension` and `slots` of the account are not those of the server"),
        }
    }

    /// It exists when written otherwise.
    pub fn case(&self, configured: &SlotId, existing: &str) -> Vec<String> {
        line(format!(
            "“{configured}” doesn't exist, “{existing}” does: extensions and hints are case-sensitive"
        ))
    }

    /// The park extension can't be dialled.
    pub fn park_extension(&self, extension: &str) -> Vec<String> {
        match self.server {
            Server::Asterisk => line(format!(
                "{extension} is not in the context of endpoint [{}]: `park_extension` of the account must be parkext of res_parking.conf",
                self.user
            )),
            _ => line(format!("the server knows no {extension}: `park_extension` of the account")),
        }
    }

    /// The test call was refused.
    pub fn call(&self, status: Option<u16>, number: &str, named: bool) -> Vec<String> {
        let user = self.user;
        match (self.server, status) {
            (_, Some(404 | 484)) if !named => {
                line(format!("{number} can't be dialled: say which number rings this account, --call NUMBER"))
            }
            (Server::Asterisk, Some(404 | 484)) => {
                line(format!("extensions.conf: the context of endpoint [{user}] has no extension {number}"))
            }
            (Server::Asterisk, Some(488)) => line(format!(
                "pjsip.conf, endpoint [{user}]: allow= has none of the codecs of [sound] (ulaw is pcmu, alaw is pcma); or it wants encrypted sound (media_encryption) and secure_media of the account is \"off\""
            )),
            (Server::Lot, Some(488)) => line("the lot's secure_media and the account's don't agree"),
            (_, Some(488 | 606)) => line("no codec in common: `codecs` of [sound], or secure_media"),
            (_, Some(480)) => line("nobody is registered there"),
            _ => Vec::new(),
        }
    }

    /// The test call, which offered encrypted sound, was refused as not acceptable.
    pub fn encryption(&self, keys: Keys) -> Vec<String> {
        let user = self.user;
        let theirs = match keys {
            Keys::Sdes => "media_encryption=sdes",
            Keys::Dtls => "media_encryption=dtls and dtls_auto_generate_cert=yes",
        };
        let by = match keys {
            Keys::Sdes => "in the session description (SDES)",
            Keys::Dtls => "by DTLS",
        };
        let first = match self.server {
            Server::Asterisk => format!(
                "the account offers encrypted sound, its keys {by}: pjsip.conf, endpoint [{user}]: {theirs}"
            ),
            Server::Lot => {
                format!("the account offers encrypted sound, its keys {by}: the lot's file: secure_media")
            }
            Server::Other => {
                format!("the account offers encrypted sound, its keys {by}: does the server take that?")
            }
        };
        vec![first, "or secure_media = \"off\" in the account: then nothing is encrypted".to_owned()]
    }

    /// A codec is refused.
    pub fn codec(&self, name: &str) -> String {
        let user = self.user;
        let theirs = match name {
            "pcmu" => "ulaw",
            "pcma" => "alaw",
            name => name,
        };
        match self.server {
            Server::Asterisk => {
                format!(
                    "pjsip.conf, endpoint [{user}]: allow={theirs} (disallow=all before it forbids what isn't named)"
                )
            }
            _ => format!("the server doesn't take {name}: leave it out of `codecs`, or allow it there"),
        }
    }

    /// Sound is missing in a direction.
    pub fn sound(&self) -> Vec<String> {
        match self.server {
            Server::Asterisk => vec![
                format!(
                    "pjsip.conf, endpoint [{}]: direct_media=no, rtp_symmetric=yes, and behind NAT external_media_address of the transport",
                    self.user
                ),
                "rtp.conf: are rtpstart to rtpend open in the firewall, both ways?".to_owned(),
            ],
            _ => line("is UDP open between here and the server, both ways? [network] rtp_ports names ours"),
        }
    }

    /// Sound goes past the server.
    pub fn direct_media(&self) -> String {
        match self.server {
            Server::Asterisk => format!(
                "pjsip.conf, endpoint [{}]: direct_media=no. Else sound is one-way as soon as one phone is behind NAT, and each park moves it",
                self.user
            ),
            _ => "let the server relay sound: behind NAT it is one-way otherwise".to_owned(),
        }
    }

    /// The park failed.
    pub fn park(&self, extension: &str, fragments: &[u16]) -> Vec<String> {
        let refused = fragments.iter().any(|status| matches!(status, 404 | 484));
        match self.server {
            Server::Asterisk if refused => self.park_extension(extension),
            Server::Asterisk => vec![
                "is a slot free? `parking show`".to_owned(),
                format!("is {extension} the parkext of the lot whose slots are configured?"),
            ],
            _ => line("is the lot full? is `park_extension` right?"),
        }
    }

    /// Keys were pressed and nothing was parked; these of them the other party heard.
    pub fn feature_code(&self, keys: &str, heard: &str) -> Vec<String> {
        let asterisk = self.server == Server::Asterisk;
        match (asterisk, heard.is_empty()) {
            (true, false) => vec![
                format!(
                    "the digits {heard} reached the other phone: the Dial() in extensions.conf that made this call lacks k (whom it calls may park) or K (who calls may)"
                ),
                format!("or features.conf, [featuremap]: parkcall => {keys} is missing or another code"),
            ],
            (true, true) => vec![
                format!("features.conf, [featuremap]: parkcall => {keys}; and Dial() with k and K"),
                format!("pjsip.conf, endpoint [{}]: dtmf_mode=rfc4733", self.user),
            ],
            (false, _) => line(format!("the server knows no code {keys}, or this account may not use it")),
        }
    }

    /// It was parked, and no lamp of ours lit. `lamps`: some of them work.
    pub fn parked_elsewhere(&self, extension: &str, lamps: bool) -> Vec<String> {
        match self.server {
            _ if !lamps => line("no lamp works: see what is said of the lamps"),
            Server::Asterisk => vec![
                format!(
                    "{extension} parks into another lot: res_parking.conf, section of the lot that has parkext => {extension}: parkext_exclusive=yes"
                ),
                "or `slots` of the account are not all slots of that lot".to_owned(),
                "or the hints name another context than the lot's: `core show hints` against `context` in res_parking.conf (park:701@parkedcalls; upper and lower case count)".to_owned(),
                format!("or {extension} isn't a park extension at all, and took the call somewhere else"),
            ],
            _ => line("`slots` of the account are not those that this extension parks into"),
        }
    }

    /// The slot can't be fetched from.
    pub fn retrieve(&self, status: Option<u16>, slot: &str) -> Vec<String> {
        match (self.server, status) {
            (Server::Asterisk, Some(404)) => line(format!(
                "{slot} is not in the context of endpoint [{}]: extensions.conf: include => parkedcalls there",
                self.user
            )),
            _ => Vec::new(),
        }
    }

    /// The server doesn't say who was fetched. `arrives`: calls that ring here are named.
    pub fn identity(&self, arrives: bool) -> Vec<String> {
        let user = self.user;
        match self.server {
            Server::Asterisk if arrives => vec![
                format!("pjsip.conf, endpoint [{user}]: send_connected_line=yes"),
                "without an UPDATE every retrieve is “unverified”: the operator must open the microphone"
                    .to_owned(),
            ],
            Server::Asterisk => vec![
                format!("pjsip.conf, endpoint [{user}]: send_pai=yes and trust_id_outbound=yes"),
                "until then every retrieve is “unverified”: the operator must open the microphone".to_owned(),
            ],
            _ => line("the server should send P-Asserted-Identity with the answer or in an UPDATE"),
        }
    }

    /// A lamp went on shining.
    pub fn stuck_lamp(&self) -> Vec<String> {
        match self.server {
            Server::Asterisk => {
                line("`parking show` and `core show hints` should agree; `module reload res_parking.so`")
            }
            _ => line("what does the server itself say of that slot?"),
        }
    }
}
