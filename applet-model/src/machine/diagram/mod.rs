//! The machine as a picture: an SVG that is the same for the same table.
//!
//! A state is a box that lists where it can go, each target with the events and guards that lead
//! there; an arrow goes from that line to the target. So no label can lie on another, and parallel
//! transitions are one arrow. The upper band reads from left to right, from the poll to the
//! package; the middle one is the download of a profile; the lower one reads from right to left, from the
//! end of a session back to rest.

use super::codes::{Event, Guard, State};
use super::table::rows;
use core::fmt::Write;

/// Columns of states: upper band, middle band, lower band.
const BANDS: [[&[State]; 5]; 3] = [
    [
        &[State::Unpersonalized, State::Idle, State::Locked],
        &[State::Query],
        &[State::Opening, State::Guarding, State::Sending],
        &[State::Waiting, State::Receiving, State::Extending],
        &[State::Relaying, State::ReadingResult, State::Removing],
    ],
    [
        &[State::Gathering],
        &[State::Preparing],
        &[State::Cancelling],
        &[State::Finishing],
        &[State::Loading, State::Answering],
    ],
    [
        &[State::CheckWait, State::Backoff],
        &[State::Scheduling],
        &[State::RollingBack],
        &[State::AwaitRefresh, State::Refreshing],
        &[State::Closing],
    ],
];

const BOX: f32 = 290.0;
const GAP: f32 = 130.0;
const MARGIN: f32 = 40.0;
const TITLE: f32 = 70.0;
const HEADER: f32 = 54.0;
/// Room for the arrows that go round the boxes at the right.
const RIGHT: f32 = 60.0;
const LINE: f32 = 16.0;
const BETWEEN: f32 = 46.0;
/// Characters that fit a line of a box.
const CHARACTERS: usize = 42;

/// The classes of TERMINAL RESPONSE that are no success; shown as one where they go together.
const REFUSALS: [Event; 4] = [
    Event::TrBusy,
    Event::TrBeyond,
    Event::TrBip,
    Event::TrRefused,
];

/// An arrow's colour, by its target: what the target is about.
fn colour(state: State) -> &'static str {
    match state {
        State::Unpersonalized | State::Locked => "#6b7280",
        State::Idle | State::Backoff | State::CheckWait | State::Scheduling => "#15803d",
        State::Query | State::Opening | State::Guarding | State::Sending => "#1d4ed8",
        State::Waiting
        | State::Receiving
        | State::Relaying
        | State::Extending
        | State::Gathering => "#0e7490",
        State::ReadingResult | State::Removing => "#7c3aed",
        State::Preparing
        | State::Loading
        | State::Answering
        | State::Finishing
        | State::Cancelling => "#a16207",
        State::Closing => "#b45309",
        State::Refreshing | State::AwaitRefresh | State::RollingBack => "#be123c",
    }
}

/// A target of a state, and the lines that say on what.
struct Way {
    to: State,
    lines: Vec<String>,
}

struct Placed {
    state: State,
    column: usize,
    x: f32,
    y: f32,
    height: f32,
    ways: Vec<Way>,
    /// Where each way's first line stands.
    ports: Vec<f32>,
}

/// The events and guards that lead from one state to another, shortly.
fn labels(from: State, to: State) -> Vec<String> {
    let mut events: Vec<(Event, Vec<Guard>)> = Vec::new();
    for row in rows().iter().filter(|r| r.state == from && r.next == to) {
        match events.iter_mut().find(|(event, _)| *event == row.event) {
            Some((_, guards)) => guards.push(row.guard),
            None => events.push((row.event, vec![row.guard])),
        }
    }
    let refused = |guards: &[Guard]| {
        REFUSALS
            .iter()
            .all(|r| events.iter().any(|(event, g)| event == r && g == guards))
    };
    let mut out = Vec::new();
    for (event, guards) in &events {
        let grouped = REFUSALS.contains(event) && refused(guards);
        if grouped && *event != REFUSALS[0] {
            continue;
        }
        let name = if grouped {
            "TR error".to_owned()
        } else {
            format!("{event:?}")
        };
        let named: Vec<String> = guards
            .iter()
            .map(|g| {
                if *g == Guard::Always {
                    "else".to_owned()
                } else {
                    format!("{g:?}")
                }
            })
            .collect();
        let alone = guards.as_slice() == [Guard::Always] && is_only_row(from, *event);
        out.push(if alone {
            name
        } else {
            format!("{name} [{}]", named.join(" | "))
        });
    }
    out
}

