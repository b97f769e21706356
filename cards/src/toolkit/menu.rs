//! Menu entries of all applets (ETSI TS 102 241 6.8.2, TS 102 226 8.2.1.3.2.2.1): their places are given at
//! installation, their texts by `initMenuEntry`, and SET UP MENU (ETSI TS 102 223 6.6.7) shows them.

use super::{Reason, Toolkit};
use crate::gp::registry::Aid;
use applet_model::cat::{CommandType, Device, ProactiveCommand, Tag};
use serde::{Deserialize, Serialize};

/// First identifier that the card gives itself; those below are the installer's.
const FIRST_OWN_IDENTIFIER: u8 = 0x80;
/// Text attribute of an entry that has none: default format, black on white (ETSI TS 102 223 8.72).
const PLAIN: [u8; 4] = [0x00, 0x00, 0x03, 0x90];
/// Bit of SET UP MENU's qualifier: help is available.
const HELP_AVAILABLE: u8 = 0x80;
/// Longest list of a SET UP MENU that one FETCH takes.
const LONGEST: usize = 253;

/// What an entry shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Text {
    pub text: Vec<u8>,
    pub next_action: u8,
    pub help: bool,
    /// Qualifier and identifier of its icon; identifier 0 is none.
    pub icon: (u8, u8),
    pub attribute: Option<[u8; 4]>,
    pub enabled: bool,
}

/// A place in the menu.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub owner: Aid,
    /// The how-manyth of its owner's it is: `initMenuEntry` goes by that.
    number: usize,
    pub id: u8,
    /// Nothing is shown before `initMenuEntry`.
    pub text: Option<Text>,
}

/// What the card shows around the entries: EF.SUME's contents (3GPP TS 31.102 4.4.1, ETSI TS 102 222).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Title {
    pub text: Vec<u8>,
    pub attribute: Option<[u8; 4]>,
}

