//! How a personalization run is shown: a screen on a terminal, lines elsewhere, JSON for a line
//! controller.

use super::interrupt;
use super::output::Out;
use super::personalize::Watch;
use clap::Args;
use host_bridge::operator::{Screen, draw, stream};
use host_bridge::personalize::{Notice, Outcome};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::sync::mpsc::{self, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two pictures.
const FRAME: Duration = Duration::from_millis(100);

#[derive(Args)]
pub struct ShowArgs {
    /// Lines instead of a screen, also on a terminal
    #[arg(long, help_heading = "Output")]
    plain: bool,
}

/// A run's display.
pub enum Show {
    /// Lines on standard error.
    Lines(Watch),
    /// The operator's screen, on a thread of its own.
    Screen(Window),
    /// One JSON object a line on standard output.
    Stream {
        /// The station's name.
        station: String,
    },
}

impl Show {
    /// `keys`: say which key set is used before each card.
    pub fn new(out: &Out, args: &ShowArgs, keys: bool, title: &str, station: &str) -> Self {
        if out.is_json() {
            let station = station.to_owned();
            return Show::Stream { station };
        }
        let terminal = io::stdout().is_terminal() && io::stdin().is_terminal();
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if terminal
            && !dumb
            && !args.plain
            && let Ok(window) = Window::open(title)
        {
            return Show::Screen(window);
        }
        Show::Lines(Watch::new(out, keys))
    }

    /// Takes an event.
    pub fn see(&mut self, notice: &Notice) -> ControlFlow<()> {
        match self {
            Show::Lines(watch) => return watch.see(notice),
            Show::Screen(window) => window.see(notice),
            Show::Stream { station } => {
                if stream::write(&mut io::stdout(), station, notice).is_err()
                    && !interrupt::requested()
                {
                    // Whoever leads this line is gone: a safe point, and no further card.
                    interrupt::request();
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Gives the terminal back.
    pub fn end(self) {
        if let Show::Lines(watch) = &self {
            watch.end();
        }
    }
}

/// The last line of a stream.
pub fn ended(station: &str, outcome: &Outcome) {
    let at = jiff::Timestamp::now().to_string();
    // Nobody is left to be told that nobody listens.
    let _ = stream::write_end(&mut io::stdout(), station, &at, outcome);
}

/// The screen on the terminal, until it is dropped.
pub struct Window {
    events: Option<mpsc::Sender<Notice>>,
    thread: Option<JoinHandle<()>>,
}

impl Window {
    fn open(title: &str) -> io::Result<Self> {
        if anstream::ColorChoice::global() == anstream::ColorChoice::Never {
            ratatui::crossterm::style::force_color_output(false);
        }
        // Also takes the terminal back before a panic is told.
        let mut terminal = ratatui::try_init()?;
        interrupt::screen(true);
        let mut screen = Screen::new(title, []);
        let (events, seen) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            // A terminal that is gone doesn't stop the cards; the events are taken for nothing.
            if paint(&mut terminal, &mut screen, &seen).is_err() {
                while seen.recv().is_ok() {}
            }
        });
        Ok(Window {
            events: Some(events),
            thread: Some(thread),
        })
    }

    fn see(&self, notice: &Notice) {
        if let Some(events) = &self.events {
            let _ = events.send(notice.clone());
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        drop(self.events.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        interrupt::screen(false);
        ratatui::restore();
    }
}

/// Draws until no more events come; keys ask to stop.
fn paint(
    terminal: &mut DefaultTerminal,
    screen: &mut Screen,
    events: &mpsc::Receiver<Notice>,
) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        let ended = loop {
            match events.try_recv() {
                Ok(notice) => screen.apply(begun.elapsed(), &notice.reader, &notice.event),
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => break true,
            }
        };
        screen.tick(begun.elapsed());
        screen.stopping = interrupt::requested();
        terminal.draw(|frame| draw(frame, screen))?;
        if ended {
            return Ok(());
        }
        let mut wait = FRAME;
        while event::poll(wait)? {
            wait = Duration::ZERO;
            if let Event::Key(key) = event::read()?
                && key.kind == KeyEventKind::Press
            {
                let control = key.modifiers.contains(KeyModifiers::CONTROL);
                match key.code {
                    KeyCode::Char('q') => interrupt::request(),
                    KeyCode::Char('c') if control => interrupt::request(),
                    _ => {}
                }
            }
        }
    }
}
