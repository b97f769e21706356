//! Random Java: a class of static methods over locals, fields, arrays and objects of its own.

use std::fmt::Write as _;

/// Numbers by a linear congruence: the same in every run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

/// What stands around the methods: state, objects with virtual and interface methods, inputs.
/// `TYPE` is the widest type in use.
const FRAME: &str = "package fuzz;
interface Shape { short area(short by); }
class Base implements Shape {
    short x; byte y; boolean z; TYPE w; Base next; short[] own;
    short area(byte by) { return (short) (x - by); }
    public short area(short by) { return (short) (x + by); }
    short twist(short a, TYPE b, byte c) { x = (short) b; w += c; return (short) (a ^ y); }
}
class Wide extends Base {
    byte y;
    public short area(short by) { y++; return (short) (super.area(by) - y); }
    short twist(short a, TYPE b, byte c) { y = c; w -= b; return (short) (super.twist(c, a, c) | 1); }
}
public class Code {
    static short s; static byte t; static boolean u; static TYPE v; static short fuel;
    static byte[] bs = {1, -2, 3, -4, 5, -6, 7, -8};
    static short[] ss = {100, -200, 300, -400, 500, -600, 700, -800};
    static boolean[] zs = {true, false, true, false, false, true, false, false};
    static TYPE[] vs = {7, -7, 77, -77, 777, -777, 7777, -7777};
    static final short[] A = {0, 1, -32768, 32767, -7, 255};
    static final short[] B = {0, -1, 32767, 3, 256, -128};
    static final byte[] C = {0, 1, -128, 127, -1, 64};
    static Base one; static Base two;
    static void make() { one = new Base(); two = new Wide(); one.own = new short[4]; one.next = two; two.next = null; two.own = ss; }
    static void reset() {
        s = 5; t = -3; u = true; v = 9; fuel = 60;
        for (short i = 0; i < 8; i++) {
            bs[i] = (byte) (i * 31); ss[i] = (short) (i * 5001 - 11000); zs[i] = (i & 1) == 0; vs[i] = (TYPE) (i * 4099);
        }
        for (short i = 0; i < 4; i++) one.own[i] = i;
        one.x = 1; one.y = 2; one.z = false; one.w = 3; two.x = 4; two.y = 5; two.z = true; two.w = 6;
        ((Wide) two).y = 7;
    }
    static short sum() {
        short r = (short) (s * 3 + t * 5 + (u ? 7 : 0));
        r = (short) (r * 31 + fold(v));
        for (short i = 0; i < 8; i++) r = (short) (r * 31 + bs[i] + ss[i] + (zs[i] ? 1 : 0) + fold(vs[i]));
        for (Base o = one; o != null; o = o.next) r = (short) (r * 31 + o.x + o.y + (o.z ? 3 : 0) + fold(o.w));
        for (short e : one.own) r = (short) (r * 31 + e);
        return (short) (r + ((Wide) two).y);
    }
    static short result; static short rest;
    static void run(short index, short input) {
        reset();
        TYPE r;
        try {
            r = call(index, A[input], B[input], C[input], (input & 1) != 0);
        } catch (ArithmeticException e) { r = -101;
        } catch (ArrayIndexOutOfBoundsException e) { r = -102;
        } catch (NullPointerException e) { r = -103;
        } catch (ClassCastException e) { r = -104;
        }
        result = fold(r);
        rest = sum();
    }
";

/// `fold` brings a number of the widest type to a short.
const FOLD_SHORT: &str = "static short fold(short a) { return a; }\n";
const FOLD_INT: &str = "static short fold(int a) { return (short) (a ^ (a >>> 16)); }\n";

pub(super) const APPLET: &str = "package fuzz;
import javacard.framework.*;
public class Fuzz extends Applet {
    public static void install(byte[] b, short o, byte l) { Code.make(); new Fuzz().register(); }
    public void process(APDU apdu) {
        if (selectingApplet()) return;
        byte[] buffer = apdu.getBuffer();
        short index = Util.getShort(buffer, ISO7816.OFFSET_P1);
        short at = 0;
        for (short i = 0; i < 6; i++) {
            Code.run(index, i);
            at = Util.setShort(buffer, at, Code.result);
            at = Util.setShort(buffer, at, Code.rest);
        }
        apdu.setOutgoingAndSend((short) 0, at);
    }
}
";

pub(super) const MAIN: &str = "package fuzz;
public class Main {
    public static void main(String[] x) {
        Code.make();
        for (short i = 0; i < Short.parseShort(x[0]); i++) {
            StringBuilder line = new StringBuilder();
            for (short j = 0; j < 6; j++) {
                Code.run(i, j);
                line.append(Code.result).append(' ').append(Code.rest).append(' ');
            }
            System.out.println(line);
        }
    }
}
";

/// The class of these methods' bodies.
pub(super) fn class(bodies: &[String], int: bool) -> String {
    let wide = if int { "int" } else { "short" };
    let mut text = FRAME.replace("TYPE", wide);
    text.push_str(if int { FOLD_INT } else { FOLD_SHORT });
    let mut dispatch = String::new();
    for (index, body) in bodies.iter().enumerate() {
        let _ = writeln!(
            text,
            "static {wide} m{index}({wide} a, short b, byte c, boolean e) {{\n\
             if (--fuel < 0) return a;\n{body} }}"
        );
        let _ = writeln!(dispatch, "case {index}: return m{index}(a, b, c, e);");
    }
    let _ = writeln!(
        text,
        "static {wide} call(short index, short a, short b, byte c, boolean e) {{\n\
         switch (index) {{\n{dispatch} }}\n return 0; }} }}"
    );
    text
}

/// Makes one method's body.
pub(super) struct Writer<'a> {
    dice: &'a mut Dice,
    /// Whether `int` may be used: then nothing needs to be narrowed.
    int: bool,
    /// Methods with a lower number, which this one may call.
    callable: usize,
    /// Local variables in scope by type: short, byte, widest, boolean, object.
    locals: [Vec<String>; 5],
    next: usize,
    loops: usize,
}