impl Toolkit {
    /// Gives an applet its places, in the order of its parameters: identifier 0 is one of the card's own,
    /// position 0 the last.
    ///
    /// # Errors
    /// In words, if an identifier is taken.
    pub(crate) fn place_menu(
        &mut self,
        owner: &Aid,
        places: &[(u8, u8)],
    ) -> Result<(), &'static str> {
        let mut menu = self.menu.clone();
        for (number, (position, identifier)) in places.iter().enumerate() {
            let taken = |id: u8| menu.iter().any(|item| item.id == id);
            let id = match identifier {
                0 => (FIRST_OWN_IDENTIFIER..=u8::MAX)
                    .find(|id| !taken(*id))
                    .ok_or("toolkit parameters: the card has no menu entry left")?,
                id if taken(*id) => {
                    return Err("toolkit parameters: a menu entry's identifier is taken");
                }
                id => *id,
            };
            let at = match position {
                0 => menu.len(),
                n => usize::from(*n - 1).min(menu.len()),
            };
            menu.insert(
                at,
                Item {
                    owner: owner.clone(),
                    number,
                    id,
                    text: None,
                },
            );
        }
        self.menu = menu;
        Ok(())
    }

    /// The applet's next place without a text.
    pub(super) fn free_item(&mut self, owner: &Aid) -> Result<&mut Item, Reason> {
        self.menu
            .iter_mut()
            .filter(|item| item.owner == *owner && item.text.is_none())
            .min_by_key(|item| item.number)
            .ok_or(Reason::RegistryError)
    }

    /// What an initialized entry of the applet shows.
    pub(super) fn menu_text(&mut self, owner: &Aid, id: u8) -> Result<&mut Text, Reason> {
        self.menu
            .iter_mut()
            .find(|item| item.owner == *owner && item.id == id)
            .and_then(|item| item.text.as_mut())
            .ok_or(Reason::MenuEntryNotFound)
    }

    /// Brings an applet's registration for the menu's events up to its entries.
    pub(super) fn note_menu(&mut self, owner: &Aid) {
        let own = || self.menu.iter().filter(|item| item.owner == *owner);
        let texts: Vec<&Text> = own().filter_map(|item| item.text.as_ref()).collect();
        let (menu, help) = (!texts.is_empty(), texts.iter().any(|text| text.help));
        if let Some(entry) = self.entry_mut(owner) {
            entry.menu = menu;
            entry.help = help;
        }
    }

    /// The applet whose entry this is, if the terminal may select it, or ask for help on it.
    pub(crate) fn menu_owner(&self, id: u8, help: bool) -> Option<&Aid> {
        let item = self.menu.iter().find(|item| item.id == id)?;
        let text = item.text.as_ref()?;
        (!help || text.help).then_some(&item.owner)
    }

    /// SET UP MENU as it is now; `None` if no entry was ever shown and none is to be.
    pub(super) fn set_up_menu(
        &self,
        title: &Title,
        attributes: bool,
        may_run: &dyn Fn(&Aid) -> bool,
    ) -> Option<Vec<u8>> {
        let shown: Vec<(u8, &Text)> = self
            .menu
            .iter()
            .filter(|item| may_run(&item.owner))
            .filter_map(|item| Some((item.id, item.text.as_ref()?)))
            .filter(|(_, text)| text.enabled)
            .collect();
        if shown.is_empty() && self.session.told.menu.is_none() {
            return None;
        }
        let help = shown.iter().any(|(_, text)| text.help);
        let qualifier = if help { HELP_AVAILABLE } else { 0 };
        let mut command = ProactiveCommand::new(
            super::COMMAND_NUMBER,
            CommandType::SET_UP_MENU,
            qualifier,
            Device::TERMINAL,
        )
        .with(Tag::ALPHA_IDENTIFIER, true, title.text.clone());
        if shown.is_empty() {
            // An item without contents removes the menu.
            command = command.with(Tag::ITEM, true, Vec::new());
        }
        let mut fitting = Vec::new();
        for (id, text) in shown {
            let next = command
                .clone()
                .with(Tag::ITEM, true, [&[id][..], &text.text].concat());
            // What doesn't fit into one command can't be shown.
            if next.to_bytes().len() > LONGEST {
                break;
            }
            command = next;
            fitting.push(text);
        }
        if fitting.iter().any(|text| text.next_action != 0) {
            let actions: Vec<u8> = fitting.iter().map(|text| text.next_action).collect();
            command = command.with(Tag::ITEMS_NEXT_ACTION, false, actions);
        }
        // Icons are for all items or for none (ETSI TS 102 223 8.32).
        if !fitting.is_empty() && fitting.iter().all(|text| text.icon.1 != 0) {
            let qualifier = u8::from(fitting.iter().any(|text| text.icon.0 & 1 != 0));
            let icons = fitting.iter().map(|text| text.icon.1);
            let list: Vec<u8> = core::iter::once(qualifier).chain(icons).collect();
            command = command.with(Tag::ITEM_ICON_LIST, false, list);
        }
        if attributes {
            if let Some(attribute) = title.attribute {
                command = command.with(Tag::TEXT_ATTRIBUTE, false, attribute);
            }
            if fitting.iter().any(|text| text.attribute.is_some()) {
                let list: Vec<u8> = fitting
                    .iter()
                    .flat_map(|text| text.attribute.unwrap_or(PLAIN))
                    .collect();
                command = command.with(Tag::ITEM_TEXT_ATTRIBUTE_LIST, false, list);
            }
        }
        Some(command.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aid(last: u8) -> Aid {
        Aid::new(&[1, 2, 3, 4, last]).unwrap()
    }

    fn ids(toolkit: &Toolkit) -> Vec<u8> {
        toolkit.menu.iter().map(|item| item.id).collect()
    }

    fn show(toolkit: &mut Toolkit, owner: u8, text: &str) {
        toolkit.free_item(&aid(owner)).unwrap().text = Some(Text {
            text: text.into(),
            next_action: 0,
            help: false,
            icon: (0, 0),
            attribute: None,
            enabled: true,
        });
    }

    #[test]
    fn places_are_taken_in_the_order_of_installation() {
        let mut toolkit = Toolkit::default();
        toolkit
            .place_menu(&aid(1), &[(1, 1), (2, 2), (3, 3)])
            .unwrap();
        toolkit.place_menu(&aid(2), &[(2, 0), (0, 0)]).unwrap();
        assert_eq!(ids(&toolkit), [1, 0x80, 2, 3, 0x81]);
        toolkit.place_menu(&aid(3), &[(20, 9), (1, 10)]).unwrap();
        assert_eq!(ids(&toolkit), [10, 1, 0x80, 2, 3, 0x81, 9]);
        assert!(toolkit.place_menu(&aid(4), &[(1, 11), (1, 9)]).is_err());
        assert_eq!(ids(&toolkit), [10, 1, 0x80, 2, 3, 0x81, 9]);
    }

    #[test]
    fn texts_go_to_the_places_in_the_parameters_order() {
        let mut toolkit = Toolkit::default();
        toolkit.place_menu(&aid(1), &[(1, 5), (1, 6)]).unwrap();
        show(&mut toolkit, 1, "five");
        assert!(toolkit.menu_owner(5, false).is_some() && toolkit.menu_owner(6, false).is_none());
        assert!(toolkit.menu_owner(5, true).is_none());
        show(&mut toolkit, 1, "six");
        assert_eq!(
            toolkit.free_item(&aid(1)).err(),
            Some(Reason::RegistryError)
        );
        assert_eq!(
            toolkit.menu_text(&aid(2), 5).err(),
            Some(Reason::MenuEntryNotFound)
        );
        let title = Title {
            text: b"T".to_vec(),
            attribute: None,
        };
        let menu = toolkit.set_up_menu(&title, false, &|_| true).unwrap();
        assert_eq!(
            hex::encode_upper(menu),
            "D019810301250082028182850154 8F0406736978 8F050566697665".replace(' ', "")
        );
        toolkit.menu_text(&aid(1), 5).unwrap().enabled = false;
        toolkit.menu_text(&aid(1), 6).unwrap().help = true;
        toolkit.menu_text(&aid(1), 6).unwrap().attribute = Some([0, 0, 0x13, 0x90]);
        let menu = toolkit.set_up_menu(&title, true, &|_| true).unwrap();
        assert_eq!(
            hex::encode_upper(menu),
            "D018810301258082028182850154 8F0406736978 510400001390".replace(' ', "")
        );
        // An applet that may not run has no entries; nothing to show is no command.
        assert_eq!(toolkit.set_up_menu(&title, true, &|_| false), None);
        toolkit.session.told.menu = Some(Vec::new());
        let menu = toolkit.set_up_menu(&title, true, &|_| false).unwrap();
        assert!(hex::encode_upper(menu).ends_with("8501548F00"));
    }
}
