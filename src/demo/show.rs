//! `parkdeck demo`: the lot on loopback, the troupe, and the console in front, each on its own thread. They speak
//! nothing but SIP and RTP to each other.

use super::stage::{self, Performance};
use super::troupe::Script;
use super::{COLLEAGUE, RECEPTION, RECEPTION_USER, User, users};
use crate::app::{console, dialects, lot};
use crate::config::{Account, Config, Log, Lot, Network, PasswordSource, Screen, Server, Sound, Tls};
use crate::io::clock::entropy;
use crate::io::net::{Net, NetOptions};
use crate::lot::LotConfig;
use crate::lot::config::{ParkingConfig, Permissions, UserConfig};
use crate::parking::{Identity, SlotId, Text};
use color_eyre::eyre::{Context, eyre};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// Seconds until a parked call comes back: soon enough to be seen. Nobody else gets it then: unanswered it goes back
/// into its slot, until the caller has had enough.
const PARKING_TIME_S: u32 = 90;

/// The demo's lot: at `listen`, with these accounts, and the defaults of a small office otherwise.
pub fn lot_config(listen: SocketAddr, users: &[User]) -> LotConfig {
    let account = |user: &User| UserConfig {
        display_name: user.display_name.to_owned(),
        extension: user.extension.and_then(SlotId::new),
        permissions: Permissions {
            park: user.may_park,
            retrieve: user.may_park,
            assert_identity: user.assert_identity,
            ..Permissions::default()
        },
        ..UserConfig::new(user.name, user.secret.clone())
    };
    let front = ParkingConfig { parkingtime: PARKING_TIME_S, ..ParkingConfig::default() };
    LotConfig {
        listen,
        users: users.iter().map(account).collect(),
        lots: vec![front],
        ..LotConfig::default()
    }
}

/// How the demo is wished.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Decides who calls when; else chance does.
    pub seed: Option<u64>,
    /// No sound device.
    pub silent: bool,
    /// Line mode instead of the screen.
    pub line: bool,
    /// Where the session's screens are recorded.
    pub record: Option<PathBuf>,
    /// Where other programs reach it.
    pub socket: Option<PathBuf>,
    /// Where stray output goes while the screen is up.
    pub log: Option<PathBuf>,
}

/// Runs the demo until the operator leaves. Blocks.
///
/// # Errors
/// What keeps it from starting, in words.
pub fn run(wish: Wish) -> color_eyre::Result<()> {
    let Wish { seed, silent, line, record, socket, log } = wish;
    let seed = seed.unwrap_or_else(|| entropy() % 10_000);
    let users = users(entropy());
    let house = House::open(&users)?;
    let parking = house.config.lots.first().ok_or_else(|| eyre!("the demo's lot has no slots"))?;
    let slots: Vec<SlotId> = parking.parkpos.slots().collect();
    let reception = users.iter().find(|user| user.name == RECEPTION_USER);
    let password = reception.map(|user| user.secret.clone()).unwrap_or_default();
    let config = console_config(house.address, parking, slots.clone(), silent);
    let script = Script {
        lot: house.address,
        domain: house.config.realm.clone(),
        reception: RECEPTION.to_owned(),
        slots,
        users,
        seed,
    };
    let show: Performance = stage::perform(script).wrap_err("the demo's callers can't start")?;
    let help = if line { "an empty line answers" } else { "enter answers · ? shows every key" };
    let greeting = format!("callers will ring in a moment (seed {seed}) · {help}");
    let start = console::Start {
        ami_secrets: Vec::new(),
        ldap_password: None,
        base: None,
        dialects: dialects::of(&config, None)?,
        config,
        passwords: vec![password],
        memory: None,
        journal: None,
        socket,
        themes: None,
        config_file: None,
        log,
        greeting: Some(greeting),
        // In line mode there is no board to be shown about.
        tour: !line,
        record,
        line,
    };
    let left = console::run(start);
    show.end();
    drop(house);
    left
}

/// The console's configuration for the demo's lot.
fn console_config(lot: SocketAddr, parking: &ParkingConfig, slots: Vec<SlotId>, silent: bool) -> Config {
    let server = Server { host: lot.ip().to_string(), port: Some(lot.port()) };
    let lot = Lot {
        name: Text::new(&parking.name),
        park_extension: parking.parkext.clone(),
        slots,
        list: None,
        parking_time_s: Some(parking.parkingtime),
        directed_prefix: None,
        escalate_s: None,
        page: SlotId::new(COLLEAGUE),
        page_live: false,
        comeback_prefix: Text::default(),
    };
    // Never looked up: the password goes to the console directly.
    let password = PasswordSource::Environment(String::new());
    let account = Account {
        display_name: Text::new("Reception"),
        realm: Some(LotConfig::default().realm),
        team: vec![COLLEAGUE.to_owned()],
        dialect: "parkdeck".to_owned(),
        watch: vec![COLLEAGUE.to_owned()],
        ..Account::new(RECEPTION_USER, server, password, vec![lot])
    };
    Config {
        accounts: vec![account],
        tls: Tls::default(),
        sound: Sound { enabled: !silent, ..Sound::default() },
        recording: crate::config::Recording::default(),
        screen: Screen::default(),
        keys: std::collections::BTreeMap::new(),
        log: Log::default(),
        network: Network { address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), ..Network::default() },
        people: vec![Identity::new("Sam", COLLEAGUE)],
        directory: crate::config::Directory::default(),
        journal: crate::config::Journal::default(),
        calls: crate::config::Calls::default(),
        outside: crate::config::Outside::default(),
        wallboard: crate::config::Wallboard::default(),
    }
}

/// The lot on its own thread. Dropped, it closes.
pub(super) struct House {
    pub address: SocketAddr,
    config: LotConfig,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl House {
    pub fn open(users: &[User]) -> color_eyre::Result<Self> {
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, opened) = std::sync::mpsc::sync_channel(1);
        let users = users.to_vec();
        let thread = thread::Builder::new().name("lot".to_owned()).spawn(move || {
            let served = serve(&users, &ready, stopped);
            if let Err(error) = served {
                tracing::error!(target: "demo", "the demo's lot: {error:#}");
                // Nobody waits for it when the lot was open already.
                let _ = ready.try_send(Err(error));
            }
        })?;
        let (address, config) = opened.recv().map_err(|_| eyre!("the demo's lot ended"))??;
        Ok(Self { address, config, stop: Some(stop), thread: Some(thread) })
    }
}

type Opened = color_eyre::Result<(SocketAddr, LotConfig)>;

fn serve(
    users: &[User],
    ready: &std::sync::mpsc::SyncSender<Opened>,
    stopped: oneshot::Receiver<()>,
) -> color_eyre::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let anywhere = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        let net = Net::open(NetOptions { udp: vec![anywhere], ..NetOptions::default() }).await?;
        let address = net.local_for(anywhere).ok_or_else(|| eyre!("the demo's lot has no address"))?;
        let config = lot_config(address, users);
        let music = lot::load_sounds(&config, std::path::Path::new("."))?;
        ready.send(Ok((address, config.clone())))?;
        lot::serve(config, music, net, None, async { drop(stopped.await) }).await
    })
}

impl Drop for House {
    fn drop(&mut self) {
        // Both fail only when the thread is gone already.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
