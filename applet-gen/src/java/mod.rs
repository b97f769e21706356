//! The applet's Java sources: the hand-written runtime under `applet-gen/java`, and the tables that
//! are generated from the model.

mod tables;

pub use tables::tables;

/// The hand-written runtime: file name and text.
pub const RUNTIME: &[(&str, &str)] = &[
    (
        "Answer.java",
        include_str!("../../java/ipae/applet/Answer.java"),
    ),
    (
        "Data.java",
        include_str!("../../java/ipae/applet/Data.java"),
    ),
    (
        "Download.java",
        include_str!("../../java/ipae/applet/Download.java"),
    ),
    (
        "Euicc.java",
        include_str!("../../java/ipae/applet/Euicc.java"),
    ),
    (
        "IpaApplet.java",
        include_str!("../../java/ipae/applet/IpaApplet.java"),
    ),
    (
        "Machine.java",
        include_str!("../../java/ipae/applet/Machine.java"),
    ),
    (
        "Memory.java",
        include_str!("../../java/ipae/applet/Memory.java"),
    ),
    (
        "Request.java",
        include_str!("../../java/ipae/applet/Request.java"),
    ),
    (
        "Scanner.java",
        include_str!("../../java/ipae/applet/Scanner.java"),
    ),
    (
        "Terminal.java",
        include_str!("../../java/ipae/applet/Terminal.java"),
    ),
];

/// Name of the generated file.
pub const TABLES: &str = "Tables.java";
/// Package of the applet, as a folder.
pub const PACKAGE: &str = "ipae/applet";
/// Class of the applet in its package.
pub const APPLET_CLASS: &str = "IpaApplet";

/// Every source of the applet: path below the source folder, and text.
pub fn sources() -> Vec<(String, String)> {
    let mut sources: Vec<(String, String)> = RUNTIME
        .iter()
        .map(|(name, text)| (format!("{PACKAGE}/{name}"), (*text).to_owned()))
        .collect();
    sources.push((format!("{PACKAGE}/{TABLES}"), tables()));
    sources
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::stubs, javac::Javac};

    #[test]
    fn the_sources_compile_against_the_projects_own_api() {
        let dir = tempfile::tempdir().expect("a folder");
        let javac = Javac::locate().expect("javac (apt install default-jdk-headless)");
        let classes = stubs::compile(&dir.path().join("api"), &javac).expect("stubs");
        let mut paths = Vec::new();
        for (name, text) in sources() {
            let path = dir.path().join("src").join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(&path, text).expect("a file");
            paths.push(path);
        }
        javac
            .compile(&paths, &[classes], &dir.path().join("classes"))
            .expect("the applet compiles");
    }
}
