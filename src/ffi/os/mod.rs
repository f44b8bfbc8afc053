//! What the operating system knows of the process.

#[cfg(all(test, target_os = "linux"))]
mod alone;
#[cfg(unix)]
mod blocks;
mod cgroup;
#[cfg(target_os = "linux")]
pub mod clone;
#[cfg(target_os = "linux")]
pub mod container;
#[cfg(unix)]
mod cpu;
#[cfg(unix)]
pub mod disk;
#[cfg(target_os = "linux")]
mod elf;
#[cfg(target_os = "linux")]
pub mod flight;
pub mod input;
#[cfg(target_os = "linux")]
mod native_heap;
pub mod pending;
mod pipe;
mod published;
#[cfg(target_os = "linux")]
mod statm;
#[cfg(target_os = "linux")]
mod symbol_pages;

use std::sync::Arc;
#[cfg(target_os = "linux")]
use std::sync::{Mutex, PoisonError, Weak};

#[cfg(unix)]
pub use blocks::Blocks;
pub use pipe::Pipe;
pub use published::Published;

use crate::sample::{ProcessFigures, ProcessSource};
#[cfg(target_os = "linux")]
use crate::units::Bytes;
use crate::units::Micros;

/// Renews what is too dear to be read with each sample: see `native_heap`. For the sampling thread only, once a tick.
pub fn survey() {
    #[cfg(target_os = "linux")]
    native_heap::survey();
}

/// Takes what looking up V8's functions has made resident out of the resident set, once a process: see `symbol_pages`. `v8` is where one of
/// them is.
pub fn give_symbols_back(v8: usize) {
    #[cfg(target_os = "linux")]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            symbol_pages::give_back(v8);
        });
    }
    #[cfg(not(target_os = "linux"))]
    let _ = v8;
}

/// What the process can still take: by the machine, and by its container's limit. Reads some ten files.
#[cfg(target_os = "linux")]
pub fn memory_left() -> Option<Bytes> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text));
    let container = cgroup::headroom(root());
    machine.into_iter().chain(container).min()
}

/// The folder of the process's memory control group, and how many processes of it, or of one above it, the kernel has killed for a limit
/// so far. Nothing where there are no control groups.
pub fn container_kills() -> Option<(String, u64)> {
    #[cfg(target_os = "linux")]
    return cgroup::kills(root()).map(|(group, kills)| (group.to_string_lossy().into_owned(), kills));
    #[cfg(not(target_os = "linux"))]
    None
}

/// What the control groups can be asked; nothing where there are none that can have a limit.
#[cfg(target_os = "linux")]
pub fn groups() -> Option<cgroup::Told> {
    cgroup::Levels::discover(root()).map(|levels| levels.told())
}

/// Whether the C library says how much it has handed out.
pub fn counts_native_heap() -> bool {
    #[cfg(target_os = "linux")]
    return native_heap::is_counted();
    #[cfg(not(target_os = "linux"))]
    false
}

/// Whether the process that writes the recording at `path` lives; nothing where that cannot be told.
pub fn is_recording(path: &std::path::Path) -> Option<bool> {
    #[cfg(target_os = "linux")]
    return flight::is_alive(path);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        None
    }
}

/// The system's boot, as it names it; empty where it does not.
pub fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// Where control groups are looked for: HEAPWARDEN_SYSTEM_ROOT, for tests of what no test can have the kernel do, else `/`.
#[cfg(target_os = "linux")]
fn root() -> &'static std::path::Path {
    static ROOT: std::sync::OnceLock<std::path::PathBuf> = std::sync::OnceLock::new();
    ROOT.get_or_init(|| std::env::var_os("HEAPWARDEN_SYSTEM_ROOT").unwrap_or_else(|| "/".into()).into())
}

/// Of `/proc/meminfo`: what can be had without swapping.
#[cfg(target_os = "linux")]
fn available(meminfo: &str) -> Option<Bytes> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| Bytes(kilobytes * 1024))
}

/// Processor time of the calling thread; 0 where this platform does not tell.
pub fn thread_time() -> Micros {
    #[cfg(unix)]
    return cpu::thread_time();
    #[cfg(not(unix))]
    return Micros(0);
}

/// Whether processor times have to be published by JavaScript.
pub const PUBLISHES_CPU: bool = cfg!(not(unix));

/// The best source on this platform, and where resident set sizes come from: `procfs`, or `node` where JavaScript has
/// to publish them through `published`.
pub fn process_source(published: &Arc<Published>) -> (Box<dyn ProcessSource>, &'static str) {
    #[cfg(target_os = "linux")]
    if let Some(shared) = Shared::open() {
        return (Box::new(shared), "procfs");
    }
    (Box::new(Arc::clone(published)), "node")
}

/// The process's one [`Linux`]. Its files say the same to every monitor, and a monitor that each had its own would hold
/// some five descriptors until it is collected, which the collector has no reason to hurry for.
#[cfg(target_os = "linux")]
struct Shared(Arc<Mutex<Linux>>);

#[cfg(target_os = "linux")]
impl Shared {
    /// The source that is open, or a new one; it is closed with the last monitor. Nothing where `/proc` is not mounted.
    fn open() -> Option<Self> {
        static OPEN: Mutex<Weak<Mutex<Linux>>> = Mutex::new(Weak::new());
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(linux) = open.upgrade() {
            return Some(Self(linux));
        }
        let statm = statm::Statm::open()?;
        let cgroup = cgroup::Cgroup::discover(root());
        let linux = Arc::new(Mutex::new(Linux { statm, cgroup }));
        *open = Arc::downgrade(&linux);
        Some(Self(linux))
    }
}

#[cfg(target_os = "linux")]
impl ProcessSource for Shared {
    fn read(&mut self) -> ProcessFigures {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).read()
    }
}

/// `/proc/self/statm` and the control groups.
#[cfg(target_os = "linux")]
struct Linux {
    statm: statm::Statm,
    cgroup: Option<cgroup::Cgroup>,
}

#[cfg(target_os = "linux")]
impl Linux {
    fn read(&mut self) -> ProcessFigures {
        let (container_limit, container_used) =
            self.cgroup.as_mut().map_or((None, None), |c| (c.limit(), c.used()));
        ProcessFigures {
            rss: self.statm.rss(),
            container_limit,
            container_used,
            cpu: cpu::process_time(),
            native_in_use: native_heap::in_use(),
        }
    }
}
