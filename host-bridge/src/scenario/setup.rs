//! What a scenario starts from: the card, in memory or in a reader, and what belongs to it.

use super::bench::Failure;
use crate::eim::EimIdentity;
use crate::personalize::VirtualLink;
use crate::transport::{CardLink, LinkError};
use applet_model::apdu::{Command, Response};
use applet_model::lockstep::Lockstep;
use cards::card::VirtualCard;
use cards::definition::Definition;
use cards::pki::Hierarchy;

/// The card under test.
pub(super) enum Subject {
    Virtual(Box<VirtualLink>),
    Reader(Box<dyn CardLink>),
}

impl Subject {
    fn link(&self) -> &dyn CardLink {
        match self {
            Subject::Virtual(link) => link.as_ref(),
            Subject::Reader(link) => link.as_ref(),
        }
    }

    fn link_mut(&mut self) -> &mut dyn CardLink {
        match self {
            Subject::Virtual(link) => link.as_mut(),
            Subject::Reader(link) => link.as_mut(),
        }
    }
}

impl CardLink for Subject {
    fn atr(&self) -> &[u8] {
        self.link().atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.link_mut().reset()
    }

    fn transmit(&mut self, command: &Command) -> Result<Response, LinkError> {
        self.link_mut().transmit(command)
    }

    fn name(&self) -> String {
        self.link().name()
    }
}

/// What a scenario starts from.
pub struct Setup {
    pub(super) subject: Subject,
    /// EID of the card.
    pub eid: String,
    /// The card's definition.
    pub definition: Definition,
    /// The eIM that the card was personalized for.
    pub identity: EimIdentity,
    /// Another eIM of the same hierarchy.
    pub second: EimIdentity,
    /// Where the SM-DP+'s certificates come from; without it nothing is downloaded.
    pub hierarchy: Option<Hierarchy>,
    /// The model as it stands beside the card; none for a reader.
    pub lockstep: Option<Lockstep>,
    /// The counter of the last package that the card took from its eIM. No card tells it; whoever
    /// runs several scenarios on one card carries [`super::ScenarioReport::counter`] on.
    pub counter: u64,
}

impl Setup {
    /// A personalized virtual card. Its record from its installation on is followed first.
    ///
    /// # Errors
    /// [`Failure::Lockstep`] if the card and the model differ already.
    pub fn of_virtual(
        mut card: VirtualCard,
        definition: Definition,
        identity: EimIdentity,
        second: EimIdentity,
    ) -> Result<Setup, Failure> {
        let mut lockstep = Lockstep::new();
        lockstep.follow(&card.take_trace())?;
        let eid = card.euicc().eid().to_string();
        let link = VirtualLink::new(&format!("virtual card {eid}"), card);
        Ok(Setup {
            subject: Subject::Virtual(Box::new(link)),
            eid,
            definition,
            identity,
            second,
            hierarchy: None,
            lockstep: Some(lockstep),
            counter: 0,
        })
    }

    /// A personalized card in a reader.
    pub fn of_reader(
        link: Box<dyn CardLink>,
        eid: String,
        definition: Definition,
        identity: EimIdentity,
        second: EimIdentity,
    ) -> Setup {
        Setup {
            subject: Subject::Reader(link),
            eid,
            definition,
            identity,
            second,
            hierarchy: None,
            lockstep: None,
            counter: 0,
        }
    }

    /// With an SM-DP+ of this hierarchy, which issued the card's certificates.
    #[must_use]
    pub fn with_smdp(self, hierarchy: Hierarchy) -> Self {
        Setup {
            hierarchy: Some(hierarchy),
            ..self
        }
    }

    /// True for a virtual card.
    pub fn is_virtual(&self) -> bool {
        matches!(self.subject, Subject::Virtual(_))
    }
}
