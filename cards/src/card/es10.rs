//! ES10 on the card: the `Es10Port` object that the IPAe applet gets from the ISD-R
//! (`ipae.es10.Es10Port`, design decision 5), and STORE DATA over APDUs for whoever speaks to the ISD-R
//! from outside.

use super::VirtualCard;
use super::world::World;
use crate::channels;
use crate::euicc::{Device, Es10Session, Switch};
use crate::gp::Stop;
use crate::toolkit;
use crate::vm::{Fault, NativeCall, Value, Vm, VmError};
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use applet_model::trace::Boundary;
use serde::{Deserialize, Serialize};

/// The interface of the port's object.
pub(super) const INTERFACE: &str = "ipae/es10/Es10Port";
/// Tag of the port's object ([`Vm::new_native`]).
pub(super) const TAG: u32 = 0x10;

/// The ways to the ISD-R: the applet's, and one for each logical channel. Lost with the power.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Port {
    ipae: Es10Session,
    channels: [Es10Session; channels::COUNT],
}

impl Default for Port {
    fn default() -> Self {
        Port {
            ipae: Es10Session::for_ipae(),
            channels: core::array::from_fn(|_| Es10Session::for_device()),
        }
    }
}

impl Port {
    /// The ISD-R is no longer selected on this channel.
    pub fn leave(&mut self, channel: u8) {
        if let Some(session) = self.channels.get_mut(usize::from(channel)) {
            *session = Es10Session::for_device();
        }
    }
}

impl VirtualCard {
    /// A command to the selected ISD-R: STORE DATA (SGP.22 5.7.2).
    pub(super) fn es10_command(&mut self, command: &Command) -> Result<Response, Stop> {
        if command.ins != 0xE2 {
            return Err(Sw::INS_NOT_SUPPORTED.into());
        }
        if command.cla & 0x80 == 0 {
            return Err(Sw::CLA_NOT_SUPPORTED.into());
        }
        let device = Device {
            ipae_in_charge: self.ipae_in_charge(),
            ipad: self.ipad_alone(),
            proactive: self.world.toolkit.in_session(),
        };
        self.tell_assistant();
        let World {
            euicc, nvm, port, ..
        } = &mut self.world;
        euicc.set_device(device);
        let session = port
            .channels
            .get_mut(usize::from(command.channel()))
            .ok_or(Sw::CHANNEL_NOT_SUPPORTED)?;
        let sw = session.store_data(euicc, nvm, command.p1, command.p2, &command.data)?;
        let switch = session.take_switch();
        let response = match sw.sw1() {
            0x61 => Response::ok(session.get_response(usize::MAX)),
            _ => Response::status(sw),
        };
        match switch {
            Some(Switch::Refresh) => self.world.toolkit.session.switches += 1,
            Some(Switch::AtOnce) => {
                self.world.euicc.show_enabled();
                self.show_files();
            }
            None => {}
        }
        Ok(response)
    }
}

impl World {
    /// A method of the port's object.
    pub(super) fn es10(&mut self, vm: &mut Vm, call: &NativeCall) -> Result<Option<Value>, Fault> {
        let aid = toolkit::caller(self, vm, call)?;
        let array = toolkit::volatile_bytes(self, vm);
        match call.method {
            "storeData" => {
                let [_, p1] = call.short(0)?.to_be_bytes();
                let [_, p2] = call.short(1)?.to_be_bytes();
                let data = vm.read(call.caller, array, 0, call.short(2)?)?.to_vec();
                self.record(
                    &aid,
                    Boundary::Es10Store {
                        p1,
                        p2,
                        data: data.clone(),
                    },
                );
                if self.on_stand {
                    return Err(Fault::Suspend);
                }
                let World {
                    euicc, nvm, port, ..
                } = self;
                let sw = port.ipae.store_data(euicc, nvm, p1, p2, &data)?;
                self.record(&aid, Boundary::Es10Status(sw));
                Ok(Some(Value::Short(sw.0.cast_signed())))
            }
            "getResponse" => {
                let max = call.short(0)?.max(0).cast_unsigned();
                self.record(&aid, Boundary::Es10Read(max));
                if self.on_stand {
                    return Err(Fault::Suspend);
                }
                let bytes = self
                    .port
                    .ipae
                    .get_response(usize::from(max).min(toolkit::VOLATILE_BYTES));
                vm.write(self, call.caller, array, 0, &bytes)?;
                let length = i16::try_from(bytes.len()).unwrap_or(i16::MAX);
                self.record(&aid, Boundary::Es10Data(bytes));
                Ok(Some(Value::Short(length)))
            }
            _ => Err(VmError::NotSupported(call.name()).into()),
        }
    }
}
