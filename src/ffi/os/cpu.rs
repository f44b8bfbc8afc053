//! Processor time of the process.

use crate::units::Micros;

/// User and system time of all threads since the process began; 0 where the clock cannot be read. A system call of some 300 ns.
pub fn process_time() -> Micros {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the answer, and the clock's number is a constant.
    if unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) } != 0 {
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
        std::thread::spawn(burn).join().expect("no panic");
        assert!(process_time().0 >= before.0 + 20_000);
    }
}
