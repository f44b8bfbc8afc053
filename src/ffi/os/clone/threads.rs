//! Whether the other threads of the process are asleep.

use std::path::Path;
use std::time::{Duration, Instant};

/// Between two looks: a job of the collector takes about as long.
const PAUSE: Duration = Duration::from_micros(200);

/// Waits until all other threads of the process sleep, for `patience` at most; says whether they do.
///
/// A thread that sleeps may hold a lock, but the locks of V8 and libuv are held for moments, while nobody sleeps. Cost: some 10 us a thread
/// and look.
pub fn fall_asleep(patience: Duration) -> bool {
    let until = Instant::now() + patience;
    loop {
        if others_sleep() {
            return true;
        }
        if Instant::now() + PAUSE > until {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
}

fn others_sleep() -> bool {
    // The call and not glibc's `gettid`, which there is from 2.30 on: Node runs on 2.28. SAFETY: it has no arguments and cannot fail.
    let own = unsafe { libc::syscall(libc::SYS_gettid) }.to_string();
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return false };
    threads.flatten().filter(|thread| thread.file_name() != own.as_str()).all(|thread| {
        // A thread that has ended since is no danger.
        std::fs::read_to_string(thread.path().join("stat")).map_or(true, |stat| state(&stat) != Some('R'))
    })
}

/// What a process or thread does, of the line in `stat`: `R` for running; `S` for asleep, `D` for asleep in the kernel.
///
/// The name before it is in parentheses and may contain any.
pub fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

/// State, and processor time in ticks, of the process `pid`.
pub fn activity(pid: libc::pid_t) -> Option<(char, u64)> {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.chars().next()?;
    let mut times = fields.skip(10).map(|field| field.parse::<u64>().unwrap_or(0));
    Some((state, times.next()? + times.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn the_state_stands_after_a_name_that_may_contain_anything() {
        assert_eq!(state("12 (node) S 1 2 3"), Some('S'));
        assert_eq!(state("12 (a) R (b) D 1"), Some('D'));
        assert_eq!(state(""), None);
        assert_eq!(state("12 (node"), None);
    }

    #[test]
    fn a_thread_that_computes_is_seen_to() {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let busy = std::thread::spawn(move || while !flag.load(Ordering::Relaxed) {});
        assert!(!fall_asleep(Duration::from_millis(20)));
        stop.store(true, Ordering::Relaxed);
        busy.join().expect("no panic");
    }

    #[test]
    fn work_is_seen_as_processor_time() {
        let own = libc::pid_t::try_from(std::process::id()).expect("a process id");
        let (state, before) = activity(own).expect("this process");
        assert!(state.is_ascii_uppercase());
        let until = Instant::now() + Duration::from_millis(100);
        while Instant::now() < until {}
        assert!(activity(own).expect("this process").1 > before);
        assert_eq!(activity(libc::pid_t::MAX), None);
    }
}
