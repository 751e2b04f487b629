//! The terminal UI: what it draws at which size, what its keys do, and that no text of a stranger steers the terminal.

mod fixture;

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use quotascope::model::{
    Amount, Anomaly, CaptureState, ErrorCodeCount, Finding, QuotaState, Scope, Snapshot, Timestamp, TrendPoint,
};
use quotascope::ui::{self, Action, App, BINDINGS, Screen, Sort, Step, Tab, TimeRange, UiOptions};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

fn options() -> UiOptions {
    UiOptions { version: "0.0.0".into(), sources: vec!["eth0".into(), "lo".into()], ..UiOptions::default() }
}

fn app_of(snapshot: Snapshot, options: UiOptions) -> App {
    let mut app = App::new(options);
    app.handle_snapshot(Arc::new(snapshot));
    app
}

/// Two snapshots, so that rates are known.
fn rich_app() -> App {
    let mut app = app_of(fixture::a_second_earlier(), options());
    app.handle_snapshot(Arc::new(fixture::rich()));
    app
}

fn press(app: &mut App, code: KeyCode) -> Step {
    app.handle_key(KeyEvent::new(code, KeyModifiers::NONE))
}

fn type_text(app: &mut App, text: &str) {
    for character in text.chars() {
        press(app, KeyCode::Char(character));
    }
}

fn buffer_of(app: &App, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| ui::draw(app, frame.area(), frame.buffer_mut())).unwrap();
    terminal.backend().buffer().clone()
}

/// The line that says it; the whole screen where none does, so that the failure shows it.
fn line_with<'a>(screen: &'a str, text: &str) -> &'a str {
    screen.lines().find(|line| line.contains(text)).unwrap_or(screen)
}

fn cell_of<'a>(buffer: &'a Buffer, symbol: &str) -> Option<&'a Cell> {
    buffer.content().iter().find(|cell| cell.symbol() == symbol)
}

#[test]
fn quotas_at_80_by_24() {
    insta::assert_snapshot!(ui::app_text(&rich_app(), 80, 24));
}

#[test]
fn quotas_at_120_by_40() {
    insta::assert_snapshot!(ui::app_text(&rich_app(), 120, 40));
}

#[test]
fn quotas_at_200_by_50() {
    insta::assert_snapshot!(ui::app_text(&rich_app(), 200, 50));
}

