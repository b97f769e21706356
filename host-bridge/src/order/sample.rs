//! An order to start from.

use cards::euicc::Eid;

/// What a sample order is to hold.
#[derive(Debug, Clone)]
pub struct SampleOptions {
    /// Cards.
    pub count: u32,
    /// Number of the first card: the individual number in its EID.
    pub first: u32,
    /// Key set of all cards.
    pub key_set: String,
    /// eimId and eimFqdn.
    pub eim: String,
    /// What goes into `eim_public_key`: a file's name or hex.
    pub eim_public_key: String,
    /// IPv4 address of the eIM, if its name is not to be resolved.
    pub address: Option<String>,
    /// TCP port of the eIM.
    pub port: u16,
    /// Minutes between polls.
    pub poll_minutes: u16,
}

impl Default for SampleOptions {
    fn default() -> Self {
        SampleOptions {
            count: 8,
            first: 1,
            key_set: "test".to_owned(),
            eim: "eim.lab.example".to_owned(),
            eim_public_key: "eim.pem".to_owned(),
            address: None,
            port: 80,
            poll_minutes: 60,
        }
    }
}

/// First digits of the lab's EIDs: the prefix that the lab's EUM certificate covers.
const EID_PREFIX: &str = "89049032";

/// The text of a sample order, with a comment line on what to fill in.
pub fn sample(options: &SampleOptions) -> String {
    let mut out = String::from(
        "# One card a line. Lines that start with # are skipped; `ipae order columns` explains every column.\n\
         eid,iccids,key_set,kvn,eim_id,eim_id_type,eim_fqdn,eim_public_key,eim_counter,eim_token,poll_minutes,address,port,apn\n",
    );
    for i in 0..options.count {
        let number = u64::from(options.first) + u64::from(i);
        let first = format!("{EID_PREFIX}{number:022}");
        let Ok(eid) = Eid::with_check_digits(&first) else {
            break;
        };
        out.push_str(&format!(
            "{eid},,{},30,{},fqdn,{},{},0,no,{},{},{},\n",
            options.key_set,
            options.eim,
            options.eim,
            options.eim_public_key,
            options.poll_minutes,
            options.address.as_deref().unwrap_or_default(),
            options.port,
        ));
    }
    out
}