const SHORTS: usize = 0;
const BYTES: usize = 1;
const WIDES: usize = 2;
const BOOLEANS: usize = 3;
const OBJECTS: usize = 4;

impl<'a> Writer<'a> {
    pub(super) fn new(dice: &'a mut Dice, int: bool, callable: usize) -> Self {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Writer {
            dice,
            int,
            callable,
            locals: [
                own(&["b"]),
                own(&["c"]),
                own(&["a"]),
                own(&["e"]),
                Vec::new(),
            ],
            next: 0,
            loops: 0,
        }
    }

    pub(super) fn body(&mut self) -> String {
        let mut text = String::new();
        let count = 2 + self.dice.roll(5);
        for _ in 0..count {
            text.push_str(&self.statement(3));
        }
        let value = self.wide(3);
        let _ = write!(text, "return {value};");
        text
    }

    fn wide_type(&self) -> &'static str {
        if self.int { "int" } else { "short" }
    }

    fn fresh(&mut self) -> String {
        self.next += 1;
        format!("v{}", self.next)
    }

    /// An expression of the widest type.
    fn wide(&mut self, depth: usize) -> String {
        let value = self.number(depth);
        if self.int {
            value
        } else {
            format!("(short) ({value})")
        }
    }

    /// A number that one cell holds.
    fn short(&mut self, depth: usize) -> String {
        match self.dice.roll(4) {
            0 => format!("((byte) ({}))", self.number(depth)),
            _ => format!("((short) ({}))", self.number(depth)),
        }
    }

    /// An operand of an operation that needs all of it.
    fn whole(&mut self, depth: usize) -> String {
        let as_it_is = match self.int {
            true => self.dice.roll(3) > 0,
            // Some of it is refused.
            false => self.dice.roll(20) == 0,
        };
        if as_it_is {
            return self.number(depth);
        }
        self.short(depth)
    }

    fn constant(&mut self) -> String {
        let shorts = [
            "0", "1", "(-1)", "2", "5", "7", "(-8)", "127", "(-128)", "128", "255", "0x7FFF",
            "(-32768)", "1000", "(-3000)", "0x5A5A",
        ];
        let ints = [
            "70000",
            "(-100000)",
            "0x7FFFFFFF",
            "0x80000000",
            "0x12345678",
            "0xFFFF",
        ];
        if self.int && self.dice.roll(4) == 0 {
            return self.dice.pick(&ints).to_owned();
        }
        self.dice.pick(&shorts).to_owned()
    }

    fn object(&mut self) -> String {
        let locals = self.locals[OBJECTS].clone();
        match self.dice.roll(6) {
            0 | 1 if !locals.is_empty() => locals[self.dice.roll(locals.len())].clone(),
            0..=2 => "one".to_owned(),
            3 => "one.next".to_owned(),
            4 if self.dice.roll(4) == 0 => "two.next".to_owned(),
            _ => "two".to_owned(),
        }
    }

    fn index(&mut self, depth: usize) -> String {
        match self.dice.roll(12) {
            0 => self.short(depth),
            1 | 2 => self.dice.pick(&["0", "3", "7"]).to_owned(),
            _ => format!("({} & 7)", self.number(depth)),
        }
    }

    /// Something that numbers can be read from and, if `shorts` says so, stored to.
    fn place(&mut self, depth: usize) -> (String, &'static str) {
        let local = [SHORTS, BYTES, WIDES][self.dice.roll(3)];
        let name = {
            let names = &self.locals[local];
            names[self.dice.roll(names.len())].clone()
        };
        let wide = self.wide_type();
        let object = self.object();
        match self.dice.roll(14) {
            0..=5 => (name, ["short", "byte", wide][local]),
            6 => ("s".to_owned(), "short"),
            7 => ("t".to_owned(), "byte"),
            8 => ("v".to_owned(), wide),
            9 => (format!("{object}.x"), "short"),
            10 => (format!("{object}.y"), "byte"),
            11 => (format!("{object}.w"), wide),
            12 => (format!("bs[{}]", self.index(depth)), "byte"),
            _ => match self.dice.roll(3) {
                0 => (format!("vs[{}]", self.index(depth)), wide),
                1 => (format!("{object}.own[{} & 3]", self.number(depth)), "short"),
                _ => (format!("ss[{}]", self.index(depth)), "short"),
            },
        }
    }

    /// An expression of a number, of any size.
    fn number(&mut self, depth: usize) -> String {
        if depth == 0 {
            return match self.dice.roll(3) {
                0 => self.constant(),
                _ => self.place(0).0,
            };
        }
        let next = self.dice.roll(depth);
        match self.dice.roll(18) {
            0..=3 => {
                let operator = self.dice.pick(&["+", "-", "*"]);
                format!(
                    "({} {operator} {})",
                    self.number(depth - 1),
                    self.number(next)
                )
            }
            4 | 5 => {
                let operator = self.dice.pick(&["&", "|", "^"]);
                format!(
                    "({} {operator} {})",
                    self.number(depth - 1),
                    self.number(next)
                )
            }
            6 => format!("({} << {})", self.number(depth - 1), self.dice.roll(20)),
            7 => {
                let operator = self.dice.pick(&[">>", ">>>", "<<"]);
                let left = self.whole(depth - 1);
                format!("({left} {operator} {})", self.number(next))
            }
            8 => format!("({} >> {})", self.whole(depth - 1), self.dice.roll(18)),
            9 => {
                let operator = self.dice.pick(&["/", "%"]);
                let left = self.whole(depth - 1);
                format!("({left} {operator} {})", self.whole(next))
            }
            10 => format!("(-{})", self.number(depth - 1)),
            11 => format!("(~{})", self.number(depth - 1)),
            12 => {
                let condition = self.condition(next);
                format!(
                    "({condition} ? {} : {})",
                    self.number(depth - 1),
                    self.number(next)
                )
            }
            13 => self.short(depth - 1),
            14 => format!("({} & 0xFF)", self.number(depth - 1)),
            15 => self.call(next),
            16 => {
                let place = self.place(next).0;
                let operator = self.dice.pick(&["++", "--"]);
                if self.dice.roll(2) == 0 {
                    format!("({place}{operator})")
                } else {
                    format!("({operator}{place})")
                }
            }
            _ => {
                let (place, kind) = self.place(next);
                format!("({place} = ({kind}) ({}))", self.number(depth - 1))
            }
        }
    }

    fn call(&mut self, depth: usize) -> String {
        let object = self.object();
        match self.dice.roll(4) {
            0 if self.callable > 0 => {
                let index = self.dice.roll(self.callable);
                let wide = self.wide(depth);
                let (short, byte) = (self.short(depth), self.number(depth));
                let condition = self.condition(depth);
                format!("m{index}({wide}, {short}, (byte) ({byte}), {condition})")
            }
            1 => format!("((Shape) {object}).area({})", self.short(depth)),
            2 => format!("{object}.area((byte) ({}))", self.number(depth)),
            _ => {
                let (short, wide) = (self.short(depth), self.wide(depth));
                format!(
                    "{object}.twist({short}, {wide}, (byte) ({}))",
                    self.number(depth)
                )
            }
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        if depth == 0 {
            return match self.dice.roll(5) {
                0 => self.dice.pick(&["u", "zs[3]", "one.z", "two.z"]).to_owned(),
                1 => format!("({} instanceof Wide)", self.object()),
                2 => format!(
                    "({} == {})",
                    self.object(),
                    self.dice.pick(&["one", "two", "null"])
                ),
                _ => {
                    let names = &self.locals[BOOLEANS];
                    names[self.dice.roll(names.len())].clone()
                }
            };
        }
        match self.dice.roll(8) {
            0 => {
                let operator = self.dice.pick(&["&&", "||", "&", "|", "^"]);
                format!(
                    "({} {operator} {})",
                    self.condition(depth - 1),
                    self.condition(0)
                )
            }
            1 => format!("(!{})", self.condition(depth - 1)),
            _ => {
                let operator = self.dice.pick(&["<", "<=", ">", ">=", "==", "!="]);
                let left = self.whole(depth - 1);
                format!("({left} {operator} {})", self.whole(depth - 1))
            }
        }
    }

    fn block(&mut self, depth: usize) -> String {
        let scope = self.locals.clone();
        let mut text = String::new();
        for _ in 0..1 + self.dice.roll(3) {
            text.push_str(&self.statement(depth));
        }
        self.locals = scope;
        text
    }

    fn statement(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.assignment();
        }
        match self.dice.roll(16) {
            0 | 1 => self.declaration(),
            2 | 3 => {
                let condition = self.condition(2);
                let then = self.block(depth - 1);
                match self.dice.roll(2) {
                    0 => format!("if ({condition}) {{ {then} }}\n"),
                    _ => format!(
                        "if ({condition}) {{ {then} }} else {{ {} }}\n",
                        self.block(depth - 1)
                    ),
                }
            }
            4 => self.counted(depth),
            5 => {
                let condition = self.condition(2);
                self.loops += 1;
                let block = self.block(depth - 1);
                self.loops -= 1;
                match self.dice.roll(2) {
                    0 => format!("while (--fuel > 0 && {condition}) {{ {block} }}\n"),
                    _ => format!("do {{ {block} }} while (--fuel > 0 && {condition});\n"),
                }
            }
            6 => self.switch(depth),
            7 | 8 => self.attempt(depth),
            9 if self.loops > 0 => {
                let jump = self.dice.pick(&["break", "continue"]);
                format!("if ({}) {jump};\n", self.condition(1))
            }
            10 if self.dice.roll(3) == 0 => {
                let value = self.wide(2);
                format!("if ({}) return {value};\n", self.condition(1))
            }
            11 => format!("{};\n", self.call(1)),
            _ => self.assignment(),
        }
    }

    fn counted(&mut self, depth: usize) -> String {
        self.loops += 1;
        let scope = self.locals.clone();
        let name = self.fresh();
        let text = match self.dice.roll(4) {
            0 => {
                let array = self.dice.pick(&["bs", "ss", "one.own"]);
                let kind = if array == "bs" { BYTES } else { SHORTS };
                self.locals[kind].push(name.clone());
                let kind = if kind == BYTES { "byte" } else { "short" };
                format!(
                    "for ({kind} {name} : {array}) {{ {} }}\n",
                    self.block(depth - 1)
                )
            }
            1 => format!(
                "for ({} {name} = 7; {name} >= 0; {name}--) {{ ss[{name}] += {}; {} }}\n",
                self.wide_type(),
                self.number(1),
                self.block(depth - 1)
            ),
            kind => {
                let short = if kind == 2 { "byte" } else { "short" };
                let last = 1 + self.dice.roll(6);
                format!(
                    "for ({short} {name} = 0; {name} < {last}; {name}++) {{ bs[{name} + 1] ^= {name} * 3; {} }}\n",
                    self.block(depth - 1)
                )
            }
        };
        self.locals = scope;
        self.loops -= 1;
        text
    }

    fn declaration(&mut self) -> String {
        let name = self.fresh();
        let (kind, text) = match self.dice.roll(6) {
            0 | 1 => (SHORTS, format!("short {name} = {};\n", self.short(3))),
            2 => (
                BYTES,
                format!("byte {name} = (byte) ({});\n", self.number(2)),
            ),
            3 => (
                WIDES,
                format!("{} {name} = {};\n", self.wide_type(), self.wide(3)),
            ),
            4 => (
                BOOLEANS,
                format!("boolean {name} = {};\n", self.condition(2)),
            ),
            _ => {
                let (one, two) = (self.object(), self.object());
                let condition = self.condition(1);
                (
                    OBJECTS,
                    format!("Base {name} = {condition} ? {one} : {two};\n"),
                )
            }
        };
        self.locals[kind].push(name);
        text
    }

    fn assignment(&mut self) -> String {
        match self.dice.roll(9) {
            0 => format!("u = {};\n", self.condition(2)),
            1 => format!("zs[{}] = {};\n", self.index(1), self.condition(1)),
            2 => format!("{}.z = {};\n", self.object(), self.condition(1)),
            3 => {
                let place = self.place(1).0;
                format!("{place}{};\n", self.dice.pick(&["++", "--"]))
            }
            4 | 5 => {
                let (place, kind) = self.place(1);
                let operator = self.dice.pick(&["+=", "-=", "*=", "&=", "|=", "^=", "<<="]);
                let _ = kind;
                format!("{place} {operator} {};\n", self.number(2))
            }
            6 => {
                let place = self.place(1).0;
                let operator = self.dice.pick(&["/=", "%=", ">>=", ">>>="]);
                format!("{place} {operator} {};\n", self.whole(2))
            }
            _ => {
                let (place, kind) = self.place(1);
                format!("{place} = ({kind}) ({});\n", self.number(3))
            }
        }
    }

    fn switch(&mut self, depth: usize) -> String {
        let key = self.short(2);
        let labels = match self.dice.roll(3) {
            0 => ["0", "1", "2", "3"],
            1 => ["-32768", "-1", "100", "32767"],
            _ => ["-3", "5", "6", "9"],
        };
        let mut text = format!("switch ((short) {key}) {{\n");
        for label in labels {
            let block = self.block(depth - 1);
            let end = self.dice.pick(&["break;", "", "break;"]);
            let _ = writeln!(text, "case {label}: {{ {block} }} {end}");
        }
        let _ = writeln!(text, "default: {{ {} }} }}", self.block(depth - 1));
        text
    }

    fn attempt(&mut self, depth: usize) -> String {
        let mut text = format!("try {{ {} ", self.block(depth - 1));
        if self.dice.roll(3) == 0 {
            let thrown = self.dice.pick(&[
                "new ArithmeticException()",
                "null",
                "new ClassCastException()",
            ]);
            let _ = write!(text, "if ({}) throw {thrown}; ", self.condition(1));
        }
        text.push_str("} ");
        let kind = self.dice.roll(4);
        if kind != 0 {
            let class = self.dice.pick(&[
                "ArithmeticException",
                "ArrayIndexOutOfBoundsException",
                "NullPointerException | ArithmeticException",
                "RuntimeException",
            ]);
            let caught = self.fresh();
            let _ = write!(
                text,
                "catch ({class} {caught}) {{ {} }} ",
                self.block(depth - 1)
            );
        }
        if kind == 0 || self.dice.roll(2) == 0 {
            // A loop around it is not left from within finally: javac would warn, not refuse.
            let _ = write!(text, "finally {{ {} }} ", self.block(depth - 1));
        }
        text.push('\n');
        text
    }
}
