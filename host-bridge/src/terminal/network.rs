//! The network as the terminal sees it: address overrides, and which profile has service.

use super::TerminalError;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

/// An address override, `HOST[:PORT]=ADDR:PORT`: a connection that would go to HOST's address (and
/// PORT, if given) goes to ADDR instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolve {
    /// An IP address, or a name whose addresses are looked up when a channel is opened; `*` is any.
    pub host: String,
    /// The port, or any.
    pub port: Option<u16>,
    /// Where the connection goes.
    pub to: SocketAddr,
}

impl FromStr for Resolve {
    type Err = TerminalError;

    fn from_str(text: &str) -> Result<Self, TerminalError> {
        let wrong = |why: &str| TerminalError::Resolve {
            text: text.to_owned(),
            why: why.to_owned(),
        };
        let (from, to) = text
            .split_once('=')
            .ok_or_else(|| wrong("expected HOST[:PORT]=ADDR:PORT"))?;
        let to = to
            .parse()
            .map_err(|_| wrong("after = an IP address and a port are expected"))?;
        let (host, port) = if let Ok(v6) = from.parse::<std::net::SocketAddrV6>() {
            (v6.ip().to_string(), Some(v6.port()))
        } else if from.parse::<IpAddr>().is_ok() {
            (from.to_owned(), None)
        } else if let Some((host, port)) = from.rsplit_once(':') {
            let port = port.parse().map_err(|_| wrong("the port isn't a number"))?;
            (host.to_owned(), Some(port))
        } else {
            (from.to_owned(), None)
        };
        if host.is_empty() {
            return Err(wrong("HOST is empty"));
        }
        Ok(Resolve { host, port, to })
    }
}

impl Resolve {
    fn matches(&self, asked: SocketAddr) -> bool {
        if self.port.is_some_and(|port| port != asked.port()) {
            return false;
        }
        if self.host == "*" {
            return true;
        }
        match self.host.parse::<IpAddr>() {
            Ok(ip) => ip == asked.ip(),
            Err(_) => (self.host.as_str(), asked.port())
                .to_socket_addrs()
                .is_ok_and(|mut addrs| addrs.any(|addr| addr.ip() == asked.ip())),
        }
    }
}

/// The network around the terminal.
#[derive(Debug, Clone)]
pub struct Network {
    /// Overrides; the first that matches is taken.
    pub resolve: Vec<Resolve>,
    /// Real time that a silent peer is waited for before virtual time moves on.
    pub patience: Duration,
    /// Real time that a connection may take.
    pub connect_timeout: Duration,
    /// Real time without further bytes after which what came is taken as all for now. It makes the
    /// number of bytes that the card sees at once depend less on the scheduler's mood.
    pub settle: Duration,
    /// Service by profile: ICCID or IMSI digits to up or down; whoever isn't named has service.
    pub service: BTreeMap<String, bool>,
}

impl Default for Network {
    fn default() -> Self {
        Network {
            resolve: Vec::new(),
            patience: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(2),
            settle: Duration::from_millis(2),
            service: BTreeMap::new(),
        }
    }
}

impl Network {
    /// Sets whether the operator of the profile with this ICCID or IMSI (decimal digits) gives
    /// service. Profiles that were never named have service.
    pub fn set_service(&mut self, profile: &str, up: bool) {
        self.service.insert(profile.to_owned(), up);
    }

    /// Whether the profile with this ICCID and IMSI has service. A card without either (no profile
    /// enabled) has none.
    pub fn has_service(&self, iccid: &str, imsi: &str) -> bool {
        if iccid.is_empty() && imsi.is_empty() {
            return false;
        }
        [iccid, imsi]
            .into_iter()
            .filter(|digits| !digits.is_empty())
            .all(|digits| self.service.get(digits).copied().unwrap_or(true))
    }

    /// Where a connection to `asked` goes.
    pub fn target(&self, asked: SocketAddr) -> SocketAddr {
        self.resolve
            .iter()
            .find(|rule| rule.matches(asked))
            .map_or(asked, |rule| rule.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_are_read_and_applied_in_order() {
        let network = Network {
            resolve: ["192.0.2.1:443=127.0.0.1:8443", "192.0.2.1=127.0.0.1:8080"]
                .iter()
                .map(|s| s.parse().unwrap())
                .collect(),
            ..Network::default()
        };
        let to = |s: &str| network.target(s.parse().unwrap()).to_string();
        assert_eq!(to("192.0.2.1:443"), "127.0.0.1:8443");
        assert_eq!(to("192.0.2.1:80"), "127.0.0.1:8080");
        assert_eq!(to("192.0.2.2:80"), "192.0.2.2:80");
        let v6: Resolve = "[2001:db8::1]:80=[::1]:81".parse().unwrap();
        assert_eq!((v6.host.as_str(), v6.port), ("2001:db8::1", Some(80)));
        for bad in [
            "",
            "a",
            "a=b",
            "=127.0.0.1:1",
            "a:x=127.0.0.1:1",
            "a=127.0.0.1",
        ] {
            assert!(bad.parse::<Resolve>().is_err(), "{bad}");
        }
    }

    #[test]
    fn service_goes_by_either_number() {
        let mut network = Network::default();
        assert!(network.has_service("89", "001") && !network.has_service("", ""));
        network.set_service("001", false);
        assert!(!network.has_service("89", "001") && network.has_service("89", ""));
    }
}
