//! Samples and their quantiles, the machine's load, and what the kernel says of a process.

use std::time::Duration;

/// Durations of one kind, in the order in which they were measured.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    pub fn add(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    /// All of another's too.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The share `q` of the samples is at most this, in ms (nearest rank).
    pub fn quantile_ms(&self, q: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (q * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).map_or(f64::NAN, |d| d.as_secs_f64() * 1e3)
    }

    pub fn p50_ms(&self) -> f64 {
        self.quantile_ms(0.5)
    }

    pub fn p99_ms(&self) -> f64 {
        self.quantile_ms(0.99)
    }
}

/// One line about the machine at this moment: without it a figure says little.
pub fn machine() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let build = if cfg!(debug_assertions) { "DEBUG BUILD, figures mean nothing" } else { "release build" };
    format!("{build} · {cores} cores · load average {load}")
}

/// Memory of a process in KiB: all of its resident pages, and its share of those that others use too.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    pub rss_kib: u64,
    pub pss_kib: u64,
    /// Pages that no other process uses: what is given back when it ends.
    pub private_kib: u64,
}

pub fn memory_of(pid: u32) -> Memory {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let value = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
    };
    Memory {
        rss_kib: value("Rss:"),
        pss_kib: value("Pss:"),
        private_kib: value("Private_Clean:") + value("Private_Dirty:"),
    }
}

/// Time that all threads of a process have run so far, from the scheduler. (Clock ticks read several times too high
/// for threads that wake up briefly.) A thread that ends takes its time with it: measure over steady states.
pub fn cpu_of(pid: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let ran = |folder: std::path::PathBuf| {
        let text = std::fs::read_to_string(folder.join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(threads.filter_map(|thread| ran(thread.path())).sum())
}

/// Times that the process was woken up, voluntarily or not.
pub fn switches_of(pid: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let switched = |folder: std::path::PathBuf| {
        let text = std::fs::read_to_string(folder.join("status")).ok()?;
        let counts = text.lines().filter(|line| line.contains("ctxt_switches"));
        Some(counts.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum::<u64>())
    };
    threads.filter_map(|thread| switched(thread.path())).sum()
}
