//! Life in the clone, from the fork to `_exit`.

use std::io::Write;
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Limits;
use super::imports::{self, Import};
use crate::clone::message::{Message, Step, encoded, preamble};
use crate::units::Bytes;

/// Status of a clone that panicked.
pub const PANICKED: libc::c_int = 122;
/// Status of a clone that could not be prepared.
pub const UNPREPARED: libc::c_int = 123;
/// Added to the deadline that the parent keeps, for the clone's own.
const GRACE_SECONDS: u64 = 5;
/// Of the least nice of processes the clone is not one: what it does can wait.
const NICE: libc::c_int = 10;
/// One more than the highest signal.
const SIGNALS: libc::c_int = 65;

/// What the clone is told, made before the fork.
pub struct Plan<'a> {
    pub imports: &'a [Import],
    /// Descriptors that it keeps.
    pub keep: &'a [RawFd],
    /// Where it talks to.
    pub out: RawFd,
    /// The process that it is a copy of.
    pub parent: libc::pid_t,
    pub limits: &'a Limits,
}

/// The way to the parent.
pub struct Out {
    pipe: ManuallyDrop<std::fs::File>,
    outlives: bool,
}

impl Out {
    /// Says something. Where the parent is gone, so is the clone, unless it is meant to outlive it.
    pub fn say(&mut self, message: &Message) {
        if self.pipe.write_all(&encoded(message)).is_err() && !self.outlives {
            // SAFETY: ends the clone, and nothing else.
            unsafe { libc::_exit(0) };
        }
    }

    /// Says what is done from now on.
    pub fn step(&mut self, step: Step) {
        self.say(&Message::Step(step));
    }
}

/// Does `work` as a process of its own; never returns.
pub fn run(plan: &Plan<'_>, work: impl FnOnce(&mut Out)) -> ! {
    let prepared = prepare(plan);
    // SAFETY: the descriptor is open, the clone's own copy, and never closed: `ManuallyDrop`, then `_exit`.
    let pipe = ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(plan.out) });
    let outlives = plan.limits.outlives;
    let mut out = Out { pipe, outlives };
    let status = if prepared {
        // A panic must reach neither V8's frames below nor the parent's code.
        let done = catch_unwind(AssertUnwindSafe(|| {
            if out.pipe.write_all(&preamble()).is_ok() || outlives {
                out.step(Step::Preparing);
                work(&mut out);
                out.say(&Message::End { peak: own_memory().0 });
            }
        }));
        if done.is_ok() { 0 } else { PANICKED }
    } else {
        UNPREPARED
    };
    // SAFETY: ends the process at once: no handler of `atexit`, no destructor, no buffer of the parent's is run or flushed.
    unsafe { libc::_exit(status) }
}

/// Rids the clone of what is its parent's, and limits what it can do.
fn prepare(plan: &Plan<'_>) -> bool {
    // SAFETY: each call is about this process, the clone, which has one thread. Arguments are constants, or places on this stack that live
    // through the call. Descriptors that are closed belong to nobody: the code that has them in the parent never runs here.
    unsafe {
        if !plan.limits.outlives {
            // Ends with the thread that made it, and at once where that is gone already.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::getppid() != plan.parent {
                return false;
            }
        }
        for signal in 1..SIGNALS {
            libc::signal(signal, libc::SIG_DFL);
        }
        // A parent that has gone away is seen by a failed write.
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        // A file that may not be longer (`ulimit -f`) is an error to be told, as a full disk is, and not the end.
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        let mut none = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        let seconds = plan.limits.deadline.as_secs() + GRACE_SECONDS;
        libc::alarm(seconds.try_into().unwrap_or(libc::c_uint::MAX));
        if !keep_only(plan.keep, plan.out) {
            return false;
        }
        let no_core = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::setrlimit(libc::RLIMIT_CORE, &raw const no_core);
        libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
        libc::prctl(libc::PR_SET_NAME, c"heapwarden-look".as_ptr());
        // Of the processes that could be killed for memory, this one.
        let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
        limit_memory(plan.limits.memory);
        imports::replace(plan.imports)
    }
}

/// Puts the null device in the place of all descriptors but those: what the parent closes must not stay open here, and what code in the
/// clone writes (libuv wakes an event loop by a write, and ends the process where that fails) must go nowhere.
fn keep_only(keep: &[RawFd], out: RawFd) -> bool {
    // SAFETY: the name is a C string.
    let null = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return false };
    let open: Vec<RawFd> = open.flatten().filter_map(|fd| fd.file_name().to_str()?.parse().ok()).collect();
    let others = open.into_iter().filter(|fd| *fd != null && *fd != out && !keep.contains(fd));
    for fd in others {
        // SAFETY: replaces a descriptor of the clone, which belongs to nobody in it: the code that has it in the parent never runs here.
        // That of the folder just read is closed already, and opened again by this: one more of the null device.
        unsafe { libc::dup2(null, fd) };
    }
    null >= 0
}

/// Lets the clone have `more` memory than it has now: an allocation beyond fails, and the clone with it, before the machine's or the
/// container's memory is used up.
fn limit_memory(more: Bytes) {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let Some(pages) = statm.split(' ').nth(5).and_then(|field| field.parse::<u64>().ok()) else { return };
    // SAFETY: a constant is asked for; the limit is a valid place.
    unsafe {
        let page = u64::try_from(libc::sysconf(libc::_SC_PAGESIZE)).unwrap_or(4096);
        let mut limit = std::mem::zeroed::<libc::rlimit>();
        if libc::getrlimit(libc::RLIMIT_DATA, &raw mut limit) != 0 {
            return;
        }
        let wanted = pages.saturating_mul(page).saturating_add(more.0);
        limit.rlim_cur = limit.rlim_cur.min(wanted as libc::rlim_t);
        libc::setrlimit(libc::RLIMIT_DATA, &raw const limit);
    }
}

/// The most that the clone has had to itself, about.
fn own_memory() -> Bytes {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let (status, rollup) = (read("/proc/self/status"), read("/proc/self/smaps_rollup"));
    let private = kilobytes(&rollup, "Private_Dirty:") + kilobytes(&rollup, "Private_Clean:");
    // What was given back since the highest point was the clone's own: what it shares with its parent it cannot free.
    let given_back = kilobytes(&status, "VmHWM:").saturating_sub(kilobytes(&status, "VmRSS:"));
    Bytes((private + given_back) * 1024)
}

/// The number in a line such as `VmRSS:   123 kB`; 0 where there is none.
fn kilobytes(text: &str, name: &str) -> u64 {
    let number = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.trim().parse().ok());
    number.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::os::alone::alone;

    #[test]
    fn what_a_process_has_to_itself_is_read_from_the_kernel() {
        alone(concat!(module_path!(), "::what_a_process_has_to_itself_is_read_from_the_kernel"), || {
            let status = "Name:\tnode\nVmHWM:\t  1500 kB\nVmRSS:\t  1000 kB\nThreads:\t7\n";
            assert_eq!(
                (kilobytes(status, "VmHWM:"), kilobytes(status, "VmRSS:"), kilobytes(status, "VmX:")),
                (1500, 1000, 0)
            );
            let much = std::hint::black_box(vec![1u8; 64 << 20]);
            let with = own_memory().0;
            assert!(with >= 64 << 20, "{with}");
            drop(much);
            let without = own_memory().0;
            assert!(without >= 64 << 20, "the most, not what is left: {without}");
        });
    }
}
