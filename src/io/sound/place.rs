//! Which device is meant: by its exact name, by a part of it, or the one that was in use before. Never another one
//! silently, and never what a speaker plays for a microphone unless it was named as such.

use super::options::Device;
use std::ffi::CString;

/// By which of the computer's sound systems a device is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    /// PulseAudio's protocol: PulseAudio or PipeWire.
    Pulse,
    /// The kernel's own devices, or whatever else the platform has.
    Native,
}

/// Where a device is: what it is recognised by when it returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub system: System,
    /// The system's own name for it.
    pub id: String,
}

impl Place {
    /// For a library that wants it with a zero behind.
    pub(super) fn c_name(&self) -> Option<CString> {
        CString::new(self.id.as_str()).ok()
    }
}

/// A device that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub place: Place,
    /// Its name for people.
    pub label: String,
    /// It is no microphone: what a speaker plays.
    pub monitor: bool,
    /// It is heard in the room, and by a microphone in it.
    pub loud: bool,
    /// The system's own choice.
    pub is_default: bool,
}

/// Whether a device of this name is heard in the room; said of itself, it would be known.
pub(super) fn sounds_loud(label: &str) -> bool {
    let label = label.to_lowercase();
    ["speaker", "lautsprecher", "built-in", "internal", "hdmi", "displayport", "s/pdif"]
        .iter()
        .any(|word| label.contains(word))
}

/// Whether a device is known for a monitor by its name alone.
pub(super) fn is_monitor(name: &str) -> bool {
    let name = name.to_lowercase();
    name.ends_with(".monitor") || name.starts_with("monitor of") || name.contains("monitor of ")
}

/// The device meant, of those that are there (the default first).
///
/// Without a choice it is the system's default, but once a device was in use (`pinned`) only that one: where it is
/// gone, another is worth a question.
pub(super) fn choose<'a>(
    devices: &'a [Found],
    choice: &Device,
    pinned: Option<&Place>,
    input: bool,
) -> Result<&'a Found, String> {
    let what = if input { "microphone" } else { "speaker" };
    let usable = |device: &&Found| !(input && device.monitor);
    match choice {
        Device::Off => Err("switched off".to_owned()),
        Device::Default => {
            if let Some(pinned) = pinned {
                let same = devices.iter().find(|device| device.place == *pinned);
                return same.ok_or_else(|| format!("the {what} in use before isn't there"));
            }
            let default = devices.iter().find(|device| device.is_default).or_else(|| devices.first());
            match default {
                Some(device) if usable(&device) => Ok(device),
                Some(_) => Err("the default microphone is a speaker's monitor".to_owned()),
                None => Err(format!("there is no {what}")),
            }
        }
        Device::Named(name) => {
            let wanted = name.trim().to_lowercase();
            let names = |device: &Found| [device.label.to_lowercase(), device.place.id.to_lowercase()];
            let exact = devices.iter().find(|device| names(device).contains(&wanted));
            let like = || {
                let like = |device: &&Found| names(device).iter().any(|name| name.contains(&wanted));
                devices.iter().filter(usable).find(like)
            };
            let empty = wanted.is_empty();
            let found = exact.or_else(|| if empty { None } else { like() });
            found.ok_or_else(|| format!("there is no {what} “{}”", shown(name)))
        }
    }
}

/// What could be used instead of a device that isn't there: the default, if it is no monitor.
pub(super) fn instead(devices: &[Found], input: bool) -> Option<&Found> {
    devices.iter().find(|device| !(input && device.monitor))
}

/// The name as configured, shortened: it came from a file.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: &str, label: &str, monitor: bool, is_default: bool) -> Found {
        let place = Place { system: System::Pulse, id: id.to_owned() };
        Found { place, label: label.to_owned(), monitor, loud: false, is_default }
    }

    fn room() -> Vec<Found> {
        vec![
            device("usb-headset", "Jabra Evolve2", false, true),
            device("usb-headset-2", "Jabra Evolve2 (second)", false, false),
            device("card0", "Built-in Audio", false, false),
            device("out.monitor", "Monitor of Built-in Audio", true, false),
        ]
    }

    fn chosen(devices: &[Found], choice: &Device, pinned: Option<&Place>) -> Result<String, String> {
        choose(devices, choice, pinned, true).map(|device| device.place.id.clone())
    }

    #[test]
    fn a_name_is_taken_exactly_before_it_is_taken_in_part() {
        let room = room();
        let named = |name: &str| chosen(&room, &Device::Named(name.to_owned()), None);
        assert_eq!(named("jabra evolve2").unwrap(), "usb-headset");
        assert_eq!(named("second").unwrap(), "usb-headset-2");
        assert_eq!(named("card0").unwrap(), "card0");
        assert!(named("Plantronics").unwrap_err().contains("no microphone “Plantronics”"));
        assert!(named("").is_err(), "an empty name is no name");
    }

    #[test]
    fn a_monitor_is_a_microphone_only_by_its_full_name() {
        let room = room();
        let named = |name: &str| chosen(&room, &Device::Named(name.to_owned()), None);
        assert_eq!(named("out.monitor").unwrap(), "out.monitor");
        assert!(named("monitor").is_err());
        assert_eq!(named("built-in").unwrap(), "card0", "not the monitor whose name has it too");
        let only_monitors = [device("out.monitor", "Monitor of Built-in Audio", true, true)];
        assert!(chosen(&only_monitors, &Device::Default, None).unwrap_err().contains("monitor"));
    }

    #[test]
    fn the_default_may_change_but_not_under_somebody_who_speaks() {
        let mut room = room();
        let headset = Place { system: System::Pulse, id: "usb-headset".to_owned() };
        assert_eq!(chosen(&room, &Device::Default, None).unwrap(), "usb-headset");
        room.remove(0);
        room[1].is_default = true;
        assert!(chosen(&room, &Device::Default, Some(&headset)).is_err(), "another room's microphone");
        assert_eq!(instead(&room, true).map(|d| d.place.id.as_str()), Some("usb-headset-2"));
        room.push(device("usb-headset", "Jabra Evolve2", false, false));
        assert_eq!(chosen(&room, &Device::Default, Some(&headset)).unwrap(), "usb-headset", "it is back");
    }
}
