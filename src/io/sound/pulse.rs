//! PulseAudio's native protocol, which PipeWire speaks too: the sound server's devices by name, and one connection for
//! each stream ([`stream`]), served by the stream's own thread, so that ending one never waits for another.

pub(super) mod stream;

use super::options::Device;
use super::place::{Found, Place, System, choose};
use pulseaudio::protocol::{
    AuthParams, AuthReply, Command, CommandReply, CommandTag, DESCRIPTOR_SIZE, Descriptor, MAX_VERSION, Prop,
    Props, SetClientNameReply, SinkInfo, SourceInfo, TagStructReader, encode_command_message,
    port_info::PortType, read_descriptor,
};
use std::ffi::{CStr, CString};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// How long the server may take for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// The longest message that is read, in bytes: a list of hundreds of devices. Beyond, it isn't a sound server.
const MESSAGE_MAX: usize = 4 << 20;
/// Room for messages from the beginning: sound needs no more.
const MESSAGE_ROOM: usize = 64 << 10;
/// The channel of commands, as against sound.
const CONTROL: u32 = u32::MAX;

/// Why something can't be had from the server, in words.
type Words = String;

/// What came.
enum Came {
    /// Nothing in time.
    Nothing,
    /// A command or an answer; its bytes are in the connection's room.
    Control,
    /// Sound for the stream of that channel.
    Sound(u32),
}

/// A connection to the server.
pub(super) struct Connection {
    socket: UnixStream,
    version: u16,
    sequence: u32,
    room: Vec<u8>,
    /// Bytes of `room` that have come.
    filled: usize,
    /// Bytes of `room` that were taken already.
    taken: usize,
    message: std::ops::Range<usize>,
    out: Vec<u8>,
}

impl Connection {
    /// Connects, and says who we are.
    pub(super) fn open() -> Result<Self, Words> {
        let path = socket_path().ok_or("there is no sound server")?;
        let socket = UnixStream::connect(path).map_err(|_| "the sound server isn't running")?;
        let words = |error: io::Error| error.to_string();
        socket.set_read_timeout(Some(ANSWER_MAX)).map_err(words)?;
        socket.set_write_timeout(Some(ANSWER_MAX)).map_err(words)?;
        let mut connection = Self {
            socket,
            version: MAX_VERSION,
            sequence: 0,
            room: vec![0; MESSAGE_ROOM],
            filled: 0,
            taken: 0,
            message: 0..0,
            out: Vec::with_capacity(MESSAGE_ROOM),
        };
        let auth =
            AuthParams { version: MAX_VERSION, supports_shm: false, supports_memfd: false, cookie: cookie() };
        let reply: AuthReply = connection.ask(&Command::Auth(auth))?;
        connection.version = MAX_VERSION.min(reply.version);
        let mut props = Props::new();
        props.set(Prop::ApplicationName, c"parkdeck");
        let _: SetClientNameReply = connection.ask(&Command::SetClientName(props))?;
        Ok(connection)
    }

    /// Sends a command and returns its number.
    fn say(&mut self, command: &Command) -> Result<u32, Words> {
        self.sequence += 1;
        self.out.clear();
        encode_command_message(&mut self.out, self.sequence, command, self.version)
            .map_err(|error| error.to_string())?;
        self.socket.write_all(&self.out).map_err(gone)?;
        Ok(self.sequence)
    }

    /// Sends a command and waits for its answer; what else comes meanwhile is left out.
    fn ask<R: CommandReply>(&mut self, command: &Command) -> Result<R, Words> {
        let sequence = self.say(command)?;
        loop {
            match self.next().map_err(gone)? {
                Came::Nothing => return Err("the sound system does not answer".to_owned()),
                Came::Sound(_) => {}
                Came::Control => {
                    let mut bytes = self.message();
                    let mut reader = TagStructReader::new(&mut bytes, self.version);
                    let words = |error: pulseaudio::protocol::ProtocolError| error.to_string();
                    let tag: CommandTag = reader.read_enum().map_err(words)?;
                    if reader.read_u32().map_err(words)? != sequence {
                        continue;
                    }
                    return match tag {
                        CommandTag::Reply => R::read(&mut reader, self.version).map_err(words),
                        CommandTag::Error => {
                            let error: pulseaudio::protocol::PulseError =
                                reader.read_enum().map_err(words)?;
                            Err(error.to_string().to_lowercase())
                        }
                        _ => Err("the sound server answers something else".to_owned()),
                    };
                }
            }
        }
    }

    /// The message that came last, without its head.
    fn message(&self) -> &[u8] {
        self.room.get(self.message.clone()).unwrap_or(&[])
    }

