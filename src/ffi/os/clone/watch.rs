//! The parent's end: hears what the clone says, and sees to it that it ends.

use std::io::ErrorKind;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::child::{PANICKED, UNPREPARED};
use super::imports::WAITED;
use super::threads::activity;
use crate::clone::message::{Message, MessageReader, Step};

/// Between two looks at a clone that says nothing.
const LOOK: Duration = Duration::from_millis(100);
/// A clone that sleeps for so many looks, and uses no processor time, waits for somebody who is not there.
const STILL: u32 = 15;
/// How long a clone that has said everything may take to end.
const LEAVING: Duration = Duration::from_secs(2);
/// Read at a time.
const READ_BYTES: usize = 64 * 1024;

/// A clone that is alive, or was. Dropped, it is killed and buried.
pub struct Watch {
    pid: libc::pid_t,
    pipe: OwnedFd,
    deadline: Instant,
    buried: bool,
    /// What the clone used of the processors, once it is buried.
    cpu: Option<Duration>,
}

/// What a clone came to.
#[derive(Debug)]
pub enum Watched {
    /// It said everything that it had to say.
    Told {
        /// The most memory that it had to itself, in bytes.
        peak: u64,
        /// Processor time, user and system; nothing where the kernel did not tell.
        cpu: Option<Duration>,
    },
    /// It did not.
    Lost {
        /// Why, in words.
        reason: String,
        /// As above.
        cpu: Option<Duration>,
    },
    /// It was given up.
    Cancelled,
}

/// How a process ended.
enum Death {
    Status(i32),
    Signal(i32),
    /// Somebody else has asked.
    Unknown,
}

impl Watch {
    pub(super) fn new(pid: libc::pid_t, pipe: OwnedFd, within: Duration) -> Self {
        Self { pid, pipe, deadline: Instant::now() + within, buried: false, cpu: None }
    }

    /// Hears the clone to its end, and gives what it says, but for steps and the end, to `take`. Waits: not for a thread that has anything
    /// else to do.
    pub fn hear(mut self, cancel: &AtomicBool, mut take: impl FnMut(Message)) -> Watched {
        let mut reader = MessageReader::default();
        let (mut step, mut peak) = (Step::Preparing, 0);
        let mut buffer = vec![0; READ_BYTES];
        let mut still = Stillness::default();
        let broken = loop {
            if cancel.load(Ordering::Relaxed) {
                return Watched::Cancelled;
            }
            if Instant::now() > self.deadline {
                break Some(format!("it was not done in time, while {}", step.words()));
            }
            match self.read(&mut buffer) {
                Read::Nothing if still.lasts(activity(self.pid)) => {
                    break Some(format!(
                        "it waited for a thread that it does not have, while {}",
                        step.words()
                    ));
                }
                Read::Nothing => {}
                Read::Bytes(count) => {
                    still = Stillness::default();
                    let heard = reader.feed(&buffer[..count], |message| match message {
                        Message::Step(next) => step = next,
                        Message::End { peak: most } => peak = most,
                        other => take(other),
                    });
                    if let Err(error) = heard {
                        break Some(error.to_string());
                    }
                }
                Read::End => break None,
                Read::Failed(error) => break Some(format!("its pipe could not be read: {error}")),
            }
        };
        if let Some(reason) = broken {
            self.bury(true);
            return Watched::Lost { reason, cpu: self.cpu };
        }
        let death = self.bury(false);
        if reader.ended() {
            return Watched::Told { peak, cpu: self.cpu };
        }
        let how = match death {
            Death::Status(WAITED) => "it would have waited for a thread that it does not have".into(),
            Death::Status(PANICKED) => "it panicked".into(),
            Death::Status(UNPREPARED) => "it could not be prepared".into(),
            Death::Status(status) => format!("it ended with status {status}"),
            Death::Signal(signal) => format!("it was ended by signal {signal}{}", named(signal)),
            Death::Unknown => "it ended".into(),
        };
        Watched::Lost { reason: format!("{how}, while {}", step.words()), cpu: self.cpu }
    }

