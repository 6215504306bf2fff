//! Whether the ground moves under us: another address of ours on the way to the server, and a computer that slept.
//! The judging is pure; the looking costs two system calls and no privilege.

use super::udp::{address_towards, is_ours};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Between two looks so much more time goes by only where this process did not run: it was stopped, its container frozen,
/// or the virtual machine that it lives in.
const STOPPED_MIN: Duration = Duration::from_secs(8);
/// Asleep for longer than this, connections and registrations are doubted.
const SLEPT_MIN: Duration = Duration::from_secs(3);
/// An address that competes with the one in use must have been seen so often in a row: two ways out at once (cable and
/// radio) must not make us jump to and fro.
const STEADY: u32 = 2;

/// What one look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sight {
    /// The address that the route to the server leaves from, if there is a route.
    pub routed: Option<IpAddr>,
    /// Whether the address in use is still ours.
    pub present: bool,
}

/// Watches one socket's address.
#[derive(Clone, Debug)]
pub(super) struct AddressWatch {
    towards: SocketAddr,
    /// The address was chosen by the operator: it is not changed, only missed.
    fixed: bool,
    current: IpAddr,
    lost: bool,
    rival: Option<(IpAddr, u32)>,
}

impl AddressWatch {
    pub(super) fn new(towards: SocketAddr, current: IpAddr, fixed: bool) -> Self {
        Self { towards, fixed, current, lost: false, rival: None }
    }

    /// Looks. The address to use from now on, when that has changed or has come back.
    pub(super) fn look(&mut self) -> Option<IpAddr> {
        let routed = if self.fixed { Some(self.current) } else { address_towards(self.towards).ok() };
        let present = routed == Some(self.current) && !self.fixed || is_ours(self.current);
        self.judge(Sight { routed, present })
    }

    fn judge(&mut self, sight: Sight) -> Option<IpAddr> {
        self.lost |= !sight.present;
        let routed = sight.routed?;
        if self.fixed && !sight.present {
            return None;
        }
        if routed == self.current {
            self.rival = None;
            return std::mem::take(&mut self.lost).then_some(routed);
        }
        let seen = match self.rival {
            Some((address, seen)) if address == routed => seen + 1,
            _ => 1,
        };
        self.rival = Some((routed, seen));
        if !self.lost && seen < STEADY {
            return None;
        }
        self.current = routed;
        self.lost = false;
        self.rival = None;
        Some(routed)
    }
}

/// Notices that the computer slept: time that went by while the clock of our timers stood still, or while that went on
/// and we did not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SleepWatch {
    asleep: Option<Duration>,
    looked: Option<Instant>,
}

impl SleepWatch {
    /// Looks. How long we have slept since the last look, if we did.
    pub(super) fn look(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let awake = self.looked.replace(now).map(|before| now.saturating_duration_since(before));
        self.judge(asleep_total(), awake.unwrap_or_default())
    }

    /// `total`: how long the computer has slept in all; `awake`: how long ago by the other clock the last look was.
    fn judge(&mut self, total: Duration, awake: Duration) -> Option<Duration> {
        let before = self.asleep.replace(total)?;
        let slept = total.saturating_sub(before);
        let stopped = if awake >= STOPPED_MIN { awake } else { Duration::ZERO };
        (slept >= SLEPT_MIN || !stopped.is_zero()).then_some(slept + stopped)
    }
}

/// How long the computer has slept since it was switched on.
#[cfg(target_os = "linux")]
fn asleep_total() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let read = |clock| {
        let now = clock_gettime(clock);
        Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
    };
    let awake = read(ClockId::Monotonic);
    read(ClockId::Boottime).saturating_sub(awake)
}

/// The same from the wall clock, against the clock that stands still. A clock that is set forward looks like sleep;
/// what follows is one REGISTER too many.
#[cfg(not(target_os = "linux"))]
fn asleep_total() -> Duration {
    use std::sync::OnceLock;
    use std::time::{SystemTime, UNIX_EPOCH};
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    wall.saturating_sub(BEGAN.get_or_init(Instant::now).elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    fn watch(fixed: bool) -> AddressWatch {
        AddressWatch::new(([192, 0, 2, 200], 5060).into(), ip(1), fixed)
    }

    fn sight(routed: Option<IpAddr>, present: bool) -> Sight {
        Sight { routed, present }
    }

    #[test]
    fn an_address_that_vanished_is_replaced_at_once() {
        let mut watch = watch(false);
        assert_eq!(watch.judge(sight(Some(ip(1)), true)), None);
        assert_eq!(watch.judge(sight(Some(ip(2)), false)), Some(ip(2)));
        assert_eq!(watch.judge(sight(Some(ip(2)), true)), None);
    }

    #[test]
    fn a_network_that_was_away_is_told_of_when_it_is_back_and_not_before() {
        let mut watch = watch(false);
        for _ in 0..5 {
            assert_eq!(watch.judge(sight(None, false)), None);
        }
        // The same address: connections and registrations have still been without it.
        assert_eq!(watch.judge(sight(Some(ip(1)), true)), Some(ip(1)));
        assert_eq!(watch.judge(sight(Some(ip(1)), true)), None);
    }

    #[test]
    fn a_second_way_out_is_taken_only_when_it_stays() {
        let mut watch = watch(false);
        assert_eq!(watch.judge(sight(Some(ip(2)), true)), None);
        assert_eq!(watch.judge(sight(Some(ip(1)), true)), None);
        assert_eq!(watch.judge(sight(Some(ip(2)), true)), None);
        assert_eq!(watch.judge(sight(Some(ip(2)), true)), Some(ip(2)));
    }

    #[test]
    fn an_address_that_the_operator_chose_is_waited_for() {
        let mut watch = watch(true);
        assert_eq!(watch.judge(sight(Some(ip(1)), false)), None);
        assert_eq!(watch.judge(sight(Some(ip(1)), false)), None);
        assert_eq!(watch.judge(sight(Some(ip(1)), true)), Some(ip(1)));
        assert_eq!(watch.judge(sight(Some(ip(1)), true)), None);
    }

    #[test]
    fn sleep_is_told_once_and_a_short_nap_not_at_all() {
        let mut watch = SleepWatch::default();
        let hours = |h: u64| Duration::from_secs(3600 * h);
        let second = Duration::from_secs(1);
        assert_eq!(watch.judge(hours(5), Duration::ZERO), None, "slept before we began");
        assert_eq!(watch.judge(hours(5) + second, second), None);
        assert_eq!(watch.judge(hours(7), second), Some(hours(2) - second));
        assert_eq!(watch.judge(hours(7), second), None);
        assert_eq!(watch.judge(hours(6), second), None, "a clock set back is no sleep");
        assert_eq!(watch.judge(hours(6), 3 * second), None, "a busy moment");
        assert_eq!(watch.judge(hours(6), 60 * second), Some(60 * second), "stopped while the clocks went on");
        assert_eq!(watch.judge(hours(6), second), None);
    }

    #[test]
    fn the_real_clocks_can_be_read() {
        let mut watch = SleepWatch::default();
        assert_eq!((watch.look(), watch.look()), (None, None));
        let mut address = AddressWatch::new(([127, 0, 0, 1], 9).into(), [127, 0, 0, 1].into(), false);
        assert_eq!(address.look(), None);
    }
}