#[test]
fn too_small_says_so() {
    insta::assert_snapshot!(ui::app_text(&rich_app(), 59, 15), @r"
    the screen is too small
    59 x 15 cells,
    60 x 16 are needed
    ");
    for (width, height) in [(0, 0), (1, 1), (60, 15), (59, 16), (3, 200), (200, 2)] {
        assert!(!ui::app_text(&rich_app(), width, height).contains("quotas"), "{width} x {height}");
    }
    assert!(ui::app_text(&rich_app(), 60, 16).contains("quotas"));
}

#[test]
fn before_anything_was_seen() {
    let mut snapshot = Snapshot { at: Some(fixture::now()), ..Snapshot::default() };
    snapshot.input.packets = 1_204;
    snapshot.input.connections = 3;
    snapshot.input.count_many(Anomaly::TlsUnreadable, 3);
    insta::assert_snapshot!(ui::app_text(&app_of(snapshot, options()), 100, 24));
}

#[test]
fn details_of_a_quota() {
    let mut app = rich_app();
    press(&mut app, KeyCode::Down);
    press(&mut app, KeyCode::Enter);
    insta::assert_snapshot!("details_at_80_by_24", ui::app_text(&app, 80, 24));
    insta::assert_snapshot!("details_at_160_by_45", ui::app_text(&app, 160, 45));
}

#[test]
fn lists_behind_keys() {
    for (key, name) in [('a', "alerts"), ('f', "findings"), ('e', "error_codes"), ('n', "endpoints"), ('i', "input")] {
        let mut app = rich_app();
        press(&mut app, KeyCode::Char(key));
        insta::assert_snapshot!(format!("list_{name}"), ui::app_text(&app, 120, 30));
    }
}

#[test]
fn the_help_comes_from_the_table_of_keys() {
    let mut app = rich_app();
    press(&mut app, KeyCode::Char('?'));
    let narrow = ui::app_text(&app, 80, 24);
    insta::assert_snapshot!("help_at_80_by_24", narrow);
    let screen = ui::app_text(&app, 120, 40);
    for binding in BINDINGS {
        assert!(line_with(&screen, binding.help).contains(binding.shown));
        assert!(line_with(&narrow, binding.help).contains(binding.shown), "{} is cut", binding.help);
    }
    press(&mut app, KeyCode::Char('x'));
    assert!(!app.is_help_open(), "any key closes the help");
}

#[test]
fn unknown_is_a_dash_and_history_says_its_age() {
    let screen = ui::app_text(&rich_app(), 200, 50);
    let unknown = line_with(&screen, "status.example");
    assert!(unknown.contains("– / 600") && !unknown.contains(" 0 /") && !unknown.contains(" 0% "), "{unknown}");
    assert_eq!(unknown.matches(" – ").count(), 5, "scope, used, left, reset and runs out are not known: {unknown}");
    let stale = line_with(&screen, "p100");
    assert!(stale.contains("1h old"), "{stale}");
    let estimate = line_with(&screen, "ceypay");
    assert!(estimate.contains("~41%") && estimate.contains("~59 / ~100") && estimate.contains("learned"), "{estimate}");
    let declared = line_with(&screen, "payment-requests");
    assert!(declared.contains("declared") && declared.contains("sliding"), "{declared}");
    assert!(line_with(&screen, "octopus-cards").contains("wait 0:45"));
}

#[test]
fn what_runs_out_first_comes_first_and_history_last() {
    let mut app = rich_app();
    let order = |app: &App| app.quotas().map(|quota| quota.key.owner.to_string()).collect::<Vec<_>>();
    assert_eq!(
        order(&app),
        ["octopus-cards", "fluid-network", "openai", "github", "ceypay", "centrapay", "example", "p100"]
    );
    press(&mut app, KeyCode::Char('s'));
    assert_eq!(app.sort(), Sort::Utilization);
    assert_eq!(order(&app)[3..5], ["github", "ceypay"]);
    press(&mut app, KeyCode::Char('s'));
    assert_eq!(app.sort(), Sort::Throttled);
    assert_eq!(order(&app)[..2], ["octopus-cards", "fluid-network"]);
    press(&mut app, KeyCode::Char('s'));
    assert_eq!(app.sort(), Sort::Name);
    assert_eq!(order(&app)[0], "centrapay");
    press(&mut app, KeyCode::Char('s'));
    assert_eq!((app.sort(), order(&app).last().map(String::as_str)), (Sort::Seen, Some("p100")));
    press(&mut app, KeyCode::Char('s'));
    assert_eq!(app.sort(), Sort::RunsOut);
}

#[test]
fn a_selection_follows_its_quota() {
    let mut app = rich_app();
    let selected = |app: &App| app.selected_quota().map(|quota| quota.key.owner.to_string());
    assert_eq!(selected(&app).as_deref(), Some("octopus-cards"), "the first row, whatever it is");
    press(&mut app, KeyCode::Char('s'));
    press(&mut app, KeyCode::Char('s'));
    press(&mut app, KeyCode::Char('s'));
    assert_eq!(selected(&app).as_deref(), Some("centrapay"), "nothing was chosen yet");
    press(&mut app, KeyCode::Down);
    assert_eq!(selected(&app).as_deref(), Some("ceypay"));
    press(&mut app, KeyCode::Char('s'));
    assert_eq!(selected(&app).as_deref(), Some("ceypay"), "a chosen quota stays selected");
    let mut without = fixture::rich();
    without.quotas.retain(|quota| &*quota.key.owner != "ceypay");
    app.handle_snapshot(Arc::new(without));
    assert!(selected(&app).is_some(), "another one takes its place");
    app.handle_snapshot(Arc::new(fixture::rich()));
    assert_eq!(selected(&app).as_deref(), Some("ceypay"), "and gives it back");
    for key in [KeyCode::End, KeyCode::Down, KeyCode::PageDown] {
        press(&mut app, key);
        assert_eq!(app.row(), 7);
    }
    press(&mut app, KeyCode::Home);
    assert_eq!(app.row(), 0);
    press(&mut app, KeyCode::Up);
    assert_eq!(app.row(), 0);
}

#[test]
fn the_filter_works_while_it_is_typed() {
    let mut app = rich_app();
    press(&mut app, KeyCode::Char('/'));
    assert!(app.is_typing());
    type_text(&mut app, "POST v1");
    assert_eq!(app.quotas().len(), 3, "each word occurs, in the endpoint or elsewhere");
    type_text(&mut app, " MERCHANT");
    assert_eq!(app.quotas().len(), 1);
    assert!(ui::app_text(&app, 80, 24).contains("filter: POST v1 MERCHANT▏"));
    press(&mut app, KeyCode::Backspace);
    assert_eq!(app.filter_text(), "POST v1 MERCHAN");
    press(&mut app, KeyCode::Enter);
    assert!(!app.is_typing());
    assert!(ui::app_text(&app, 80, 24).contains("quotas 1 of 8  filter: POST v1 MERCHAN"));
    press(&mut app, KeyCode::Char('/'));
    type_text(&mut app, "q?s");
    assert_eq!(app.quotas().len(), 0, "keys are text here");
    assert!(ui::app_text(&app, 80, 24).contains("No quota contains the filter's words"));
    press(&mut app, KeyCode::Esc);
    assert_eq!(app.filter_text(), "POST v1 MERCHAN", "Esc undoes the typing");
    press(&mut app, KeyCode::Esc);
    assert_eq!((app.filter_text(), app.quotas().len()), ("", 8), "Esc drops the filter");
    for (typed, owner) in
        [("1456", "fluid-network"), ("ci bot", "github"), ("k:9b1e", "centrapay"), ("8080", "example")]
    {
        press(&mut app, KeyCode::Char('/'));
        type_text(&mut app, typed);
        press(&mut app, KeyCode::Enter);
        assert_eq!(app.quotas().map(|quota| &*quota.key.owner).collect::<Vec<_>>(), [owner], "{typed}");
        press(&mut app, KeyCode::Esc);
    }
}

#[test]
fn a_pause_holds_the_screen_still() {
    let mut app = app_of(fixture::a_second_earlier(), options());
    press(&mut app, KeyCode::Char('p'));
    app.handle_snapshot(Arc::new(fixture::rich()));
    let screen = ui::app_text(&app, 120, 40);
    assert!(line_with(&screen, "paused").contains("12:03:40"), "the clock stands: {screen}");
    press(&mut app, KeyCode::Char(' '));
    let screen = ui::app_text(&app, 120, 40);
    assert!(line_with(&screen, "quotascope").contains("12:03:41") && !screen.contains("paused"));
}

#[test]
fn keys_open_and_leave_screens() {
    let mut app = rich_app();
    for (key, screen) in [
        ('a', Screen::Alerts),
        ('f', Screen::Findings),
        ('e', Screen::ErrorCodes),
        ('n', Screen::Endpoints),
        ('i', Screen::Input),
    ] {
        assert_eq!(press(&mut app, KeyCode::Char(key)), Step::Redraw);
        assert_eq!(app.screen(), screen);
        press(&mut app, KeyCode::Char(key));
        assert_eq!(app.screen(), Screen::Quotas, "the same key leads back");
        press(&mut app, KeyCode::Char(key));
        press(&mut app, KeyCode::Esc);
        assert_eq!(app.screen(), Screen::Quotas);
    }
    press(&mut app, KeyCode::Char('a'));
    press(&mut app, KeyCode::Down);
    press(&mut app, KeyCode::Enter);
    assert_eq!(app.screen(), Screen::Details, "an alert leads to its quota");
    assert_eq!(app.selected_quota().map(|quota| &*quota.key.owner), Some("fluid-network"));
    press(&mut app, KeyCode::Enter);
    assert_eq!(app.screen(), Screen::Quotas);
    for tab in [Tab::Throttled, Tab::ErrorCodes, Tab::Alerts, Tab::Utilization] {
        press(&mut app, KeyCode::Tab);
        assert_eq!(app.tab(), tab);
        assert!(ui::app_text(&app, 80, 24).contains(&format!("[{}]", tab.label())));
    }
    for range in [TimeRange::Long, TimeRange::Short, TimeRange::Medium] {
        press(&mut app, KeyCode::Char('t'));
        assert_eq!(app.time_range(), range);
    }
    assert_eq!(press(&mut app, KeyCode::F(5)), Step::Nothing);
    assert_eq!(press(&mut app, KeyCode::Char('q')), Step::Quit);
    press(&mut app, KeyCode::Char('/'));
    assert_eq!(app.handle_key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Step::Quit);
    assert_eq!(ui::action_of(KeyEvent::new(KeyCode::Char('s'), KeyModifiers::CONTROL)), None);
    assert_eq!(ui::action_of(KeyEvent::new(KeyCode::Char('s'), KeyModifiers::NONE)), Some(Action::Sort));
}

#[test]
fn the_header_says_what_could_not_be_seen_or_handed_on() {
    let mut snapshot = fixture::rich();
    snapshot.export_trouble = Some("collector down since 12:03:41".into());
    snapshot.captures.push(CaptureState {
        interface: "wg0".into(),
        trouble: Some("interface went down".into()),
        ..CaptureState::default()
    });
    let mut app = app_of(snapshot, options());
    let screen = ui::app_text(&app, 160, 40);
    let health = line_with(&screen, "dropped");
    for word in [
        "dropped 12",
        "gaps 2",
        "unreadable 3 connections",
        "other damage 4",
        "export: collector down",
        "wg0: interface went",
    ] {
        assert!(health.contains(word), "{word} is not in {health}");
    }
    assert!(line_with(&screen, "quotascope").contains("– pkt/s"), "a rate needs two snapshots");
    app.handle_silence(Duration::from_secs(12));
    assert!(line_with(&ui::app_text(&app, 160, 40), "quotascope").contains("no news for 12 s"));
}

#[test]
fn a_level_is_a_mark_and_a_colour() {
    let buffer = buffer_of(&rich_app(), 120, 40);
    for (mark, color) in [("◆", 203), ("▲", 208), ("●", 178), ("○", 72)] {
        assert_eq!(cell_of(&buffer, mark).map(|cell| cell.fg), Some(Color::Indexed(color)), "{mark}");
    }
    // The selected row has a ground of its own.
    assert!(buffer.content().iter().any(|cell| cell.bg == Color::Indexed(236)));
}

#[test]
fn without_colour_nothing_is_lost() {
    let mut plain = app_of(fixture::a_second_earlier(), UiOptions { color: false, ..options() });
    plain.handle_snapshot(Arc::new(fixture::rich()));
    let keys = [None, Some(KeyCode::Enter), Some(KeyCode::Char('a')), Some(KeyCode::Char('?'))];
    let mut colored = rich_app();
    for key in keys {
        for app in [&mut plain, &mut colored] {
            if let Some(key) = key {
                press(app, key);
            }
        }
        assert_eq!(ui::app_text(&plain, 120, 40), ui::app_text(&colored, 120, 40), "the same is said");
        let buffer = buffer_of(&plain, 120, 40);
        assert!(buffer.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset), "{key:?}");
    }
    press(&mut plain, KeyCode::Esc);
    press(&mut plain, KeyCode::Esc);
    let buffer = buffer_of(&plain, 120, 40);
    assert!(buffer.content().iter().any(|cell| cell.modifier.contains(Modifier::REVERSED)), "the selected row");
}