    fn read(&self, buffer: &mut [u8]) -> Read {
        let fd = self.pipe.as_raw_fd();
        let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, which lives through the call.
        let ready = unsafe { libc::poll(&raw mut poll, 1, LOOK.as_millis() as libc::c_int) };
        if ready == 0 {
            return Read::Nothing;
        }
        let count = if ready < 0 {
            -1
        } else {
            // SAFETY: the buffer is as long as said, and the descriptor is ours.
            unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) }
        };
        match usize::try_from(count) {
            Ok(0) => Read::End,
            Ok(count) => Read::Bytes(count),
            Err(_) => match std::io::Error::last_os_error() {
                error if error.kind() == ErrorKind::Interrupted => Read::Nothing,
                error => Read::Failed(error),
            },
        }
    }

    /// Waits for the clone's end, kills it at once or where it takes its time, and leaves no zombie.
    fn bury(&mut self, kill: bool) -> Death {
        if self.buried {
            return Death::Unknown;
        }
        self.buried = true;
        let since = Instant::now();
        let mut killed = false;
        loop {
            if !killed && (kill || since.elapsed() > LEAVING) {
                killed = true;
                // SAFETY: the clone is this process's child and not buried yet, so that the number is its own.
                unsafe { libc::kill(self.pid, libc::SIGKILL) };
            }
            let mut status = 0;
            let flags = if killed { 0 } else { libc::WNOHANG };
            let mut used = std::mem::MaybeUninit::<libc::rusage>::zeroed();
            // SAFETY: `status` and `used` are valid places, and live through the call.
            match unsafe { libc::wait4(self.pid, &raw mut status, flags, used.as_mut_ptr()) } {
                0 => std::thread::sleep(Duration::from_millis(1)),
                pid if pid == self.pid => {
                    // SAFETY: plain numbers, of which all-zero ones are valid; the call that has just succeeded filled them in.
                    let used = unsafe { used.assume_init() };
                    self.cpu = Some(duration(used.ru_utime) + duration(used.ru_stime));
                    return if libc::WIFEXITED(status) {
                        Death::Status(libc::WEXITSTATUS(status))
                    } else {
                        Death::Signal(libc::WTERMSIG(status))
                    };
                }
                _ if std::io::Error::last_os_error().kind() == ErrorKind::Interrupted => {}
                // A process that ignores SIGCHLD has no zombies, and is told nothing.
                _ => return Death::Unknown,
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.bury(true);
    }
}

enum Read {
    Nothing,
    Bytes(usize),
    End,
    Failed(std::io::Error),
}

fn duration(time: libc::timeval) -> Duration {
    let micros = u64::try_from(time.tv_usec).unwrap_or(0);
    Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0)) + Duration::from_micros(micros)
}

/// For how many looks a process has slept without using the processor.
#[derive(Default)]
struct Stillness {
    used: u64,
    looks: u32,
}

impl Stillness {
    fn lasts(&mut self, activity: Option<(char, u64)>) -> bool {
        match activity {
            Some(('S', used)) if used == self.used => self.looks += 1,
            Some((_, used)) => *self = Self { used, looks: 0 },
            None => self.looks = 0,
        }
        self.looks >= STILL
    }
}

/// What a signal is known by.
fn named(signal: i32) -> &'static str {
    match signal {
        libc::SIGKILL => " (SIGKILL: by somebody, or by the kernel for want of memory)",
        libc::SIGABRT => " (SIGABRT: V8 gave up, most likely for want of memory)",
        libc::SIGSEGV => " (SIGSEGV)",
        libc::SIGBUS => " (SIGBUS)",
        libc::SIGILL | libc::SIGTRAP => " (V8 found itself in a state that cannot be)",
        libc::SIGALRM => " (SIGALRM: it was not done in time)",
        libc::SIGTERM => " (SIGTERM)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sleep_without_work_is_stillness() {
        let mut still = Stillness::default();
        let mut looks = |activity, count: u32| (0..count).any(|_| still.lasts(activity));
        assert!(!looks(Some(('R', 5)), 100));
        assert!(!looks(Some(('D', 5)), 100));
        assert!(!looks(Some(('T', 5)), 100), "stopped by somebody, who may let it go on");
        assert!(!looks(None, 100));
        assert!(!looks(Some(('S', 6)), STILL));
        assert!(!looks(Some(('S', 7)), STILL), "it did something in between");
        assert!(looks(Some(('S', 7)), 1));
    }
}
