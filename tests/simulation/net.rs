//! A network in virtual time: datagrams that are late, lost, doubled or overtaken, all from one seed.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

/// How bad the network is. Shares from 0 to 1.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    pub loss: f64,
    pub duplication: f64,
    pub reorder: f64,
}

impl Weather {
    /// Anything from calm to 20 % of each, by seed; every fifth seed is perfectly calm.
    pub fn of(seed: u64) -> Self {
        if seed.is_multiple_of(5) {
            return Self { loss: 0.0, duplication: 0.0, reorder: 0.0 };
        }
        let mut rng = StdRng::seed_from_u64(seed ^ 0x57ea);
        let mut share = || rng.random_range(0.0..0.2);
        Self { loss: share(), duplication: share(), reorder: share() }
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Datagram {
    pub at: Duration,
    order: u64,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

pub struct Net {
    weather: Weather,
    rng: StdRng,
    under_way: BinaryHeap<Reverse<Datagram>>,
    order: u64,
}

impl Net {
    pub fn new(seed: u64, weather: Weather) -> Self {
        Self { weather, rng: StdRng::seed_from_u64(seed), under_way: BinaryHeap::new(), order: 0 }
    }

    pub fn send(&mut self, now: Duration, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let copies = 1 + usize::from(self.rng.random_bool(self.weather.duplication));
        for _ in 0..copies {
            if self.rng.random_bool(self.weather.loss) {
                continue;
            }
            let late = self.rng.random_bool(self.weather.reorder);
            let ms = if late { self.rng.random_range(5..120) } else { self.rng.random_range(1..4) };
            self.order += 1;
            let at = now + Duration::from_millis(ms);
            self.under_way.push(Reverse(Datagram { at, order: self.order, from, to, bytes: bytes.clone() }));
        }
    }

    pub fn next_at(&self) -> Option<Duration> {
        self.under_way.peek().map(|d| d.0.at)
    }

    pub fn take(&mut self, now: Duration) -> Option<Datagram> {
        if self.next_at()? > now {
            return None;
        }
        self.under_way.pop().map(|d| d.0)
    }
}
