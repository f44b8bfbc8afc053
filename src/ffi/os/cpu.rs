//! Processor time of the process.

use crate::units::Micros;

/// User and system time of all threads since the process began; 0 where the clock cannot be read. A system call of some 300 ns.
pub fn process_time() -> Micros {
    read(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// The same of the calling thread alone, since that began.
pub fn thread_time() -> Micros {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn read(clock: libc::clockid_t) -> Micros {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the answer, and `clock` one of the two constants above; an unknown one would be an error.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return Micros(0);
    }
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Micros(seconds.saturating_mul(1_000_000).saturating_add(nanos / 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_time_on_whichever_thread() {
        let before = process_time();
        let burn = move || {
            let mut sum = 0u64;
            while process_time().0 < before.0 + 20_000 {
                sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(1));
            }
        };
        let own = thread_time();
        std::thread::spawn(burn).join().expect("no panic");
        assert!(process_time().0 >= before.0 + 20_000);
        assert!(thread_time().0 - own.0 < 20_000, "another thread's work is not this one's");
    }
}
