//! Running the binary, and the files that its tests need.

use applet_model::aid;
use cards::card::VirtualCard;
use host_bridge::exit::Exit;
use host_bridge::personalize::VirtualLink;
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// This process's record of authentication attempts: never the user's own.
fn attempts() -> PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER
        .get_or_init(|| tempfile::tempdir().expect("a folder"))
        .path()
        .join("attempts.sqlite")
}

/// The binary, with an environment that says nothing about keys, colours or PC/SC.
pub fn ipae() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipae"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("IPAE_") {
            command.env_remove(name);
        }
    }
    command
        .env("IPAE_ATTEMPTS", attempts())
        .env_remove("PCSCLITE_CSOCK_NAME")
        .stdin(Stdio::null());
    command
}

/// How a run of the binary ended.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Runs the binary to its end.
    pub fn new<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
        Run::of(ipae().args(args))
    }

    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Run {
        let output = command.output().expect("the binary runs");
        Run {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// It ended well.
    #[track_caller]
    pub fn good(self) -> Run {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// It ended with this exit code, and its message has all these words.
    #[track_caller]
    pub fn bad(self, exit: Exit, words: &[&str]) -> Run {
        assert_eq!(
            self.code,
            Some(exit.code.into()),
            "{} expected: {self:#?}",
            exit.name
        );
        for word in words {
            assert!(
                self.stderr.contains(word),
                "{word:?} is not in {}",
                self.stderr
            );
        }
        for defect in ["panicked", "RUST_BACKTRACE"] {
            assert!(!self.stderr.contains(defect), "{}", self.stderr);
        }
        self
    }

    /// Standard output as JSON; of a stream of lines, the last one.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .or_else(|_| serde_json::from_str(self.stdout.lines().last().unwrap_or_default()))
            .unwrap_or_else(|e| panic!("{e}: {self:#?}"))
    }

    /// Standard error as the JSON of an error.
    #[track_caller]
    pub fn error(&self) -> Value {
        let value: Value =
            serde_json::from_str(&self.stderr).unwrap_or_else(|e| panic!("{e}: {self:#?}"));
        value["error"].clone()
    }
}

/// A folder with an order and the applet; `ipae personalize` works in `out`.
pub struct Bench {
    dir: tempfile::TempDir,
    pub order: PathBuf,
    pub out: PathBuf,
    pub eids: Vec<String>,
}

impl Bench {
    /// With an order of so many cards, the lab eIM's address in it.
    pub fn new(cards: u32) -> Bench {
        let dir = tempfile::tempdir().expect("a folder");
        let order = dir.path().join("order.csv");
        let count = cards.to_string();
        let args = [
            "order",
            "sample",
            "--count",
            &count,
            "--address",
            "192.0.2.1",
            "--out",
        ];
        Run::of(ipae().args(args).arg(&order)).good();
        let text = std::fs::read_to_string(&order).expect("the order");
        let eids = text
            .lines()
            .skip(2)
            .filter_map(|line| Some(line.split_once(',')?.0.to_owned()));
        Bench {
            order,
            out: dir.path().join("out"),
            eids: eids.collect(),
            dir,
        }
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file in the folder.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    /// Replaces text in the order.
    #[track_caller]
    pub fn edit_order(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(&self.order).expect("the order");
        assert!(text.contains(from), "{from:?} is not in {text}");
        std::fs::write(&self.order, text.replacen(from, to, 1)).expect("the order");
    }

    /// `ipae personalize` for the order, with the applet.
    pub fn personalize(&self) -> Command {
        let mut command = self.personalize_with(applet());
        command.arg("--virtual");
        command
    }

    /// The same for a card in a reader.
    pub fn personalize_on(&self, reader: &str) -> Command {
        let mut command = self.personalize_with(applet());
        command.args(["--reader", reader]);
        command
    }

    /// The same without saying where the cards are.
    pub fn personalize_with(&self, cap: &Path) -> Command {
        let mut command = ipae();
        command.arg("personalize").arg("--order").arg(&self.order);
        command.arg("--out").arg(&self.out).arg("--cap").arg(cap);
        command
    }

    /// A virtual card as its file has it.
    pub fn card(&self, eid: &str) -> VirtualCard {
        card_in(&self.out.join("cards"), eid)
    }

    /// Lines of `response.csv` below its header.
    pub fn responses(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.out.join("response.csv")).expect("response.csv");
        text.lines().skip(1).map(str::to_owned).collect()
    }
}

/// A virtual card as its file in a folder has it.
pub fn card_in(dir: &Path, eid: &str) -> VirtualCard {
    VirtualLink::open(eid, &dir.join(format!("{eid}.card")))
        .unwrap_or_else(|e| panic!("{e}"))
        .into_card()
}

/// The card carries the applet once and obeys one eIM.
#[track_caller]
pub fn assert_personalized(card: &VirtualCard) {
    let registry = card.registry();
    assert_eq!(
        (registry.load_files.len(), registry.instances.len()),
        (1, 1)
    );
    assert_eq!(card.euicc().state().eims.len(), 1);
    assert!(card.euicc().check_invariants().is_ok());
}

/// The applet's CAP file, built once by `ipae build`.
pub fn applet() -> &'static Path {
    static APPLET: OnceLock<PathBuf> = OnceLock::new();
    APPLET.get_or_init(|| {
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("applet");
        // What an earlier run left is of an earlier applet.
        let _ = std::fs::remove_dir_all(&dir);
        let run = Run::of(ipae().args(["build", "--json", "--out"]).arg(&dir)).good();
        assert!(run.json()["cap"].is_object(), "{}", run.stdout);
        dir.join("ipae.cap")
    })
}

/// A child process that does not outlive its test.
pub struct Background(pub Child);

impl Background {
    /// Starts it.
    pub fn start(command: &mut Command) -> Background {
        Background(command.spawn().expect("the process starts"))
    }

    /// Asks it to end (SIGTERM) and gives its exit code; kills it if it doesn't end in time.
    pub fn end(&mut self) -> Option<i32> {
        if let Ok(Some(status)) = self.0.try_wait() {
            return status.code();
        }
        let id = self.0.id();
        let _ = Command::new("sh")
            .args(["-c", &format!("kill -TERM {id}")])
            .status();
        let mut code = None;
        let ended = wait(Duration::from_secs(5), || match self.0.try_wait() {
            Ok(Some(status)) => {
                code = status.code();
                true
            }
            _ => false,
        });
        if !ended {
            self.kill();
        }
        code
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits until the condition holds; false if it doesn't in time.
pub fn wait(time: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > time {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// The applet's AID as people write it.
pub fn package() -> String {
    hex::encode_upper(aid::PACKAGE_IPAE)
}