    /// Waits for the next message, as long as the socket's time-out says.
    fn next(&mut self) -> io::Result<Came> {
        loop {
            let waiting = self.taken..self.filled;
            if let Some(head) = self.room.get(waiting.clone()).filter(|bytes| bytes.len() >= DESCRIPTOR_SIZE)
            {
                let mut head = head;
                let Descriptor { length, channel, .. } =
                    read_descriptor(&mut head).map_err(|_| io::ErrorKind::InvalidData)?;
                let whole = DESCRIPTOR_SIZE + length as usize;
                if whole > MESSAGE_MAX {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                if waiting.len() >= whole {
                    self.message = self.taken + DESCRIPTOR_SIZE..self.taken + whole;
                    self.taken += whole;
                    return Ok(if channel == CONTROL { Came::Control } else { Came::Sound(channel) });
                }
                if whole > self.room.len() {
                    self.room.resize(whole, 0);
                }
            }
            self.room.copy_within(self.taken..self.filled, 0);
            (self.filled, self.taken) = (self.filled - self.taken, 0);
            match self.socket.read(&mut self.room[self.filled..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Ok(Came::Nothing);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Devices of one direction, the system's default first where there is one.
    fn devices(&mut self, input: bool) -> Result<Vec<Found>, Words> {
        let info: pulseaudio::protocol::ServerInfo = self.ask(&Command::GetServerInfo)?;
        let (default, mut found) = if input {
            let sources: Vec<SourceInfo> = self.ask(&Command::GetSourceInfoList)?;
            (info.default_source_name, sources.iter().map(of_source).collect::<Vec<_>>())
        } else {
            let sinks: Vec<SinkInfo> = self.ask(&Command::GetSinkInfoList)?;
            (info.default_sink_name, sinks.iter().map(of_sink).collect())
        };
        let default = default.map(|name| text(&name));
        for device in &mut found {
            device.is_default = default.as_ref() == Some(&device.place.id);
        }
        found.sort_by_key(|device| !device.is_default);
        Ok(found)
    }
}

/// Whether a sound server is there to be asked.
pub(super) fn is_there() -> bool {
    socket_path().is_some_and(|path| UnixStream::connect(path).is_ok())
}

/// The server's devices of one direction, its default first.
pub(super) fn devices(input: bool) -> Result<Vec<Found>, Words> {
    Connection::open()?.devices(input)
}

/// Connects and finds a device.
fn find(choice: &Device, pinned: Option<&Place>, input: bool) -> Result<(Connection, Found), Words> {
    let mut connection = Connection::open()?;
    let devices = connection.devices(input)?;
    let found = choose(&devices, choice, pinned, input)?;
    Ok((connection, found.clone()))
}

fn gone(_: io::Error) -> Words {
    "the sound server has gone".to_owned()
}

fn text(name: &CStr) -> String {
    name.to_string_lossy().into_owned()
}

fn label(description: Option<&CString>, name: &CStr) -> String {
    description.map_or_else(|| text(name), |description| text(description))
}

/// What a device is built as, in the words of the desktop's specification of properties.
fn form(props: &Props) -> Option<&str> {
    let bytes = props.get(Prop::DeviceFormFactor)?;
    std::str::from_utf8(bytes).ok().map(|form| form.trim_end_matches('\0'))
}

fn of_source(source: &SourceInfo) -> Found {
    Found {
        place: Place { system: System::Pulse, id: text(&source.name) },
        label: label(source.description.as_ref(), &source.name),
        monitor: source.monitor_of_sink_index.is_some(),
        loud: false,
        is_default: false,
    }
}

fn of_sink(sink: &SinkInfo) -> Found {
    let label = label(sink.description.as_ref(), &sink.name);
    let port = sink.ports.get(sink.active_port).map(|port| port.port_type);
    let loud = match (form(&sink.props), port) {
        (Some("headset" | "headphone" | "handset" | "hands-free"), _) => false,
        (_, Some(PortType::Headphones | PortType::Headset | PortType::Handset | PortType::Earpiece)) => false,
        (Some("speaker" | "internal" | "tv" | "hifi" | "computer" | "portable"), _) => true,
        (_, Some(PortType::Speaker | PortType::Hdmi | PortType::Tv | PortType::Hifi)) => true,
        _ => super::place::sounds_loud(&label),
    };
    Found {
        place: Place { system: System::Pulse, id: text(&sink.name) },
        label,
        monitor: false,
        loud,
        is_default: false,
    }
}

/// Where the server listens. One on another computer is none of ours: ALSA's way to it remains.
fn socket_path() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(server) = variable("PULSE_SERVER") {
        let server = server.to_str()?;
        // `{machine-id}unix:/path other`: the first that is a path here.
        let places = server.split_whitespace().map(|place| place.rsplit_once('}').map_or(place, |p| p.1));
        let mut paths = places
            .filter_map(|place| place.strip_prefix("unix:").or(place.starts_with('/').then_some(place)));
        return paths.next().map(PathBuf::from);
    }
    let runtime = variable("PULSE_RUNTIME_PATH").map(|folder| PathBuf::from(folder).join("native"));
    let session = variable("XDG_RUNTIME_DIR").map(|folder| PathBuf::from(folder).join("pulse/native"));
    let everybody = Some(PathBuf::from("/var/run/pulse/native"));
    [runtime, session, everybody].into_iter().flatten().find(|path| path.exists())
}

/// What proves to the server that we are its user; servers of today go by the socket's owner and take any.
fn cookie() -> Vec<u8> {
    /// A cookie's length in bytes.
    const LENGTH: u64 = 256;
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let named = std::env::var_os("PULSE_COOKIE").map(PathBuf::from);
    let places = home.iter().flat_map(|home| [home.join(".config/pulse/cookie"), home.join(".pulse-cookie")]);
    let read = |path: PathBuf| {
        let mut cookie = Vec::new();
        std::fs::File::open(path).ok()?.take(LENGTH).read_to_end(&mut cookie).ok()?;
        (!cookie.is_empty()).then_some(cookie)
    };
    named.into_iter().chain(places).find_map(read).unwrap_or_else(|| vec![0; LENGTH as usize])
}
