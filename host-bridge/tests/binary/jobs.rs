//! Jobs from the command line: the one to start from, checked, shown without a card, done.

use super::support::{Bench, Run, applet, ipae};
use host_bridge::exit;

#[test]
fn a_job_is_written_checked_and_shown() {
    let bench = Bench::new(3);
    let job = bench.path("job.toml");
    Run::of(ipae().args(["personalize", "job", "--out"]).arg(&job)).good();
    let checked = Run::of(
        ipae()
            .args([
                "personalize",
                "job",
                "--json",
                "--card",
                "virtual-lab",
                "--cap",
            ])
            .arg(applet())
            .arg(&job),
    );
    let checked = checked.good().json();
    assert_eq!(checked["steps"][0], "load");
    let dry = |card: &str| {
        let mut command = ipae();
        command.args([
            "personalize",
            "run",
            "--json",
            "--dry-run",
            "--readers",
            "2",
            "--card",
            card,
        ]);
        command
            .arg("--order")
            .arg(&bench.order)
            .arg("--job")
            .arg(&job);
        command.arg("--cap").arg(applet());
        Run::of(&mut command)
    };
    let shown = dry("virtual-lab").good().json();
    assert_eq!(shown["job_sha256"], checked["sha256"]);
    assert!(
        shown["predicted"]["card_ms"].as_u64() > Some(100),
        "{shown}"
    );
    assert!(shown["commands"].as_array().unwrap().len() > 50);
    assert!(!bench.out.exists());
    // A definition without figures: it is said that nothing is predicted.
    let definition = bench.path("bare.toml");
    let text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../cards/definitions/virtual-lab.toml"
    ));
    let text = text.unwrap();
    let bare = text.split("[cost]").next().unwrap();
    std::fs::write(&definition, bare).unwrap();
    let mut command = ipae();
    command
        .args(["personalize", "run", "--dry-run", "--card"])
        .arg(&definition);
    command
        .arg("--order")
        .arg(&bench.order)
        .arg("--cap")
        .arg(applet());
    let said = Run::of(&mut command).good().stdout;
    assert!(said.contains("no time is predicted"), "{said}");
    // A fault has its line, and nothing is begun.
    let text = std::fs::read_to_string(&job).unwrap();
    std::fs::write(&job, text.replace("add-eim", "add-eims")).unwrap();
    let mut run = bench.personalize();
    Run::of(run.arg("--job").arg(&job)).bad(exit::JOB, &["job.toml:", "no such step"]);
    assert!(!bench.out.join("journal.sqlite").exists());
}

#[test]
fn a_job_of_ones_own_and_the_journal_keeps_to_it() {
    let bench = Bench::new(1);
    let job = bench.write(
        "own.toml",
        "format = 1\ntitle = \"only loaded\"\n[cap.a]\nbuild = true\n[[step]]\ndo = \"load\"\ncap = \"a\"\n\
         [[step]]\ndo = \"read\"\nname = \"eid-of-isd\"\ncommand = \"80CA9F7F\"\nallow = [\"9000\", \"6A88\"]\nreceipt = true\n",
    );
    let mut run = bench.personalize();
    Run::of(run.arg("--job").arg(&job)).good();
    let card = bench.card(&bench.eids[0]);
    assert_eq!(card.registry().load_files.len(), 1);
    assert!(card.registry().instances.is_empty() && card.euicc().state().eims.is_empty());
    Run::of(&mut bench.personalize()).bad(exit::JOURNAL, &["another job"]);
}