fn is_only_row(state: State, event: Event) -> bool {
    rows()
        .iter()
        .filter(|r| r.state == state && r.event == event)
        .count()
        == 1
}

/// Puts words into lines, separated by commas.
fn wrap(words: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (i, word) in words.iter().enumerate() {
        let comma = if i + 1 < words.len() { "," } else { "" };
        // A long list of guards may be broken too.
        for (k, part) in word.split(" | ").enumerate() {
            let bar = if k > 0 { "| " } else { "" };
            let last = k + 1 == word.split(" | ").count();
            let piece = format!("{bar}{part}{}", if last { comma } else { "" });
            match lines.last_mut() {
                Some(line) if line.chars().count() + 1 + piece.chars().count() <= CHARACTERS => {
                    line.push(' ');
                    line.push_str(&piece);
                }
                _ => lines.push(piece),
            }
        }
    }
    lines
}

fn ways(state: State) -> Vec<Way> {
    let mut targets: Vec<State> = Vec::new();
    for row in rows().iter().filter(|r| r.state == state) {
        if !targets.contains(&row.next) {
            targets.push(row.next);
        }
    }
    // Where it stays comes last.
    targets.sort_by_key(|to| *to == state);
    targets
        .into_iter()
        .map(|to| Way {
            to,
            lines: wrap(&labels(state, to)),
        })
        .collect()
}

fn place() -> (Vec<Placed>, f32, [f32; 3]) {
    let mut placed = Vec::new();
    let mut top = TITLE;
    let mut tops = [0.0; 3];
    for (band, columns) in BANDS.iter().enumerate() {
        tops[band] = top;
        let mut bottom = top;
        for (column, states) in columns.iter().enumerate() {
            let mut y = top + 34.0;
            for &state in *states {
                let ways = ways(state);
                let mut at = y + HEADER + 18.0;
                let mut ports = Vec::new();
                for way in &ways {
                    ports.push(at - 4.0);
                    at += LINE * (1 + way.lines.len()) as f32 + 5.0;
                }
                let height = at - y - 8.0;
                let x = MARGIN + column as f32 * (BOX + GAP);
                placed.push(Placed {
                    state,
                    column,
                    x,
                    y,
                    height,
                    ways,
                    ports,
                });
                y += height + BETWEEN;
            }
            bottom = bottom.max(y);
        }
        top = bottom + 10.0;
    }
    (placed, top, tops)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Breaks words into lines of at most so many characters.
fn fold(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The diagram as a whole SVG document.
pub fn svg() -> String {
    let (placed, bottom, tops) = place();
    let width = 2.0 * MARGIN + 5.0 * BOX + 4.0 * GAP + RIGHT;
    let legend = 96.0;
    let height = bottom + legend;
    let mut out = String::new();
    // Writing to a String can't fail.
    let _ = write!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}" font-family="Helvetica, Arial, 'DejaVu Sans', sans-serif" font-size="12">
<title>The IPAe's state machine</title>
<style>.way:hover path {{ stroke-width: 4 }} .way:hover {{ opacity: 1 }}</style>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="{MARGIN}" y="38" font-size="22" font-weight="bold" fill="#111827">The IPAe's state machine</text>
<text x="{MARGIN}" y="60" fill="#4b5563">{} states, {} transitions; tables {}</text>
"##,
        State::ALL.len(),
        rows().len(),
        hex::encode_upper(super::digest())
    );
    arrows(&mut out, &placed);
    for (top, text) in tops.iter().zip([
        "A session, from left to right: who is the eIM, what does it want, what came of it",
        "The download of a profile: between two answers of the eIM, what the eUICC is asked and given",
        "Its end, from right to left: close, follow a profile change or undo it, wait for the next",
    ]) {
        let _ = writeln!(
            out,
            r##"<text x="{MARGIN}" y="{:.0}" font-size="14" fill="#6b7280" font-style="italic" stroke="#ffffff" stroke-width="5" paint-order="stroke">{text}</text>"##,
            top + 20.0
        );
    }
    for p in &placed {
        state_box(&mut out, p);
    }
    legend_box(&mut out, bottom + 4.0);
    out.push_str("</svg>\n");
    out
}