/// Text that steers terminals, is endless, or is wide; numbers at the edge of what their types hold; many quotas.
fn hostile() -> Snapshot {
    let texts: [Arc<str>; 6] = [
        "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m".into(),
        "\u{202e}gnp.exe\u{2066}\u{200b}\u{feff}\r\n\t\0".into(),
        "支払い限度額を超えました".repeat(50).into(),
        format!("e{}", "\u{301}".repeat(100_000)).into(),
        "👩‍👩‍👧‍👦🇳🇿👍🏽".repeat(40).into(),
        "".into(),
    ];
    let text = |at: usize| Arc::clone(&texts[at % texts.len()]);
    let numbers = [0.0, f64::MIN_POSITIVE, 1.0, 1e308, f64::INFINITY, f64::NAN, -1.0, -0.0];
    let number = |at: usize| numbers[at % numbers.len()];
    let times = [Timestamp::MIN, Timestamp::from_secs(0), fixture::now(), Timestamp::MAX];
    let time = |at: usize| times[at % times.len()];
    let durations = [Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(59), Duration::MAX];
    let base = fixture::rich();
    let quotas = (0..5_000).map(|at| {
        let mut quota: QuotaState = base.quotas[at % base.quotas.len()].clone();
        quota.key.owner = text(at);
        quota.key.bucket = format!("{at}{}", text(at / 2)).into();
        quota.provider = (at % 3 > 0).then(|| text(at + 1));
        quota.host = text(at + 2);
        quota.endpoint = text(at + 3);
        quota.endpoints = (0..at % 70).map(|n| (text(n), u64::MAX - 1)).collect();
        quota.scope = Some(Scope { kind: text(at + 4), id: Some(text(at + 5)) });
        quota.policy = Some(text(at));
        quota.utilization = Some(number(at));
        quota.peak_utilization = Some(number(at + 1));
        quota.consumption_rate = Some(number(at + 2));
        quota.pace = Some(number(at + 3));
        quota.limit = Amount::new(9e15);
        quota.remaining = Some(Amount::from_count(u64::try_from(at).unwrap_or(0)));
        quota.window = Some(durations[at % 4]);
        quota.retry_after = Some(durations[(at + 1) % 4]);
        quota.trend.step = durations[(at + 2) % 4];
        for (n, point) in quota.trend.points.iter_mut().enumerate() {
            *point = TrendPoint { utilization: Some(number(at + n)), requests: u32::MAX, throttled: u32::MAX };
        }
        quota.trend.points.truncate(20);
        (quota.requests, quota.throttled) = (u64::MAX, u64::MAX);
        (quota.recent_requests, quota.recent_throttled) = (u64::MAX, 1);
        quota.error_codes = [(text(at), u64::MAX), (text(at + 1), u64::MAX)].into();
        quota.reset_at = Some(time(at));
        quota.exhausts_at = Some(time(at + 1));
        quota.blocked_until = Some(time(at + 2));
        quota.seen_at = time(at + 3);
        quota.stale = at % 5 == 0;
        quota
    });
    let mut snapshot = Snapshot { quotas: quotas.collect(), ..base };
    snapshot.at = Some(Timestamp::MAX);
    for (at, alert) in snapshot.alerts.iter_mut().enumerate() {
        (alert.summary, alert.subject.provider, alert.subject.policy) =
            (text(at), Some(text(at + 1)), Some(text(at + 2)));
        (alert.value, alert.threshold, alert.started_at, alert.ended_at) =
            (number(at + 4), f64::MAX, time(at), Some(time(at + 1)));
    }
    for (at, endpoint) in snapshot.endpoints.iter_mut().enumerate() {
        (endpoint.host, endpoint.endpoint, endpoint.requests) = (text(at), text(at + 1), u64::MAX);
    }
    snapshot.error_codes = (0..300)
        .map(|at| ErrorCodeCount {
            owner: text(at),
            code: text(at + 1),
            scope_kind: Some(text(at + 2)),
            count: u64::MAX,
        })
        .collect();
    snapshot.findings = (0..50)
        .map(|at| Finding {
            kind: "polls",
            host: text(at),
            endpoint: text(at + 1),
            count: u64::MAX,
            evidence: text(at + 2),
            advice: text(at + 3),
        })
        .collect();
    for (at, capture) in snapshot.captures.iter_mut().enumerate() {
        *capture = CaptureState {
            interface: text(at),
            received: u64::MAX,
            dropped: u64::MAX,
            interface_dropped: u64::MAX,
            queue_dropped: u64::MAX,
            last_frame_at: Some(time(at)),
            trouble: Some(text(at + 1)),
        };
    }
    (snapshot.export_trouble, snapshot.store_trouble) = (Some(text(0)), Some(text(3)));
    snapshot.input.packets = u64::MAX;
    snapshot
}

