//! The real terminal: taken over, watched for keys, and given back whatever happens.

use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use crossterm::event::{self, Event};
use crossterm::{cursor, execute, terminal};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use tokio::sync::watch;

use super::app::{App, Step};
use super::{UiOptions, draw};
use crate::model::Snapshot;

/// How long to wait for a key before looking for a snapshot: a key is answered at once, a snapshot within this time, and
/// an idle screen wakes five times a second.
const PATIENCE: Duration = Duration::from_millis(200);

/// Panics of other threads that are told after the end; more would only repeat the first.
const MOST_MESSAGES: usize = 16;

/// Why the screen ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// A key said so.
    Quit,
    /// The `stop` flag was set.
    Signal,
    /// Nobody sends snapshots any more.
    FeedClosed,
}

/// The terminal could not be used.
#[derive(Debug, thiserror::Error)]
pub enum UiError {
    /// It could not be taken over or given back.
    #[error("cannot take over the terminal; without one, use --json or --events")]
    Takeover(#[source] io::Error),
    /// It went away, or refused output.
    #[error("the terminal went away while the screen was drawn; without one, use --json or --events")]
    Lost(#[source] io::Error),
}

/// Runs on the calling thread until `q`, Ctrl-C, the `stop` flag, or the end of the feed.
///
/// The terminal is restored after any end, a panic included; panics of other threads are told on stderr afterwards.
///
/// # Errors
/// When the terminal cannot be taken over, or goes away.
pub fn run(
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    stop: &AtomicBool,
    options: UiOptions,
) -> Result<Ended, UiError> {
    let _guard = Guard::take().map_err(UiError::Takeover)?;
    let mut screen = Terminal::new(CrosstermBackend::new(io::stdout())).map_err(UiError::Takeover)?;
    let mut app = App::new(options);
    app.handle_snapshot(Arc::clone(&snapshots.borrow_and_update()));
    let mut heard_at = Instant::now();
    let mut drawn_at: Option<Instant> = None;
    let mut changed = true;
    loop {
        if stop.load(Ordering::Relaxed) {
            return Ok(Ended::Signal);
        }
        match snapshots.has_changed() {
            Ok(true) => {
                app.handle_snapshot(Arc::clone(&snapshots.borrow_and_update()));
                heard_at = Instant::now();
                changed = true;
            }
            Ok(false) => {}
            Err(_closed) => return Ok(Ended::FeedClosed),
        }
        if changed || drawn_at.is_none_or(|at| at.elapsed() >= Duration::from_secs(1)) {
            app.handle_silence(heard_at.elapsed());
            screen.draw(|frame| draw(&app, frame.area(), frame.buffer_mut())).map_err(UiError::Lost)?;
            drawn_at = Some(Instant::now());
            changed = false;
        }
        // All keys that wait are taken before the next drawing, so that a held key does not lag.
        let mut patience = PATIENCE;
        while event::poll(patience).map_err(UiError::Lost)? {
            match event::read().map_err(UiError::Lost)? {
                Event::Key(key) => match app.handle_key(key) {
                    Step::Quit => return Ok(Ended::Quit),
                    Step::Redraw => changed = true,
                    Step::Nothing => {}
                },
                Event::Resize(_, _) => changed = true,
                _ => {}
            }
            patience = Duration::ZERO;
        }
    }
}

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// Holds the terminal in raw mode on its alternate screen; gives it back when dropped.
struct Guard {
    previous: Arc<Hook>,
    messages: Arc<Mutex<Vec<String>>>,
}

impl Guard {
    fn take() -> io::Result<Self> {
        let previous: Arc<Hook> = Arc::new(panic::take_hook());
        let messages = Arc::new(Mutex::new(Vec::new()));
        let guard = Self { previous: Arc::clone(&previous), messages: Arc::clone(&messages) };
        let owner = thread::current().id();
        panic::set_hook(Box::new(move |info| handle_panic(info, owner, &previous, &messages)));
        // From here on an error drops the guard, which undoes what was done.
        terminal::enable_raw_mode()?;
        execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
        // While the thread unwinds, the hook cannot be changed; it has done its work by then.
        if !thread::panicking() {
            let previous = Arc::clone(&self.previous);
            panic::set_hook(Box::new(move |info| previous(info)));
        }
        if let Ok(messages) = self.messages.lock() {
            for message in messages.iter() {
                // The terminal may be gone; there is nowhere else to tell it.
                let _ = writeln!(io::stderr(), "{message}");
            }
        }
    }
}

/// A panic of the screen's own thread restores the terminal first; one of another thread waits until the screen is gone.
fn handle_panic(info: &PanicHookInfo<'_>, owner: ThreadId, previous: &Hook, messages: &Mutex<Vec<String>>) {
    if thread::current().id() == owner {
        restore();
        previous(info);
    } else if let Ok(mut messages) = messages.lock()
        && messages.len() < MOST_MESSAGES
    {
        messages.push(format!("thread '{}': {info}", thread::current().name().unwrap_or("unnamed")));
    }
}

/// Each step is tried whatever became of the others: a terminal that is gone refuses them all, and nothing is lost by it.
fn restore() {
    let _ = execute!(io::stdout(), terminal::LeaveAlternateScreen, cursor::Show);
    let _ = terminal::disable_raw_mode();
}