/// Draws the arrows; boxes go over them.
fn arrows(out: &mut String, placed: &[Placed]) {
    // What comes in at a side of a box: target, true for its right side, height of the source.
    let mut ends: Vec<(State, bool, State, f32)> = Vec::new();
    for from in placed {
        for (way, port) in from.ways.iter().zip(&from.ports) {
            if let Some(to) = placed
                .iter()
                .find(|p| p.state == way.to && way.to != from.state)
            {
                ends.push((way.to, to.column <= from.column, from.state, *port));
            }
        }
    }
    ends.sort_by(|a, b| a.3.total_cmp(&b.3));
    for from in placed {
        for (way, port) in from.ways.iter().zip(&from.ports) {
            let Some(to) = placed
                .iter()
                .find(|p| p.state == way.to && way.to != from.state)
            else {
                continue;
            };
            let into_right = to.column <= from.column;
            let side: Vec<_> = ends
                .iter()
                .filter(|e| e.0 == way.to && e.1 == into_right)
                .collect();
            let place = side.iter().position(|e| e.2 == from.state).unwrap_or(0);
            let step = (to.height - 24.0) / side.len().max(1) as f32;
            let y2 = to.y + 12.0 + step * (place as f32 + 0.5);
            let out_right = to.column >= from.column;
            let x1 = if out_right { from.x + BOX } else { from.x };
            let x2 = if into_right {
                to.x + BOX + 9.0
            } else {
                to.x - 9.0
            };
            let reach = match to.column.abs_diff(from.column) {
                0 => 46.0 + (y2 - port).abs() / 14.0,
                1 => GAP * 0.5,
                n => GAP * 0.5 + 40.0 * n as f32,
            };
            let c1 = if out_right { x1 + reach } else { x1 - reach };
            let c2 = if into_right { x2 + reach } else { x2 - reach };
            let tint = colour(way.to);
            let tip = if into_right { -9.0 } else { 9.0 };
            let _ = writeln!(
                out,
                r##"<g class="way" opacity="0.8"><title>{:?} to {:?}: {}</title><path d="M{x1:.1},{port:.1} C{c1:.1},{port:.1} {c2:.1},{y2:.1} {x2:.1},{y2:.1}" fill="none" stroke="{tint}" stroke-width="1.6"/><path d="M{:.1},{y2:.1} L{x2:.1},{:.1} L{x2:.1},{:.1} Z" fill="{tint}"/></g>"##,
                from.state,
                way.to,
                escape(&way.lines.join(" ")),
                x2 + tip,
                y2 - 4.5,
                y2 + 4.5,
            );
        }
    }
}

