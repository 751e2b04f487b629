//! The screen on a real pseudo-terminal: it shows what was watched, answers keys, and gives the terminal back.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, ExitStatus};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::Pid;

/// How long an event may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the screen says of the quota when the whole file was read.
const SHOWN: &str = "80 / 100";

/// A terminal of 80 × 24 with the program on it.
struct Pty {
    master: File,
    /// Held open, so that the terminal outlives the program.
    slave: OwnedFd,
    before: Termios,
    pid: Pid,
    ended: mpsc::Receiver<ExitStatus>,
    /// All that the program has written to it.
    output: Vec<u8>,
    /// The store and the file that is read.
    _folder: tempfile::TempDir,
}

impl Pty {
    /// Starts `watch --read` on a file of twenty exchanges with `api.example.com`.
    fn watching() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut text = String::new();
        for number in 1..=20_u32 {
            let at = 1_763_783_100 + number;
            let remaining = 100 - number;
            writeln!(
                text,
                r#"{{"ts":{at},"method":"GET","url":"https://api.example.com/v1/payment/{number}","status":200,"response_headers":[["RateLimit-Limit","100"],["RateLimit-Remaining","{remaining}"],["RateLimit-Reset","30"]]}}"#
            )
            .unwrap();
        }
        std::fs::write(folder.path().join("log.ndjson"), text).unwrap();
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(&size, None).unwrap();
        let before = tcgetattr(&slave).unwrap();
        // Without the terminal of whoever runs the test, whose size would be taken for that of this one.
        let mut child = Command::new("setsid")
            .arg(env!("CARGO_BIN_EXE_quotascope"))
            .args(["watch", "--read", "log.ndjson", "--store", "kept"])
            .current_dir(folder.path())
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", folder.path())
            .env("TERM", "xterm-256color")
            .stdin(slave.try_clone().unwrap())
            .stdout(slave.try_clone().unwrap())
            .stderr(slave.try_clone().unwrap())
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || sender.send(child.wait().unwrap()));
        Self { master: File::from(master), slave, before, pid, ended, output: Vec::new(), _folder: folder }
    }

    /// Reads what the program writes until `wanted` says that it is all there.
    fn read_until(&mut self, what: &str, wanted: impl Fn(&[u8]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !wanted(&self.output) {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut waiting = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
            let ready = poll(&mut waiting, PollTimeout::try_from(left).unwrap()).unwrap();
            if ready == 0 {
                let _ = kill(self.pid, Signal::SIGKILL);
                panic!("no {what} within {PATIENCE:?}; the screen is\n{}", picture(&self.output));
            }
            let mut part = [0; 4096];
            let length = self.master.read(&mut part).unwrap();
            self.output.extend_from_slice(&part[..length]);
        }
    }

    fn read_until_shown(&mut self, text: &str) {
        self.read_until(text, |output| picture(output).contains(text));
    }

    fn press(&mut self, key: &[u8]) {
        self.master.write_all(key).unwrap();
    }

    /// Asserts that the program ends well and the terminal is as it was.
    fn assert_given_back(mut self) {
        for sequence in ["\x1b[?1049l", "\x1b[?25h"] {
            self.read_until(&format!("{sequence:?}"), |output| String::from_utf8_lossy(output).contains(sequence));
        }
        let status = self.ended.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            let _ = kill(self.pid, Signal::SIGKILL);
            panic!("it gave the terminal back and did not end")
        });
        assert_eq!(status.code(), Some(0), "{status}\n{}", picture(&self.output));
        assert_eq!(tcgetattr(&self.slave).unwrap(), self.before);
        let text = String::from_utf8_lossy(&self.output).into_owned();
        assert_eq!(text.matches("\x1b[?1049h").count(), 1, "the alternate screen was entered once");
        assert!(text.rfind("\x1b[?1049l") > text.rfind("\x1b[?1049h"));
        assert!(text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l"), "the cursor is shown at the end");
    }
}

/// What a terminal shows after `output`: cursor moves and clearing are obeyed, colours are not.
fn picture(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let mut rows: BTreeMap<usize, BTreeMap<usize, char>> = BTreeMap::new();
    let (mut row, mut column) = (1, 1);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\x1b' && characters.next_if_eq(&'[').is_some() {
            let mut parameters = String::new();
            let last = loop {
                match characters.next() {
                    Some(last @ '\x40'..='\x7e') => break last,
                    Some(other) => parameters.push(other),
                    // The rest of the sequence is still to come.
                    None => break '\0',
                }
            };
            match last {
                'H' => {
                    let mut numbers = parameters.split(';').map(|number| number.parse().unwrap_or(1));
                    row = numbers.next().unwrap_or(1);
                    column = numbers.next().unwrap_or(1);
                }
                'J' => rows.clear(),
                _ => {}
            }
        } else {
            match character {
                '\r' => column = 1,
                '\n' => row += 1,
                shown => {
                    rows.entry(row).or_default().insert(column, shown);
                    column += 1;
                }
            }
        }
    }
    let line = |cells: &BTreeMap<usize, char>| -> String {
        let width = cells.last_key_value().map_or(0, |(column, _)| *column);
        (1..=width).map(|column| cells.get(&column).copied().unwrap_or(' ')).collect()
    };
    rows.values().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_key_ends_the_screen_and_gives_the_terminal_back() {
    let mut pty = Pty::watching();
    pty.read_until_shown(SHOWN);
    assert_ne!(tcgetattr(&pty.slave).unwrap(), pty.before, "keys come one by one");
    assert!(!picture(&pty.output).contains("select the row above"));
    pty.press(b"?");
    pty.read_until_shown("select the row above");
    pty.press(b"q");
    pty.assert_given_back();
}

#[test]
fn a_signal_ends_the_screen_and_gives_the_terminal_back() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut pty = Pty::watching();
        pty.read_until_shown(SHOWN);
        kill(pty.pid, signal).unwrap();
        pty.assert_given_back();
    }
}
