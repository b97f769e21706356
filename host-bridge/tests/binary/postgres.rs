//! A PostgreSQL server of the tests' own: made in a temporary folder, reached by its socket there,
//! gone with its last user.

use super::support::wait;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

pub const PASSWORD: &str = "a-password-that-nobody-shows";
/// What the socket's file is called: the server listens on no network.
pub const SOCKET: &str = ".s.PGSQL.5432";

/// A running server.
pub struct Server {
    child: Child,
    dir: tempfile::TempDir,
}

/// The server that tests of this process share; `None`, with the reason said, where there is none.
pub fn server() -> Option<Arc<Server>> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = shared.upgrade() {
        return Some(server);
    }
    match Server::start() {
        Ok(server) => {
            let server = Arc::new(server);
            *shared = Arc::downgrade(&server);
            Some(server)
        }
        Err(why) => {
            assert!(
                std::env::var_os("IPAE_REQUIRE_POSTGRES").is_none(),
                "IPAE_REQUIRE_POSTGRES: {why}"
            );
            eprintln!("skipped: tests with PostgreSQL: {why}");
            None
        }
    }
}

/// The folder of the server's programs. Debian keeps them out of PATH.
fn programs() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut versions: Vec<PathBuf> = debian
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    versions.sort_by_key(|path| {
        let version = path.parent().and_then(Path::file_name)?;
        version.to_str()?.parse::<u32>().ok()
    });
    versions.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    versions.extend(std::env::split_paths(&path));
    versions.into_iter().find(|dir| dir.join("initdb").exists())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

/// The server doesn't run as root: then it is the user postgres.
fn as_server(program: &Path, root: bool) -> Command {
    if !root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    command.arg(program);
    command
}

fn done(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

impl Server {
    fn start() -> Result<Server, String> {
        let bin = programs().ok_or("there is no initdb (Debian: apt-get install postgresql)")?;
        let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
        let root = is_root();
        let words = dir.path().join("password");
        std::fs::write(&words, PASSWORD).map_err(|e| e.to_string())?;
        if root {
            done(
                Command::new("chown")
                    .args(["-R", "postgres"])
                    .arg(dir.path()),
            )?;
        }
        let data = dir.path().join("data");
        let mut init = as_server(&bin.join("initdb"), root);
        init.args(["--no-sync", "--no-instructions", "-E", "UTF8", "--locale=C"]);
        init.args(["-U", "ipae", "-A", "scram-sha-256"])
            .arg("--pwfile")
            .arg(&words);
        done(init.arg("-D").arg(&data))?;
        let mut serve = as_server(&bin.join("postgres"), root);
        serve.arg("-D").arg(&data).arg("-k").arg(dir.path());
        // What a power cut of this machine would do isn't tested here.
        serve.args(["-c", "listen_addresses=", "-c", "fsync=off", "-p", "5432"]);
        serve
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = serve.spawn().map_err(|e| e.to_string())?;
        let server = Server { child, dir };
        match wait(Duration::from_secs(30), || {
            server.connect("postgres").is_ok()
        }) {
            true => Ok(server),
            false => Err("it doesn't answer".to_owned()),
        }
    }

    /// Its folder, with the socket.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A new database's address, with the folder of another socket if that is asked for.
    pub fn database(&self, name: &str, socket: Option<&Path>) -> String {
        let mut client = self.connect("postgres").expect("the server");
        client
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .expect("a database");
        let dir = socket.unwrap_or(self.dir()).display().to_string();
        format!("postgres://ipae@{}/{name}", dir.replace('/', "%2F"))
    }

    /// A connection of the tests' own.
    pub fn connect(&self, database: &str) -> Result<postgres::Client, postgres::Error> {
        postgres::Config::new()
            .host_path(self.dir())
            .user("ipae")
            .password(PASSWORD)
            .dbname(database)
            .application_name("test")
            .connect(postgres::NoTls)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT, a fast shutdown: no connection is waited for.
        let id = self.child.id();
        let _ = Command::new("sh")
            .args(["-c", &format!("kill -INT {id}")])
            .status();
        let ended = wait(Duration::from_secs(10), || {
            self.child.try_wait().is_ok_and(|status| status.is_some())
        });
        if !ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
