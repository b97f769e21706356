//! Compiles the fixtures once, and puts them on a card.

use crate::power::Nvm;
use crate::vm::*;
use applet_gen::api::{self, ApiPackage};
use applet_gen::convert::{ConvertInput, Converted, convert};
use applet_gen::javac::Javac;
use std::path::Path;
use std::sync::OnceLock;

pub(super) const SERVER_PACKAGE: [u8; 6] = [0xF0, 0x11, 0x22, 0x33, 0x44, 0x01];
pub(super) const SERVER: [u8; 7] = [0xF0, 0x11, 0x22, 0x33, 0x44, 0x01, 0x01];
pub(super) const WIDE_PACKAGE: [u8; 6] = [0xF0, 0x11, 0x22, 0x33, 0x44, 0x03];
pub(super) const WIDE: [u8; 7] = [0xF0, 0x11, 0x22, 0x33, 0x44, 0x03, 0x01];
pub(super) const CLIENT_PACKAGE: [u8; 6] = [0xF0, 0x11, 0x22, 0x33, 0x44, 0x02];
pub(super) const CLIENT: [u8; 7] = [0xF0, 0x11, 0x22, 0x33, 0x44, 0x02, 0x01];

/// Load files of the server and the client package.
pub(super) fn load_files() -> &'static (Vec<u8>, Vec<u8>) {
    &compiled().0
}

/// Load file of the package with an applet that takes extended lengths.
pub(super) fn wide_load_file() -> &'static [u8] {
    &compiled().1
}

type Files = ((Vec<u8>, Vec<u8>), Vec<u8>);

fn compiled() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let javac = Javac::locate().unwrap();
        let stubs = api::stubs::compile(dir.path(), &javac).unwrap();
        let out = dir.path().join("out");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/java/fixture");
        let sources = ["server", "client", "wide"]
            .iter()
            .flat_map(|folder| files(&root.join(folder)))
            .map(|(path, _)| root.join(path))
            .collect::<Vec<_>>();
        javac.compile(&sources, &[stubs], &out).unwrap();
        let package = |folder: &str, aid: &[u8], applet: (&str, &[u8]), imports: &[ApiPackage]| {
            let input = ConvertInput {
                classes: files(&out.join("fixture").join(folder))
                    .into_iter()
                    .map(|(path, bytes)| (path.display().to_string(), bytes))
                    .collect(),
                package_aid: aid.to_vec(),
                version: (1, 0),
                applets: vec![(applet.0.into(), applet.1.to_vec())],
                imports,
                ..ConvertInput::default()
            };
            convert(&input).unwrap_or_else(|errors| {
                panic!(
                    "{}",
                    errors
                        .iter()
                        .map(ToString::to_string)
                        .collect::<Vec<_>>()
                        .join("\n")
                )
            })
        };
        let mut imports = api::packages().to_vec();
        let server = ("fixture.server.ServerApplet", &SERVER[..]);
        let server = package("server", &SERVER_PACKAGE, server, &imports);
        imports.push(server.exp.clone());
        let client = ("fixture.client.ClientApplet", &CLIENT[..]);
        let client = package("client", &CLIENT_PACKAGE, client, &imports);
        let wide = ("fixture.wide.WideApplet", &WIDE[..]);
        let wide = package("wide", &WIDE_PACKAGE, wide, &imports);
        let file = |package: &Converted| package.cap.load_file(true).unwrap();
        ((file(&server), file(&client)), file(&wide))
    })
}

fn files(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(&path).unwrap()))
        .collect();
    all.sort();
    all
}

/// A card without anything but the VM.
#[derive(Default)]
pub(super) struct Host {
    pub nvm: Nvm,
    seed: u8,
    handler: Option<Ref>,
    pub commits: Vec<Context>,
    pub observer: Slot,
}

impl super::super::Host for Host {
    fn nvm(&mut self) -> &mut Nvm {
        &mut self.nvm
    }

