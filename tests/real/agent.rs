//! The built program as a child process.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long an event may take before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running `quotascope`, ended by SIGINT.
pub(crate) struct Agent {
    child: Child,
    errors: mpsc::Receiver<String>,
    output: std::thread::JoinHandle<String>,
}

impl Agent {
    /// Starts the program, and waits until it says on stderr that it watches.
    pub(crate) fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_quotascope"))
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let (sender, errors) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut stdout = child.stdout.take().expect("stdout is piped");
        let output = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).expect("stdout is text");
            text
        });
        let agent = Self { child, errors, output };
        agent.wait_for_error_line("watching");
        agent
    }

    /// Waits until a line of stderr contains `wanted`.
    pub(crate) fn wait_for_error_line(&self, wanted: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.errors.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(wanted) => return line,
                Ok(line) => seen.push(line),
                Err(error) => panic!("no line with {wanted:?} on stderr ({error}); seen: {seen:#?}"),
            }
        }
    }

    /// Interrupts it, and gives what it printed and its exit status.
    pub(crate) fn interrupt(mut self) -> (String, i32) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id is an i32"));
        kill(pid, Signal::SIGINT).expect("it still runs");
        let status = self.child.wait().expect("it ends");
        (self.output.join().expect("stdout was read"), status.code().unwrap_or(-1))
    }
}
