//! Draws a station, at any size: tiles where there is room, a line a reader where there isn't.

use super::screen::{Phase, Reader, Screen};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Gauge, Paragraph, Wrap};
use std::time::Duration;

/// Narrowest tile: an EID between its borders.
const TILE: u16 = 34;
/// Lowest tile: state, EID, step and error between its borders.
const LOW: u16 = 6;
/// Highest.
const HIGH: u16 = 9;

/// Draws all of it.
pub fn draw(frame: &mut Frame<'_>, screen: &Screen) {
    let area = frame.area();
    if area.height < 4 {
        frame.render_widget(Paragraph::new(summary(screen)), area);
        return;
    }
    let count = u16::try_from(screen.readers.len()).unwrap_or(u16::MAX);
    let columns = (area.width / TILE).clamp(1, count.max(1));
    let rows = count.div_ceil(columns);
    // Heading, bar, failures and foot take four lines; the list of events keeps three if it can.
    let room = area.height - 4;
    let tiled = area.width >= TILE && rows.saturating_mul(LOW) <= room;
    let height = match tiled {
        true => (room.saturating_sub(3) / rows.max(1)).clamp(LOW, HIGH) * rows,
        false => count.min(room),
    };
    let [head, bar, readers, classes, log, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(height),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    let title = Line::styled(&*screen.title, Style::new().add_modifier(Modifier::BOLD));
    frame.render_widget(title, head);
    let ended = screen.done + screen.failed;
    let ratio = ended as f64 / screen.cards.max(1) as f64;
    frame.render_widget(
        Gauge::default()
            .gauge_style(Style::new().fg(Color::Green).bg(Color::Black))
            .ratio(ratio.clamp(0.0, 1.0))
            .label(summary(screen)),
        bar,
    );
    if tiled {
        let lines = Layout::vertical(vec![Constraint::Fill(1); rows.into()]).split(readers);
        for (line, row) in lines.iter().zip(screen.readers.chunks(columns.into())) {
            let cells = Layout::horizontal(vec![Constraint::Fill(1); columns.into()]).split(*line);
            for (cell, reader) in cells.iter().zip(row) {
                tile(frame, *cell, screen, reader);
            }
        }
    } else {
        let count = screen.readers.len();
        let lines = usize::from(height);
        // The last line says how many there was no line for.
        let shown = match count <= lines {
            true => count,
            false => lines.saturating_sub(1),
        };
        let mut lines: Vec<Line<'_>> = screen.readers.iter().take(shown).map(row).collect();
        if shown < count {
            lines.push(Line::raw(format!(
                "and {} more; a larger window shows them",
                count - shown
            )));
        }
        frame.render_widget(Paragraph::new(lines), readers);
    }
    let failures: Vec<String> = screen
        .classes
        .iter()
        .map(|(class, n)| format!("{n} {class}"))
        .collect();
    let failures = match failures.is_empty() {
        true => Line::raw("no failures"),
        false => Line::styled(format!("failed: {}", failures.join(", ")), Color::Red),
    };
    frame.render_widget(failures, classes);
    let skip = screen.log.len().saturating_sub(log.height.into());
    let lines: Vec<Line<'_>> = screen
        .log
        .iter()
        .skip(skip)
        .map(|(at, text)| {
            let at = Span::styled(format!("{:>8} ", clock(*at)), Color::DarkGray);
            Line::from(vec![at, Span::raw(&**text)])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), log);
    frame.render_widget(
        match screen.stopping {
            true => Line::styled(
                "stopping at the next safe point; again to stop at once",
                Color::Yellow,
            ),
            false => Line::styled("q or Ctrl-C: stop at the next safe point", Color::DarkGray),
        },
        foot,
    );
}

/// Hours, minutes and seconds.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!(
        "{}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

fn summary(screen: &Screen) -> String {
    let mut text = format!(
        "{} of {} done, {} failed",
        screen.done, screen.cards, screen.failed
    );
    if let Some(rate) = screen.per_hour() {
        text.push_str(&format!(", {rate:.0} cards/h"));
    }
    if let Some(left) = screen.left() {
        text.push_str(&format!(", {} left", clock(left)));
    }
    text
}

/// The state in words and colours; never in colours alone.
fn state(phase: &Phase) -> (&'static str, Color) {
    match phase {
        Phase::Insert => ("INSERT CARD", Color::Gray),
        Phase::Working { .. } => ("WORKING", Color::Cyan),
        Phase::Done => ("DONE, REMOVE", Color::Green),
        Phase::Failed(_) => ("FAILED, REMOVE", Color::Red),
        Phase::Refused(_) => ("NOT OURS, REMOVE", Color::Yellow),
        Phase::Lost(_) => ("READER LOST", Color::Magenta),
    }
}

/// What a reader is at, in a few words.
fn detail(phase: &Phase) -> String {
    match phase {
        Phase::Insert | Phase::Done => String::new(),
        Phase::Working { step, blocks } => {
            let step = step.as_deref().unwrap_or_default();
            match blocks {
                Some((i, n)) => format!("{step} {i}/{n}"),
                None => step.to_owned(),
            }
        }
        Phase::Failed(why) | Phase::Refused(why) | Phase::Lost(why) => {
            format!("{}: {}", why.class, why.error)
        }
    }
}

fn tile(frame: &mut Frame<'_>, area: Rect, screen: &Screen, reader: &Reader) {
    let (word, color) = state(&reader.phase);
    let block = Block::bordered()
        .title(&*reader.name)
        .border_style(Style::new().fg(color));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    // The state is as large as the tile allows: a coloured field with the word in its middle.
    let field = inner.height.saturating_sub(LOW - 3);
    let [top, eid, rest] = Layout::vertical([
        Constraint::Length(field.max(1)),
        Constraint::Length(1),
        Constraint::Min(0),
    ])
    .areas(inner);
    let style = Style::new().fg(Color::Black).bg(color);
    frame.render_widget(Block::new().style(style), top);
    let middle = Rect {
        y: top.y + top.height / 2,
        height: top.height.min(1),
        ..top
    };
    let word = Line::styled(word, style.add_modifier(Modifier::BOLD)).centered();
    frame.render_widget(word, middle);
    frame.render_widget(Line::raw(reader.eid.as_deref().unwrap_or_default()), eid);
    let time = screen.now.saturating_sub(reader.since).as_secs();
    let text = match &reader.phase {
        Phase::Working { .. } => format!("{} ({time} s)", detail(&reader.phase)),
        phase => detail(phase),
    };
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), rest);
}

/// A reader in a line.
fn row(reader: &Reader) -> Line<'_> {
    let (word, color) = state(&reader.phase);
    let eid = reader.eid.as_deref().unwrap_or_default();
    Line::from(vec![
        Span::styled(
            format!("{word:<16}"),
            Style::new().fg(color).add_modifier(Modifier::BOLD),
        ),
        Span::raw(format!(" {} {eid} {}", reader.name, detail(&reader.phase))),
    ])
}
