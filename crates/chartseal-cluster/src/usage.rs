use std::fs;

/// What a process took so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Time on the CPU, in seconds: its own and the kernel's for it.
    pub cpu_s: f64,
    /// Resident memory now, in bytes.
    pub resident: u64,
    /// The most that it ever was, in bytes.
    pub peak: u64,
}

/// Ticks of `/proc/PID/stat` in a second, on every Linux there is.
const TICKS: f64 = 100.0;

impl Usage {
    /// Of a running process; `None`: there is no such process.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may hold spaces and ends with the last bracket. utime and stime are fields 14 and 15.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks: f64 =
            fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        Some(Self {
            cpu_s: ticks / TICKS,
            resident: kib("VmRSS:")? * 1_024,
            peak: kib("VmHWM:")? * 1_024,
        })
    }
}
