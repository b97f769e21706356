//! Cards that are pulled at work.

use super::service::{Service, new_card, skip, wait_for_card};
use crate::support::{Bench, Run};
use applet_model::apdu::{Command as Apdu, Response};
use host_bridge::exit;
use host_bridge::personalize::VirtualLink;
use host_bridge::transport::{CardLink, LinkError, vpcd};
use std::sync::atomic::{AtomicBool, Ordering};

/// A card that is pulled at one command, before or after it did what the command says.
pub struct Pulled {
    link: VirtualLink,
    left: usize,
    pub out: bool,
}

impl Pulled {
    /// Pulled at the command after so many.
    pub fn new(link: VirtualLink, left: usize) -> Self {
        Pulled {
            link,
            left,
            out: false,
        }
    }
}

impl CardLink for Pulled {
    fn atr(&self) -> &[u8] {
        self.link.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.link.reset()
    }

    fn transmit(&mut self, command: &Apdu) -> Result<Response, LinkError> {
        if self.left == 0 {
            self.out = true;
            // The command was done; its answer never arrives.
            let _ = self.link.transmit(command);
            return Err(LinkError::PowerLost(self.link.name()));
        }
        self.left -= 1;
        self.link.transmit(command)
    }

    fn name(&self) -> String {
        self.link.name()
    }
}

/// Sets a flag at the end of its scope, however it ends.
pub struct Stop<'a>(pub &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_card_pulled_at_work_is_finished_by_the_same_command() {
    let bench = Bench::new(1);
    let file = new_card(&bench, &bench.eids[0]);
    // While it says who it is, while it is loaded, while the eIM is configured.
    for left in [8, 60, 120] {
        // The driver takes no other card after one that went in the middle of a command (3.3): it is
        // started anew each time.
        let service = service!(Service::with_readers());
        if service.daemon.is_none() {
            return skip("the PC/SC service that runs is not this test's to restart");
        }
        let reader = service.reader(0);
        let address = service.address();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // A failure here must not wait for a card that nobody pulls.
            let _stop = Stop(&stop);
            let served = scope.spawn(|| {
                let link = VirtualLink::open("card", &file).unwrap_or_else(|e| panic!("{e}"));
                let mut card = Pulled::new(link, left);
                let ended = vpcd::serve(&address, &mut card, &stop, &mut |_| Ok(()));
                card.out && ended.is_err()
            });
            wait_for_card(&reader);
            let run = Run::of(&mut bench.personalize_on(&reader));
            run.bad(exit::CARD_REMOVED, &["removed", &reader]);
            assert!(served.join().expect("it ends"), "nobody pulled the card");
        });
    }
    let service = service!(Service::with_readers());
    let (mut server, reader) = service.serve(&file);
    let outcome = Run::of(bench.personalize_on(&reader).arg("--json"))
        .good()
        .json();
    assert_eq!(
        (&outcome["done"], &outcome["failed"]),
        (&1.into(), &0.into())
    );
    server.end();
    let card = VirtualLink::open("card", &file)
        .unwrap_or_else(|e| panic!("{e}"))
        .into_card();
    crate::support::assert_personalized(&card);
}
