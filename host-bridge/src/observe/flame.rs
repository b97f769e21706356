//! A profile as a flame graph: an SVG file that needs nothing else, with a tooltip on each frame.

use cards::observe::Stack;
use minijinja::value::Serde;
use serde::Serialize;
use std::collections::BTreeMap;

const TEMPLATE: &str = include_str!("flame.svg.j2");

/// Width of the drawing, in pixels.
const WIDTH: f64 = 1200.0;
/// Space left and right of the frames.
const MARGIN: f64 = 12.0;
/// Height of a frame.
const ROW: usize = 18;
/// Space for title and legend above the frames.
const HEAD: usize = 64;
/// Space below them.
const FOOT: usize = 16;
/// Width of a character of the labels.
const CHARACTER: f64 = 6.6;
/// Frames narrower than this can't be seen.
const NARROWEST: f64 = 0.4;

/// What to draw.
pub struct Flame<'a> {
    /// Title of the drawing.
    pub title: &'a str,
    /// What the widths are: "instructions", "predicted microseconds".
    pub unit: &'a str,
    /// Paths of calls with what their last method did itself.
    pub stacks: &'a [Stack],
    /// Width of a path's last method, in the unit.
    pub weight: &'a dyn Fn(&Stack) -> u64,
}

#[derive(Default)]
struct Node {
    own: u64,
    total: u64,
    api: bool,
    children: BTreeMap<String, Node>,
}

impl Node {
    fn sum(&mut self) -> u64 {
        self.total = self.own + self.children.values_mut().map(Node::sum).sum::<u64>();
        self.total
    }
}

#[derive(Serialize)]
struct Frame {
    x: String,
    y: usize,
    width: String,
    fill: String,
    label: String,
    tip: String,
}

struct Drawing<'a> {
    unit: &'a str,
    total: u64,
    /// Pixels of one unit.
    scale: f64,
    depth: usize,
    frames: Vec<(usize, f64, f64, Frame)>,
}

impl Flame<'_> {
    /// The folded stacks: a line each, methods separated by semicolons, then the weight. The weights add
    /// up to the whole.
    pub fn folded(&self) -> String {
        let mut text = String::new();
        for stack in self.stacks {
            let weight = (self.weight)(stack);
            if weight > 0 {
                text.push_str(&format!("{} {weight}\n", stack.path.join(";")));
            }
        }
        text
    }

    /// The SVG file.
    ///
    /// # Errors
    /// A defect of the template.
    pub fn svg(&self) -> Result<String, minijinja::Error> {
        let mut root = Node::default();
        for stack in self.stacks {
            let mut node = &mut root;
            for name in &stack.path {
                node = node.children.entry(name.clone()).or_default();
            }
            node.own += (self.weight)(stack);
            node.api = stack.api;
        }
        let total = root.sum();
        let mut drawing = Drawing {
            unit: self.unit,
            total,
            scale: (WIDTH - 2.0 * MARGIN) / total.max(1) as f64,
            depth: 0,
            frames: Vec::new(),
        };
        drawing.frame("all", &root, 0, MARGIN);
        let height = HEAD + (drawing.depth + 1) * ROW + FOOT;
        let base = HEAD + drawing.depth * ROW;
        let frames = drawing
            .frames
            .into_iter()
            .map(|(level, x, width, frame)| Frame {
                x: format!("{x:.1}"),
                y: base - level * ROW,
                width: format!("{:.1}", (width - 0.5).max(NARROWEST)),
                ..frame
            });
        let frames: Vec<Frame> = frames.collect();
        let mut environment = minijinja::Environment::new();
        // XML wants the same characters escaped as HTML; the name's ending has that done.
        environment.add_template("flame.svg.html", TEMPLATE)?;
        environment
            .get_template("flame.svg.html")?
            .render(minijinja::context! {
                title => self.title,
                subtitle => format!("{} {}", grouped(total), self.unit),
                width => WIDTH,
                height,
                row => ROW,
                frames => Serde(&frames),
            })
    }
}

impl Drawing<'_> {
    fn frame(&mut self, name: &str, node: &Node, level: usize, x: f64) {
        let width = node.total as f64 * self.scale;
        if width < NARROWEST {
            return;
        }
        self.depth = self.depth.max(level);
        let share = node.total as f64 * 100.0 / self.total.max(1) as f64;
        let tip = format!(
            "{name}: {} {} ({share:.1} %), {} of its own",
            grouped(node.total),
            self.unit,
            grouped(node.own)
        );
        let frame = Frame {
            x: String::new(),
            y: 0,
            width: String::new(),
            fill: colour(name, node.api, level == 0),
            label: shortened(name, width),
            tip,
        };
        self.frames.push((level, x, width, frame));
        let mut x = x;
        for (name, child) in &node.children {
            self.frame(name, child, level + 1, x);
            x += child.total as f64 * self.scale;
        }
    }
}

/// As much of a name as fits: the whole, the method without its class, its beginning.
fn shortened(name: &str, width: f64) -> String {
    let room = ((width - 8.0) / CHARACTER).max(0.0) as usize;
    let method = name.rsplit('.').next().unwrap_or(name);
    if name.len() <= room {
        name.to_owned()
    } else if method.len() <= room {
        method.to_owned()
    } else if room >= 4 {
        let begin: String = method.chars().take(room - 2).collect();
        format!("{begin}..")
    } else {
        String::new()
    }
}

/// Methods of the API in blue, own ones in the warm colours, those of one class alike.
fn colour(name: &str, api: bool, root: bool) -> String {
    if root {
        return "#d9d9d6".to_owned();
    }
    let class = name.split('.').next().unwrap_or(name);
    let hash = |text: &str| {
        let fnv = |h: u32, b: u8| (h ^ u32::from(b)).wrapping_mul(0x0100_0193);
        text.bytes().fold(0x811C_9DC5, fnv)
    };
    let light = 66 + hash(name) % 10;
    let hue = match api {
        true => 200 + hash(class) % 25,
        false => 8 + hash(class) % 46,
    };
    format!("hsl({hue}, 78%, {light}%)")
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use cards::observe::Counts;

    fn stack(path: &[&str], api: bool, calls: u64) -> Stack {
        Stack {
            path: path.iter().map(|name| (*name).to_owned()).collect(),
            api,
            counts: Counts {
                api_calls: calls,
                ..Counts::default()
            },
        }
    }

    #[test]
    fn widths_add_up_and_names_are_escaped() {
        let stacks = [
            stack(&["A.process"], false, 20),
            stack(&["A.process", "A.<init>"], false, 30),
            stack(&["A.process", "Util.arrayCopy"], true, 50),
        ];
        let flame = Flame {
            title: "a & b",
            unit: "calls",
            stacks: &stacks,
            weight: &|stack| stack.counts.api_calls,
        };
        assert_eq!(
            flame.folded(),
            "A.process 20\nA.process;A.<init> 30\nA.process;Util.arrayCopy 50\n"
        );
        let svg = flame.svg().unwrap();
        assert!(
            svg.contains("<title>A.&lt;init&gt;: 30 calls (30.0 %), 30 of its own</title>"),
            "{svg}"
        );
        assert!(svg.contains("a &amp; b"), "{svg}");
        // all, process, <init>, arrayCopy
        assert_eq!(
            svg.matches("<rect").count(),
            4 + 1 + 2,
            "frames, background, legend"
        );
        assert!(svg.contains(">A.&lt;init&gt;</text>"), "{svg}");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