    fn observer(&mut self) -> Option<&mut dyn Observer> {
        self.observer.0.as_deref_mut()
    }

    fn random(&mut self, out: &mut [u8]) {
        for byte in out {
            self.seed = self.seed.wrapping_add(1);
            *byte = self.seed;
        }
    }

    fn native(&mut self, vm: &mut Vm, call: &NativeCall) -> Result<Option<Value>, Fault> {
        match (call.class, call.method) {
            ("uicc/toolkit/ProactiveHandlerSystem", "getTheHandler") => {
                let handler = match self.handler {
                    Some(handler) => handler,
                    None => {
                        let class = "uicc/toolkit/ProactiveHandler";
                        vm.new_native(self, class, 7, Owner::JCRE, Access::Temporary)?
                    }
                };
                self.handler = Some(handler);
                Ok(Some(Value::Ref(handler)))
            }
            ("uicc/toolkit/ProactiveHandler", "send") => Err(Fault::Suspend),
            ("uicc/toolkit/ViewHandler", "getLength") => {
                assert_eq!(vm.native_tag(call.this.unwrap()), Some(7));
                Ok(Some(Value::Short(9)))
            }
            _ => Err(VmError::NotSupported(call.name()).into()),
        }
    }

    fn get_shareable(&mut self, _: &mut Vm, _: &[u8], _: u8) -> Option<Ref> {
        None
    }

    fn on_commit(&mut self, context: Context) {
        self.commits.push(context);
    }
}

/// A card with both packages and both applets, the client selected.
#[derive(Clone)]
pub(super) struct Card {
    pub vm: Vm,
    pub client: InstanceId,
    pub server: InstanceId,
}

pub(super) fn params(aid: &[u8]) -> Vec<u8> {
    let length = u8::try_from(aid.len()).unwrap();
    [&[length], aid, &[0, 0]].concat()
}

impl Card {
    pub fn new() -> (Card, Host) {
        static CARD: OnceLock<Card> = OnceLock::new();
        let card = CARD.get_or_init(|| {
            let mut host = Host::default();
            let mut vm = Vm::new(Limits::default(), &[]);
            let (server, client) = load_files();
            vm.load(server, &mut host).unwrap();
            vm.load(client, &mut host).unwrap();
            let mut install = |aid: &[u8]| {
                let (outcome, instance) = vm.install(aid, aid, &params(aid), &mut host).unwrap();
                assert_eq!(outcome, Outcome::Returned(None));
                instance.unwrap()
            };
            let (server, client) = (install(&SERVER), install(&CLIENT));
            let mut card = Card { vm, client, server };
            card.select(&mut host);
            card
        });
        (card.clone(), Host::default())
    }

    pub fn select(&mut self, host: &mut Host) {
        let mut thread = self.vm.start_select(self.client, 0).unwrap();
        assert_eq!(
            self.vm.run(&mut thread, host),
            Outcome::Returned(Some(Value::Short(1)))
        );
    }

    /// One command to an instance: outcome and response data.
    pub fn send(&mut self, to: InstanceId, host: &mut Host, command: &[u8]) -> (Outcome, Vec<u8>) {
        let mut thread = self.vm.start_process(to, command, 0, false).unwrap();
        let outcome = self.vm.run(&mut thread, host);
        (outcome, thread.apdu().unwrap().response().to_vec())
    }

    /// A command to the client that must succeed.
    pub fn ask(&mut self, host: &mut Host, ins: u8, p1: u8, p2: u8, data: &[u8]) -> Vec<u8> {
        let mut command = vec![0x80, ins, p1, p2];
        if !data.is_empty() {
            command.push(u8::try_from(data.len()).unwrap());
            command.extend_from_slice(data);
        }
        command.push(0);
        let (outcome, response) = self.send(self.client, host, &command);
        assert_eq!(outcome, Outcome::Returned(None), "INS {ins:02X}");
        response
    }
}
