//! What the operating system knows of the process.

mod cgroup;
mod pipe;
mod published;
#[cfg(target_os = "linux")]
mod statm;

use std::sync::Arc;

pub use pipe::Pipe;
pub use published::PublishedRss;

use crate::sample::{ProcessFigures, ProcessSource};

/// The best source on this platform, and where resident set sizes come from: `procfs`, or `node` where JavaScript has
/// to publish them through `published`.
pub fn process_source(published: &Arc<PublishedRss>) -> (Box<dyn ProcessSource>, &'static str) {
    #[cfg(target_os = "linux")]
    if let Some(statm) = statm::Statm::open() {
        return (
            Box::new(Linux { statm, cgroup: cgroup::Cgroup::discover(std::path::Path::new("/")) }),
            "procfs",
        );
    }
    (Box::new(Arc::clone(published)), "node")
}

/// `/proc/self/statm` and the control groups.
#[cfg(target_os = "linux")]
struct Linux {
    statm: statm::Statm,
    cgroup: Option<cgroup::Cgroup>,
}

#[cfg(target_os = "linux")]
impl ProcessSource for Linux {
    fn read(&mut self) -> ProcessFigures {
        let (container_limit, container_used) =
            self.cgroup.as_mut().map_or((None, None), |c| (c.limit(), c.used()));
        ProcessFigures { rss: self.statm.rss(), container_limit, container_used }
    }
}
