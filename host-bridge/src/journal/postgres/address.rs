//! Where a queue is: an address whose password is never shown.

use super::PostgresError;
use postgres::Config;
use postgres::config::{Host, SslMode};
use std::time::Duration;

/// The address of a queue. Shows itself without its password.
#[derive(Clone)]
pub struct Address {
    config: Config,
    shown: String,
}

impl Address {
    /// From `postgres://USER@HOST:PORT/DATABASE`; a password that isn't in it is taken from
    /// `password` (the environment's PGPASSWORD).
    ///
    /// # Errors
    /// [`PostgresError::Address`], [`PostgresError::Tls`].
    pub fn parse(text: &str, password: Option<&str>) -> Result<Self, PostgresError> {
        // What the parser says may repeat a part of the text, and with it the password.
        let mut config: Config = text.parse().map_err(|_| PostgresError::Address)?;
        if config.get_hosts().is_empty() {
            return Err(PostgresError::Address);
        }
        if config.get_ssl_mode() == SslMode::Require {
            return Err(PostgresError::Tls);
        }
        if config.get_password().is_none()
            && let Some(password) = password
        {
            config.password(password);
        }
        // A server that is gone without a word must not hold a station for hours.
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_secs(10));
        }
        config.keepalives_idle(Duration::from_secs(10));
        if config.get_application_name().is_none() {
            config.application_name("ipae");
        }
        let shown = show(&config);
        Ok(Address { config, shown })
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

fn show(config: &Config) -> String {
    let user = config
        .get_user()
        .map(|user| format!("{user}@"))
        .unwrap_or_default();
    let ports = config.get_ports();
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(i, host)| {
            let port = ports.get(i).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) => format!("{name}:{port}"),
                #[cfg(unix)]
                Host::Unix(path) => format!("{}:{port}", path.display()),
            }
        })
        .collect();
    let database = config.get_dbname().or(config.get_user());
    format!(
        "postgres://{user}{}/{}",
        hosts.join(","),
        database.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address = Address::parse("postgres://line:s3cret@db.local:5433/orders", None).unwrap();
        assert_eq!(address.to_string(), "postgres://line@db.local:5433/orders");
        assert_eq!(format!("{address:?}"), address.to_string());
        let given = Address::parse("postgresql://line@db.local/orders", Some("s3cret")).unwrap();
        assert_eq!(given.config().get_password(), Some(&b"s3cret"[..]));
        assert!(!format!("{given:?}").contains("s3cret"));
        let socket = Address::parse("postgres:///orders?host=/run/postgresql", None).unwrap();
        assert_eq!(socket.to_string(), "postgres:///run/postgresql:5432/orders");
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for wrong in [
            "postgres://line:s3cret@db:port/orders",
            "postgres://line:s3cret@/orders?s3cret=1",
            "mysql://line:s3cret@db/orders",
            "",
        ] {
            let error = Address::parse(wrong, None).unwrap_err();
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        let tls = Address::parse("postgres://db/orders?sslmode=require", None).unwrap_err();
        assert!(tls.to_string().contains("TLS"), "{tls}");
    }
}