fn state_box(out: &mut String, p: &Placed) {
    let Placed { x, y, height, .. } = p;
    let tint = colour(p.state);
    let _ = writeln!(
        out,
        r##"<g><rect x="{x:.0}" y="{y:.0}" width="{BOX}" height="{height:.0}" rx="12" fill="#f9fafb" stroke="{tint}" stroke-width="2"/>
<path d="M{x:.0},{:.0} v-{:.0} a12,12 0 0 1 12,-12 h{:.0} a12,12 0 0 1 12,12 v{:.0} z" fill="{tint}"/>
<text x="{:.0}" y="{:.0}" font-size="15" font-weight="bold" fill="#ffffff">{:?}</text>"##,
        y + HEADER,
        HEADER - 12.0,
        BOX - 24.0,
        HEADER - 12.0,
        x + 12.0,
        y + 18.0,
        p.state
    );
    for (i, line) in fold(p.state.text(), 50).iter().enumerate() {
        let _ = writeln!(
            out,
            r##"<text x="{:.0}" y="{:.0}" font-size="10.5" fill="#ffffff">{}</text>"##,
            x + 12.0,
            y + 33.0 + 13.0 * i as f32,
            escape(line)
        );
    }
    for (way, port) in p.ways.iter().zip(&p.ports) {
        let stays = way.to == p.state;
        let head = if stays {
            "↻ stays".to_owned()
        } else {
            format!("→ {:?}", way.to)
        };
        let tint = if stays { "#374151" } else { colour(way.to) };
        let mut at = port + 4.0;
        let _ = writeln!(
            out,
            r##"<text x="{:.0}" y="{at:.0}" font-weight="bold" fill="{tint}">{head}</text>"##,
            x + 12.0
        );
        for line in &way.lines {
            at += LINE;
            let _ = writeln!(
                out,
                r##"<text x="{:.0}" y="{at:.0}" font-size="11.5" fill="#1f2937">{}</text>"##,
                x + 24.0,
                escape(line)
            );
        }
    }
    out.push_str("</g>\n");
}

fn legend_box(out: &mut String, y: f32) {
    let entries = [
        (State::Idle, "rest between sessions"),
        (State::Query, "asking the eUICC, talking to the eIM"),
        (State::Receiving, "the eIM's answer"),
        (State::ReadingResult, "results and acknowledgements"),
        (State::Loading, "download of a profile"),
        (State::Closing, "end of a session"),
        (State::Refreshing, "following or undoing a profile change"),
        (State::Locked, "not in service"),
    ];
    let mut x = MARGIN;
    for (state, text) in entries {
        let _ = writeln!(
            out,
            r##"<rect x="{x:.0}" y="{:.0}" width="22" height="13" rx="4" fill="{}"/><text x="{:.0}" y="{:.0}" fill="#1f2937">{text}</text>"##,
            y,
            colour(state),
            x + 28.0,
            y + 11.0
        );
        x += 70.0 + 6.2 * text.len() as f32;
    }
    let notes = [
        "→ target: the events that lead there, with guards in brackets, tried from top to bottom of the table; \"else\" is the row without a guard. An arrow has its target's colour.",
        "↻ stays: events that leave the state as it is. \"TR error\": TrBusy, TrBeyond, TrBip and TrRefused alike. Power loss leads from every state to Idle, Locked or Unpersonalized.",
    ];
    for (i, note) in notes.iter().enumerate() {
        let _ = writeln!(
            out,
            r##"<text x="{MARGIN}" y="{:.0}" fill="#4b5563">{note}</text>"##,
            y + 36.0 + 18.0 * i as f32
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_one_box_and_every_target_an_arrow() {
        let svg = svg();
        assert_eq!(svg, super::svg());
        for state in State::ALL {
            let boxes = BANDS
                .iter()
                .flatten()
                .flat_map(|c| c.iter())
                .filter(|s| *s == state);
            assert_eq!(boxes.count(), 1, "{state:?}");
        }
        let mut pairs: Vec<(State, State)> = rows()
            .iter()
            .map(|r| (r.state, r.next))
            .filter(|(a, b)| a != b)
            .collect();
        pairs.sort();
        pairs.dedup();
        assert_eq!(svg.matches("class=\"way\"").count(), pairs.len());
        for row in rows() {
            let event = format!("{:?}", row.event);
            assert!(
                REFUSALS.contains(&row.event) || svg.contains(&event),
                "{event}"
            );
        }
    }
}
