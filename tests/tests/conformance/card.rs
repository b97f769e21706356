//! A virtual card and what is done with it: card content over SCP03, commands to applets.

use crate::packages::{Applet, package};
use applet_gen::gp::command::{self, Install};
use applet_gen::gp::load::load_commands;
use applet_gen::gp::scp03::SecureChannel;
use applet_gen::gp::uicc_params::InstallParameters;
use applet_model::aid;
use applet_model::apdu::{Command, Response};
use cards::card::VirtualCard;
use cards::definition::Definition;
use ipae_tests::{authenticate, card_of, send};

/// A card with a secure channel to its issuer security domain, as often as one is needed.
pub struct Session {
    pub card: VirtualCard,
}

impl Session {
    /// A factory-fresh card of a shipped definition.
    pub fn new(definition: &str) -> Session {
        let definition = Definition::shipped(definition).unwrap_or_else(|e| panic!("{e}"));
        Session {
            card: card_of(definition, 1, 1),
        }
    }

    /// The same of the lab's definition, changed.
    pub fn with(change: impl FnOnce(&mut Definition)) -> Session {
        let mut definition = Definition::shipped("virtual-lab").unwrap_or_else(|e| panic!("{e}"));
        change(&mut definition);
        Session {
            card: card_of(definition, 1, 1),
        }
    }

    fn managed(&mut self, channel: &mut SecureChannel, command: &Command) -> u16 {
        let wrapped = channel.wrap(command).unwrap();
        let response = send(&mut self.card, &wrapped);
        let sw = response.sw;
        channel.unwrap(response).unwrap();
        sw.0
    }

    /// Loads a package and those it needs, and installs each applet of those.
    pub fn load(&mut self, name: &str) {
        for needed in package(name).needs {
            self.load(needed);
            for applet in &package(needed).applets {
                self.install(applet, &[]);
            }
        }
        let (sw, fault) = self.try_load(name);
        assert_eq!(sw, 0x9000, "{name} is not loaded: {fault:?}");
    }

    /// Loads a package: status word, and why it was refused.
    pub fn try_load(&mut self, name: &str) -> (u16, Option<String>) {
        let package = package(name);
        let mut channel = authenticate(&mut self.card);
        let announce = command::install_for_load(&package.aid, &[], &[], &[], &[]);
        let announced = self.managed(&mut channel, &announce);
        if announced != 0x9000 {
            return (announced, self.card.take_fault());
        }
        let mut last = 0;
        for block in load_commands(&package.load_file, channel.max_command_data()).unwrap() {
            last = self.managed(&mut channel, &block);
        }
        (last, self.card.take_fault())
    }

    /// Installs an applet under its module's AID, and makes it selectable.
    pub fn install(&mut self, applet: &Applet, data: &[u8]) {
        let sw = self.try_install(applet, data);
        let fault = self.card.take_fault();
        assert_eq!(sw, 0x9000, "{} is not installed: {fault:?}", applet.name);
        self.select(applet);
    }

    /// The same, with the status word.
    pub fn try_install(&mut self, applet: &Applet, data: &[u8]) -> u16 {
        self.try_install_as(applet, &applet.aid, data)
    }

    /// The same, as an instance of this AID.
    pub fn try_install_as(&mut self, applet: &Applet, instance: &[u8], data: &[u8]) -> u16 {
        let parameters = InstallParameters {
            application: data.to_vec(),
            ..InstallParameters::default()
        };
        let parameters = parameters.encode().unwrap();
        let module = &applet.aid;
        let install = Install {
            package: &module[..module.len() - 1],
            module,
            instance,
            privileges: [0, 0, 0],
            parameters: &parameters,
            token: &[],
        };
        let mut channel = authenticate(&mut self.card);
        self.managed(&mut channel, &install.for_install_and_make_selectable())
    }

    /// Deletes an instance or (with its instances) a package.
    pub fn delete(&mut self, aid: &[u8], related: bool) -> u16 {
        let mut channel = authenticate(&mut self.card);
        self.managed(&mut channel, &command::delete(aid, related))
    }

    /// GET DATA FF21: the memory that is free, as the card puts it.
    pub fn free_memory(&mut self) -> Vec<u8> {
        self.deselect();
        let response = send(&mut self.card, &command::get_data(0xFF21));
        assert!(response.sw.is_ok(), "{}", response.sw);
        response.data
    }

    /// Selects an applet on the basic channel; it has to be there.
    pub fn select(&mut self, applet: &Applet) {
        let response = send(&mut self.card, &command::select(&applet.aid));
        let fault = self.card.take_fault();
        assert!(
            response.sw.is_ok(),
            "{}: {}, {fault:?}",
            applet.name,
            response.sw
        );
    }

    /// Selects something else: the issuer security domain.
    pub fn deselect(&mut self) {
        assert!(send(&mut self.card, &command::select(aid::ISD)).sw.is_ok());
    }

    /// A command by its header; with Le, if there is to be response data.
    pub fn send(&mut self, header: &[u8; 4], data: &[u8], le: bool) -> (Vec<u8>, u16) {
        let [cla, ins, p1, p2] = *header;
        let mut command = Command::new(cla, ins, p1, p2).with_data(data);
        if le {
            command = command.with_le(256);
        }
        let response = self.transmit(&command);
        (response.data, response.sw.0)
    }

    pub fn transmit(&mut self, command: &Command) -> Response {
        send(&mut self.card, command)
    }
}
