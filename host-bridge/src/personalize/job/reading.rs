//! A job's steps, from TOML to what they do; every fault with its line.

use super::form::{ADD_EIM, JobError, JobFault, JobFile, STEPS, line_of};
use super::{
    AUTHENTICATE, Action, CHECK, Content, IDENTIFY, InstallStep, JobStep, LoadStep, Parameters,
    ReadStep, SetState, StoreStep, Value,
};
use crate::personalize::Applet;
use applet_gen::gp::command::{
    INS_DELETE, INS_INSTALL, INS_LOAD, INS_PUT_KEY, INS_SET_STATUS, INS_STORE_DATA,
};
use applet_gen::gp::load::LoadHash;
use applet_gen::gp::privilege::Privilege;
use applet_gen::gp::uicc_params::from_toml;
use applet_model::aid;
use applet_model::status::Sw;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Table;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LoadForm {
    cap: String,
    to: Option<String>,
    hash: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct InstallForm {
    cap: Option<String>,
    package: Option<String>,
    module: Option<String>,
    instance: Option<String>,
    #[serde(default)]
    privileges: Vec<String>,
    parameters: Option<Table>,
    parameters_hex: Option<String>,
    #[serde(default = "yes")]
    selectable: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoreForm {
    to: Option<String>,
    data: Option<String>,
    #[serde(default)]
    dgis: Vec<DgiForm>,
    form: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DgiForm {
    tag: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApplicationForm {
    application: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RotateForm {
    #[serde(default)]
    required: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoKeys {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateForm {
    card: Option<String>,
    application: Option<String>,
    state: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadForm {
    select: Option<String>,
    command: String,
    expect: Option<String>,
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default)]
    receipt: bool,
}

/// A job that is being read.
pub(super) struct Reading<'a> {
    file: &'a JobFile,
    pub caps: BTreeMap<String, Applet>,
    /// Names of packages in the sequence of their loading.
    pub loaded: Vec<String>,
    pub steps: Vec<JobStep>,
    pub faults: Vec<JobFault>,
}

fn of_hex(key: &str, text: &str) -> Result<Vec<u8>, String> {
    hex::decode(text.trim())
        .map_err(|e| format!("{key}: {text:?}: {e}; bytes in hexadecimal are expected"))
}

fn of_aid(key: &str, text: &str) -> Result<Vec<u8>, String> {
    match of_hex(key, text)? {
        aid if (5..=16).contains(&aid.len()) => Ok(aid),
        aid => Err(format!("{key}: {} bytes, an AID has 5 to 16", aid.len())),
    }
}

fn value(key: &str, text: &str, any: bool) -> Result<Value, String> {
    Value::parse(text, any).map_err(|problem| format!("{key}: {problem}"))
}

impl<'a> Reading<'a> {
    /// Reads all of a job; `applet` is the one that is built.
    ///
    /// # Errors
    /// [`JobError::Cap`]; everything else is among [`Reading::faults`].
    pub fn of(file: &'a JobFile, applet: Option<Applet>) -> Result<Self, JobError> {
        let mut reading = Reading {
            file,
            caps: BTreeMap::new(),
            loaded: Vec::new(),
            steps: Vec::new(),
            faults: Vec::new(),
        };
        reading.caps(applet)?;
        reading.steps();
        reading.whole();
        Ok(reading)
    }

    fn fault(&mut self, line: usize, problem: String) {
        self.faults.push(JobFault { line, problem });
    }

    fn caps(&mut self, applet: Option<Applet>) -> Result<(), JobError> {
        for (name, cap) in &self.file.form.cap {
            let line = line_of(&self.file.text, cap.span().start);
            let read = match (&cap.get_ref().file, cap.get_ref().build) {
                (Some(file), None) => Applet::from_file(&self.file.directory.join(file))
                    .map_err(|error| JobError::Cap(Box::new(error)))?,
                (None, Some(true)) => match &applet {
                    Some(applet) => applet.clone(),
                    None => {
                        let problem = format!("cap.{name}: the applet isn't built");
                        self.fault(line, problem);
                        continue;
                    }
                },
                _ => {
                    let problem = format!("cap.{name}: one of file and build = true is expected");
                    self.fault(line, problem);
                    continue;
                }
            };
            self.caps.insert(name.clone(), read);
        }
        Ok(())
    }

    fn steps(&mut self) {
        for (i, step) in self.file.form.step.iter().enumerate() {
            let line = line_of(&self.file.text, step.span().start);
            let mut table = step.get_ref().clone();
            let mut word = |key: &str| match table.remove(key) {
                Some(toml::Value::String(text)) => Ok(Some(text)),
                Some(_) => Err(format!("step {}: {key}: a text is expected", i + 1)),
                None => Ok(None),
            };
            let (kind, name) = match (word("do"), word("name")) {
                (Ok(Some(kind)), Ok(name)) => (kind, name),
                (Ok(None), _) => {
                    let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
                    let problem =
                        format!("step {}: do is missing: one of {}", i + 1, known.join(", "));
                    self.fault(line, problem);
                    continue;
                }
                (Err(problem), _) | (_, Err(problem)) => {
                    self.fault(line, problem);
                    continue;
                }
            };
            let name = name.unwrap_or_else(|| self.free_name(&kind));
            if !plain(&name) || [IDENTIFY, AUTHENTICATE, CHECK].contains(&name.as_str()) {
                let problem = format!(
                    "step {}: name: {name:?}: lower case letters, digits and hyphens, and none of {IDENTIFY}, \
                     {AUTHENTICATE}, {CHECK}, which every card has",
                    i + 1
                );
                self.fault(line, problem);
            }
            if self.steps.iter().any(|step| step.name == name) {
                let problem = format!("step {}: name: {name:?} is another step's", i + 1);
                self.fault(line, problem);
            }
            match self.action(&kind, table) {
                Ok(action) => self.steps.push(JobStep { name, line, action }),
                Err(problem) => {
                    self.fault(line, format!("step {} ({kind}): {problem}", i + 1));
                }
            }
        }
    }

    /// A kind's name, with a number where it is taken.
    fn free_name(&self, kind: &str) -> String {
        let taken = |name: &str| self.steps.iter().any(|step| step.name == name);
        let numbered = (2..).map(|n| format!("{kind}-{n}"));
        let mut names = std::iter::once(kind.to_owned()).chain(numbered);
        names.find(|name| !taken(name)).unwrap_or_default()
    }

    fn cap(&self, name: &str) -> Result<&Applet, String> {
        self.caps.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.caps.keys().map(String::as_str).collect();
            format!("cap: no [cap.{name}], there are: {}", known.join(", "))
        })
    }

    fn action(&mut self, kind: &str, table: Table) -> Result<Action, String> {
        fn read<'de, T: Deserialize<'de>>(table: Table) -> Result<T, String> {
            table
                .try_into()
                .map_err(|e: toml::de::Error| e.message().to_owned())
        }
        match kind {
            "load" => self.load(&read(table)?),
            "install" => self.install(&read(table)?),
            "store" => store(&read(table)?),
            "configure" => Ok(Action::Configure {
                application: self.application(&read::<ApplicationForm>(table)?)?,
            }),
            "rotate-keys" => Ok(Action::RotateKeys {
                required: read::<RotateForm>(table)?.required,
            }),
            ADD_EIM => read::<NoKeys>(table).map(|NoKeys {}| Action::AddEim),
            "set-state" => set_state(&read(table)?),
            "read" => read_back(&read(table)?),
            "verify" => {
                let application = self.application(&read::<ApplicationForm>(table)?)?;
                let before = |wanted: fn(&Action) -> bool| {
                    self.steps.iter().any(|step| wanted(&step.action))
                };
                Ok(Action::Verify {
                    application,
                    configuration: before(|a| matches!(a, Action::Configure { .. })),
                    eim: before(|a| matches!(a, Action::AddEim)),
                })
            }
            _ => {
                let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
                Err(format!("do: no such step; one of {}", known.join(", ")))
            }
        }
    }

    fn load(&mut self, form: &LoadForm) -> Result<Action, String> {
        self.cap(&form.cap)?;
        if self.loaded.contains(&form.cap) {
            return Err(format!("cap: {} is loaded already", form.cap));
        }
        let to = match &form.to {
            Some(text) => of_aid("to", text)?,
            None => Vec::new(),
        };
        let hash =
            match &form.hash {
                Some(text) => Some(LoadHash::by_name(text).ok_or_else(|| {
                    format!("hash: {text:?}: sha256, sha384 or sha512 is expected")
                })?),
                None => None,
            };
        self.loaded.push(form.cap.clone());
        Ok(Action::Load(LoadStep {
            cap: self.loaded.len() - 1,
            to,
            hash,
        }))
    }

    fn install(&self, form: &InstallForm) -> Result<Action, String> {
        let given = |key: &str, text: &Option<String>| match text {
            Some(text) => of_aid(key, text).map(Some),
            None => Ok(None),
        };
        let module = given("module", &form.module)?;
        let (package, module) = match (&form.cap, given("package", &form.package)?) {
            (Some(name), None) => {
                let applet = self.cap(name)?;
                if !self.loaded.contains(name) {
                    return Err(format!("cap: {name} is loaded by no step before this one"));
                }
                let module = match module {
                    Some(module) if applet.cap.applets.iter().all(|a| a.aid != module) => {
                        let known = applet.cap.applets.iter().map(|a| hex::encode_upper(&a.aid));
                        let known: Vec<String> = known.collect();
                        return Err(format!("module: none of {}", known.join(", ")));
                    }
                    Some(module) => module,
                    None => applet.module().map_err(|e| e.to_string())?.to_vec(),
                };
                (applet.package.clone(), module)
            }
            (None, Some(package)) => {
                let module = module.ok_or("module is missing: package asks for it")?;
                (package, module)
            }
            _ => return Err("one of cap and package is expected".to_owned()),
        };
        let instance = match given("instance", &form.instance)? {
            Some(instance) => instance,
            None => Applet::instance_of(&module).to_vec(),
        };
        let mut privileges = Vec::new();
        for name in &form.privileges {
            let known = Privilege::by_name(name);
            privileges.push(known.ok_or_else(|| format!("privileges: no privilege {name:?}"))?);
        }
        let parameters = match (&form.parameters, &form.parameters_hex) {
            (Some(_), Some(_)) => {
                return Err("parameters or parameters_hex, not both".to_owned());
            }
            (Some(table), None) => {
                let read = from_toml(&table.to_string()).map_err(|e| format!("parameters: {e}"))?;
                Parameters::Bytes(read.encode().map_err(|e| format!("parameters: {e}"))?)
            }
            (None, Some(text)) => Parameters::Bytes(of_hex("parameters_hex", text)?),
            (None, None) if module == aid::MODULE_IPAE => Parameters::Ipae,
            (None, None) => Parameters::Bytes(vec![0xC9, 0x00]),
        };
        Ok(Action::Install(InstallStep {
            package,
            module,
            instance,
            privileges: Privilege::bytes(&privileges),
            parameters,
            selectable: form.selectable,
        }))
    }

    /// The instance that a step is for: the one that is named, or that of the last install step.
    fn application(&self, form: &ApplicationForm) -> Result<Vec<u8>, String> {
        if let Some(text) = &form.application {
            return of_aid("application", text);
        }
        let installed = self.steps.iter().rev().find_map(|step| match &step.action {
            Action::Install(install) => Some(install.instance.clone()),
            _ => None,
        });
        installed.ok_or_else(|| "application is missing: no step before installs one".to_owned())
    }

    /// What only the whole shows.
    fn whole(&mut self) {
        let of_kind = |wanted: fn(&Action) -> bool| {
            let steps = self.steps.iter();
            steps
                .filter(|step| wanted(&step.action))
                .map(|step| step.line)
                .collect::<Vec<_>>()
        };
        let twice = [
            (
                "rotate-keys",
                of_kind(|a| matches!(a, Action::RotateKeys { .. })),
            ),
            (ADD_EIM, of_kind(|a| matches!(a, Action::AddEim))),
            ("verify", of_kind(|a| matches!(a, Action::Verify { .. }))),
            (
                "configure",
                of_kind(|a| matches!(a, Action::Configure { .. })),
            ),
        ];
        for (name, lines) in twice {
            if let Some(line) = lines.get(1) {
                self.fault(*line, format!("{name} stands twice"));
            }
        }
        if self.file.form.step.is_empty() {
            self.fault(1, "step: at least one is expected".to_owned());
        }
        let unused: Vec<(usize, String)> = self
            .file
            .form
            .cap
            .iter()
            .filter(|(name, _)| !self.loaded.contains(name))
            .map(|(name, cap)| {
                let line = line_of(&self.file.text, cap.span().start);
                (line, format!("cap.{name}: no step loads it"))
            })
            .collect();
        if self.faults.is_empty() {
            for (line, problem) in unused {
                self.fault(line, problem);
            }
        }
    }
}

fn plain(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=40).contains(&name.len()) && name.bytes().all(fits)
}

fn store(form: &StoreForm) -> Result<Action, String> {
    let to = match &form.to {
        Some(text) => Some(of_aid("to", text)?),
        None => None,
    };
    let data = match (&form.data, form.dgis.is_empty()) {
        (Some(text), true) => Content::Plain(value("data", text, false)?),
        (None, false) => {
            let mut dgis = Vec::new();
            for dgi in &form.dgis {
                let tag = of_hex("dgis: tag", &dgi.tag)?;
                let tag = <[u8; 2]>::try_from(tag)
                    .map_err(|_| format!("dgis: tag {:?}: two bytes are expected", dgi.tag))?;
                dgis.push((tag, value("dgis: value", &dgi.value, false)?));
            }
            Content::Dgis(dgis)
        }
        _ => return Err("one of data and dgis is expected".to_owned()),
    };
    let encoding = match (form.form.as_deref(), &data) {
        (None, Content::Plain(_)) | (Some("plain"), Content::Plain(_)) => 0x00,
        (None | Some("dgi"), Content::Dgis(_)) | (Some("dgi"), _) => 0x08,
        (Some("tlv"), Content::Plain(_)) => 0x10,
        (Some(other), _) => {
            return Err(format!(
                "form: {other:?}: plain, dgi or tlv is expected, dgi for dgis"
            ));
        }
    };
    Ok(Action::Store(StoreStep { to, data, encoding }))
}

fn set_state(form: &StateForm) -> Result<Action, String> {
    let state = match (
        form.card.as_deref(),
        &form.application,
        form.state.as_deref(),
    ) {
        (Some("initialized"), None, None) => SetState::Card {
            state: 0x07,
            name: "INITIALIZED",
        },
        (Some("secured"), None, None) => SetState::Card {
            state: 0x0F,
            name: "SECURED",
        },
        (Some(other), None, None) => {
            return Err(format!(
                "card: {other:?}: initialized or secured is expected; a job neither locks nor ends cards \
                 (`ipae card card-state` does, card by card)"
            ));
        }
        (None, Some(text), Some(state @ ("locked" | "unlocked"))) => SetState::Application {
            aid: of_aid("application", text)?,
            locked: state == "locked",
        },
        _ => {
            return Err(
                "card, or application and state (locked, unlocked) are expected".to_owned(),
            );
        }
    };
    Ok(Action::SetState(state))
}

/// Commands that change a card; a step of their own does that.
const CHANGING: [(u8, &str); 6] = [
    (INS_LOAD, "load"),
    (INS_INSTALL, "install"),
    (INS_DELETE, "none: a job deletes nothing"),
    (INS_PUT_KEY, "rotate-keys"),
    (INS_SET_STATUS, "set-state"),
    (INS_STORE_DATA, "store"),
];

fn read_back(form: &ReadForm) -> Result<Action, String> {
    let text: String = form.command.split_whitespace().collect();
    let header = text.get(..8).unwrap_or_default();
    let command = of_hex("command", header)
        .ok()
        .and_then(|bytes| <[u8; 4]>::try_from(bytes).ok())
        .ok_or("command: four bytes in hexadecimal, and length and data, are expected")?;
    let [_, ins, ..] = command;
    if let Some((_, step)) = CHANGING.iter().find(|(changing, _)| *changing == ins) {
        return Err(format!(
            "command: INS {ins:02X} changes the card; the step for it is {step}"
        ));
    }
    let data = match text.get(8..).unwrap_or_default() {
        "" => None,
        rest => {
            let (length, data) = rest.split_at_checked(2).unwrap_or((rest, ""));
            let data = value("command", data, false)?;
            let length = u8::from_str_radix(length, 16).ok();
            let fits = data
                .length()
                .is_none_or(|bytes| Some(bytes) == length.map(usize::from));
            if !fits {
                return Err("command: Lc doesn't fit the data".to_owned());
            }
            Some(data)
        }
    };
    let mut allowed = Vec::new();
    for word in &form.allow {
        let sw = u16::from_str_radix(word, 16)
            .ok()
            .filter(|_| word.len() == 4);
        allowed.push(Sw(sw.ok_or_else(|| {
            format!("allow: {word:?}: a status word of four hexadecimal digits is expected")
        })?));
    }
    if allowed.is_empty() {
        allowed.push(Sw::OK);
    }
    Ok(Action::Read(ReadStep {
        select: match &form.select {
            Some(text) => Some(of_aid("select", text)?),
            None => None,
        },
        command,
        data,
        allowed,
        expect: match &form.expect {
            Some(text) => Some(value("expect", text, true)?),
            None => None,
        },
        receipt: form.receipt,
    }))
}
