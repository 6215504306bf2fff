//! The two servers, alike: our lot and Asterisk, each with a reception at extension 100, the park extension 700 and
//! the slots from 701 on; and a console for each.

use super::board::{Board, PASSWORD_VARIABLE, Sight};
use super::caller::{Caller, Plan};
use super::parkdeck;
use super::peers::asterisk::{Asterisk, AsteriskOptions, password};
use super::peers::process::Process;
use super::peers::{LOOPBACK, OUTSIDE, free_udp_port, wait_until};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

const SECRET: &str = "secret-of-the-benchmark";

/// Our lot as a process of its own.
pub struct Lot {
    process: Process,
    sip: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Lot {
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("parkdeck-lot-").tempdir().unwrap();
        let sip = SocketAddr::from((LOOPBACK, free_udp_port(LOOPBACK)));
        let file = folder.path().join("lot.toml");
        let text = format!(
            "listen = \"{sip}\"\ndigest = \"md5\"\n\
             [[users]]\nname = \"reception\"\nsecret = \"{SECRET}\"\nextension = \"100\"\n\
             [[users]]\nname = \"sam\"\nsecret = \"{SECRET}\"\nextension = \"101\"\n\
             [[users]]\nname = \"town\"\nsecret = \"{SECRET}\"\npermissions = {{ assert_identity = true }}\n\
             [[lots]]\nname = \"front\"\nparkext = \"700\"\nparkpos = \"701-712\"\nparkingtime = 3600\n"
        );
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let arguments = ["lot".into(), "--config".into(), file.to_string_lossy().into_owned()];
        let mut process =
            Process::start(&parkdeck(), &arguments, folder.path(), &folder.path().join("output"));
        wait_until("the lot to listen", Duration::from_secs(5), || {
            if let Some(status) = process.exited() {
                panic!("the lot ended ({status}):\n{}", process.output());
            }
            UdpSocket::bind(sip).is_err().then_some(())
        });
        Self { process, sip, _folder: folder }
    }

    pub fn sip(&self) -> SocketAddr {
        self.sip
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// One of the two.
pub enum Office {
    Ours(Lot),
    Asterisk(Asterisk),
}

impl Office {
    pub fn ours() -> Self {
        Self::Ours(Lot::start())
    }

    pub fn asterisk() -> Self {
        Self::Asterisk(Asterisk::start(AsteriskOptions {
            parking_s: 3600,
            allow: "ulaw,opus".into(),
            ..AsteriskOptions::default()
        }))
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Ours(_) => "our lot",
            Self::Asterisk(_) => "Asterisk",
        }
    }

    pub fn sip(&self) -> SocketAddr {
        match self {
            Self::Ours(lot) => lot.sip(),
            Self::Asterisk(asterisk) => asterisk.sip(),
        }
    }

    pub fn pid(&self) -> u32 {
        match self {
            Self::Ours(lot) => lot.pid(),
            Self::Asterisk(asterisk) => asterisk.pid(),
        }
    }

    pub fn password(&self, user: &str) -> String {
        match self {
            Self::Ours(_) => SECRET.into(),
            Self::Asterisk(_) => password(user),
        }
    }

    /// A console at this server's reception, without sound devices, its lamps lit.
    pub fn console(&self, codecs: &str, columns: u16, rows: u16) -> Board {
        let mut board = self.start_console(codecs, columns, rows);
        board.see(Duration::from_secs(10), &[("a free lamp", &|text| text.contains("701 □"))]);
        board
    }

    /// A console of 80×24 that has just started, and when its first picture and its first lamp were seen.
    pub fn console_from_start(&self) -> (Board, Vec<Instant>) {
        let mut board = self.start_console("\"pcmu\"", 80, 24);
        let sights: [(&str, Sight<'_>); 2] =
            [("a picture", &|text| text.contains("parked")), ("a free lamp", &|text| text.contains("701 □"))];
        let seen = board.see(Duration::from_secs(10), &sights);
        (board, seen)
    }

    fn start_console(&self, codecs: &str, columns: u16, rows: u16) -> Board {
        let (dialect, slots) = match self {
            Self::Ours(_) => ("parkdeck", "701-712"),
            Self::Asterisk(_) => ("asterisk", "701-709"),
        };
        let config = format!(
            "[account]\nuser = \"reception\"\nserver = \"{}\"\npassword_env = \"{PASSWORD_VARIABLE}\"\n\
             [lot]\ndialect = \"{dialect}\"\npark_extension = \"700\"\nslots = \"{slots}\"\n\
             [sound]\nenabled = false\ncodecs = [{codecs}]\n[network]\naddress = \"127.0.0.1\"\n",
            self.sip()
        );
        Board::start(&config, &self.password("reception"), columns, rows)
    }

    /// Somebody from outside who calls `extension`.
    pub fn caller(&self, extension: &str, name: &str, number: &str) -> Caller {
        let (from, login) = match self {
            Self::Ours(_) => (LOOPBACK, Some(("town".to_owned(), SECRET.to_owned()))),
            Self::Asterisk(_) => (OUTSIDE, None),
        };
        Caller::call(Plan {
            server: self.sip(),
            from,
            extension: extension.into(),
            name: name.into(),
            number: number.into(),
            login,
        })
    }
}