#[test]
fn hostile_text_and_numbers_stay_in_their_cells() {
    let snapshot = Arc::new(hostile());
    let sources = vec!["\u{1b}[31mred".to_owned(), "支".repeat(500), String::new(), "/".to_owned()];
    let mut app = App::new(UiOptions { sources, ..options() });
    app.handle_snapshot(Arc::clone(&snapshot));
    let keys = [None, Some('\n'), Some('a'), Some('f'), Some('e'), Some('n'), Some('i'), Some('?')];
    for key in keys {
        match key {
            Some('\n') => {
                press(&mut app, KeyCode::PageDown);
                press(&mut app, KeyCode::Enter);
            }
            Some(key) => {
                press(&mut app, KeyCode::Char(key));
                press(&mut app, KeyCode::Down);
            }
            None => {}
        }
        for (width, height) in [(60, 16), (80, 24), (120, 40), (200, 50), (400, 120)] {
            let screen = ui::app_text(&app, width, height);
            assert_eq!(screen.lines().count(), usize::from(height));
            for line in screen.lines() {
                assert!(line.width() <= usize::from(width), "{key:?} at {width} x {height}: {line}");
                assert!(!line.chars().any(steers), "{key:?} at {width} x {height}: {line:?}");
            }
        }
        let svg = ui::app_svg(&app, 120, 40);
        assert!(!svg.chars().any(|c| c != '\n' && steers(c)));
    }
    // Each quota can be looked at: the details compute the most.
    let mut app = App::new(options());
    app.handle_snapshot(snapshot);
    press(&mut app, KeyCode::Enter);
    for _ in 0..60 {
        press(&mut app, KeyCode::Down);
        buffer_of(&app, 120, 40);
    }
}

fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[test]
fn many_quotas_are_drawn_a_screen_at_a_time() {
    let mut app = app_of(hostile(), options());
    press(&mut app, KeyCode::End);
    let screen = ui::app_text(&app, 120, 40);
    assert!(screen.contains("–5000 of 5000"), "{screen}");
}

#[test]
fn the_picture_is_well_formed_and_has_colours() {
    let svg = ui::render_svg(&fixture::rich(), &options(), 120, 36);
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("<text ").count(), svg.matches("</text>").count());
    assert!(svg.contains("#ff5f5f"), "critical is red");
    assert_eq!(svg, ui::render_svg(&fixture::rich(), &options(), 120, 36), "the same input gives the same bytes");
    let plain = ui::render_svg(&fixture::rich(), &UiOptions { color: false, ..options() }, 120, 36);
    assert!(!plain.contains("#ff5f5f"));
    assert!(ui::render_text(&fixture::rich(), &options(), 80, 24).contains("fluid-"));
}
