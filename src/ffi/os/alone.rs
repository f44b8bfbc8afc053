//! Tests of figures of a whole process, in a process that runs nothing else.

use std::process::Command;

const MARK: &str = "HEAPWARDEN_TEST_ALONE";

/// Runs `test` in a new process of the same test program, started for the one test that is called `path`. The other tests run in
/// threads beside it, and what they allocate and free in the meantime counts like its own.
///
/// `path` is the calling test's, with its modules and the crate: `concat!(module_path!(), "::name")`.
pub fn alone(path: &str, test: fn()) {
    if std::env::var_os(MARK).is_some() {
        return test();
    }
    let (_, name) = path.split_once("::").expect("a crate and a test");
    let program = std::env::current_exe().expect("the path of the tests");
    let output = Command::new(program)
        .args(["--exact", name, "--test-threads=1", "--nocapture"])
        .env(MARK, "1")
        .output()
        .expect("started");
    let said = String::from_utf8_lossy(&output.stdout);
    // A name that is none runs nothing, and that ends well.
    let passed = output.status.success() && said.contains("1 passed");
    assert!(passed, "{name}, alone: {said}{}", String::from_utf8_lossy(&output.stderr));
}
