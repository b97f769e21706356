package ipae.applet;

import ipae.es10.Es10Port;
import javacard.framework.AID;
import javacard.framework.APDU;
import javacard.framework.Applet;
import javacard.framework.ISO7816;
import javacard.framework.ISOException;
import javacard.framework.Shareable;
import javacard.framework.Util;
import org.globalplatform.Application;
import uicc.toolkit.ToolkitConstants;
import uicc.toolkit.ToolkitInterface;
import uicc.toolkit.ToolkitRegistry;
import uicc.toolkit.ToolkitRegistrySystem;

/**
 * The IPAe applet: registers with the toolkit framework, hands events to the machine, answers APDUs.
 * What it does is in the tables that the model generates; here is only what runs them.
 */
public final class IpaApplet extends Applet implements ToolkitInterface, Application {
    private final Machine machine;

    private IpaApplet(byte[] parameters, short offset) {
        Es10Port port = Euicc.find(Tables.ISD_R);
        if (port == null) {
            // This card's ISD-R does not offer the port that the applet was built for.
            ISOException.throwIt(Tables.SW_REFERENCED_DATA_NOT_FOUND);
        }
        machine = new Machine(port);
        register(parameters, (short) (offset + 1), parameters[offset]);
        ToolkitRegistry registry = ToolkitRegistrySystem.getEntry();
        for (short i = 0; i < (short) Tables.EVENTS.length; i += 2) {
            byte event = (byte) Tables.EVENTS[(short) (i + 1)];
            // These two are registered by methods of their own.
            if (event != Tables.EV_TIMER && event != Tables.EV_STATUS_COMMAND) {
                registry.setEvent(Tables.EVENTS[i]);
            }
        }
        registry.requestPollInterval(ToolkitConstants.POLL_SYSTEM_DURATION);
        machine.installTimer(registry.allocateTimer());
    }

    /** Called by the runtime at INSTALL [for install]. */
    public static void install(byte[] parameters, short offset, byte length) {
        new IpaApplet(parameters, offset);
    }

    /** The framework and the security domain reach the applet through its shareable interfaces. */
    public Shareable getShareableInterfaceObject(AID client, byte parameter) {
        return this;
    }

    public void processToolkit(short event) {
        machine.load();
        machine.put16(Tables.R_DETAIL, (short) 0);
        for (short i = 0; i < (short) Tables.EVENTS.length; i += 2) {
            if (Tables.EVENTS[i] == event) {
                byte found = (byte) Tables.EVENTS[(short) (i + 1)];
                boolean lostOnly = found == Tables.EV_CHANNEL_STATUS;
                if ((lostOnly || found == Tables.EV_DATA_AVAILABLE) && !machine.channelConcerned(lostOnly)) {
                    return;
                }
                // STATUS comes also where no proactive command may be sent; the next one will do.
                if (found == Tables.EV_STATUS_COMMAND && !Terminal.handlerAvailable()) {
                    return;
                }
                machine.run(found);
                return;
            }
        }
    }

    public void process(APDU apdu) {
        if (selectingApplet()) {
            return;
        }
        machine.load();
        byte[] buffer = apdu.getBuffer();
        check(buffer, false);
        if (buffer[ISO7816.OFFSET_INS] == Tables.INS_GET_DATA) {
            apdu.setOutgoingAndSend((short) 0, getData(buffer));
        } else {
            if (Util.getShort(buffer, ISO7816.OFFSET_P1) != 0) {
                ISOException.throwIt(ISO7816.SW_INCORRECT_P1P2);
            }
            machine.w[Tables.R_TRIGGERED] = 1;
        }
    }

    /** STORE DATA that came through the security domain (GlobalPlatform API, Application). */
    public void processData(byte[] buffer, short offset, short length) {
        machine.load();
        if (offset != 0) {
            Util.arrayCopyNonAtomic(buffer, offset, buffer, (short) 0, length);
        }
        check(buffer, true);
        if (buffer[ISO7816.OFFSET_P1] >= 0 || buffer[ISO7816.OFFSET_P2] != 0) {
            ISOException.throwIt(ISO7816.SW_INCORRECT_P1P2);
        }
        storeData(buffer, length > ISO7816.OFFSET_CDATA ? (short) (length - ISO7816.OFFSET_CDATA) : (short) 0);
    }

    /** Class, instruction, security level and state, in this order. */
    private void check(byte[] buffer, boolean secure) {
        if ((byte) (buffer[ISO7816.OFFSET_CLA] & Tables.CLA_MASK) != Tables.CLA) {
            ISOException.throwIt(ISO7816.SW_CLA_NOT_SUPPORTED);
        }
        byte ins = buffer[ISO7816.OFFSET_INS];
        for (short i = 0; i < (short) Tables.COMMANDS.length; i += 3) {
            if (Tables.COMMANDS[i] == ins) {
                if (Tables.COMMANDS[(short) (i + 1)] == Tables.SECURITY_SECURITY_DOMAIN && !secure) {
                    ISOException.throwIt(ISO7816.SW_SECURITY_STATUS_NOT_SATISFIED);
                }
                if (!isAllowed(Tables.COMMANDS[(short) (i + 2)])) {
                    ISOException.throwIt(ISO7816.SW_CONDITIONS_NOT_SATISFIED);
                }
                return;
            }
        }
        ISOException.throwIt(ISO7816.SW_INS_NOT_SUPPORTED);
    }

    private boolean isAllowed(byte allowed) {
        if (allowed == Tables.ALLOWED_ALWAYS || machine.isResting()) {
            return true;
        }
        byte state = machine.w[Tables.R_STATE];
        return allowed == Tables.ALLOWED_CONFIGURING
                && (state == Tables.ST_UNPERSONALIZED || state == Tables.ST_LOCKED);
    }

    /** Puts an object to the buffer; gives its length. */
    private short getData(byte[] buffer) {
        byte tag = buffer[ISO7816.OFFSET_P2];
        if (buffer[ISO7816.OFFSET_P1] != Tables.OBJECT_CLASS) {
            ISOException.throwIt(Tables.SW_REFERENCED_DATA_NOT_FOUND);
        }
        short end = 3;
        if (tag == Tables.OBJECT_VERSION) {
            end = Util.arrayCopyNonAtomic(
                    Tables.VERSION, (short) 0, buffer, end, (short) Tables.VERSION.length);
        } else if (tag == Tables.OBJECT_MEMORY) {
            end = Util.setShort(buffer, end, Tables.WORKING);
            end = Util.setShort(buffer, end, Tables.PERSISTENT);
            end = Util.setShort(buffer, end, (short) (2 * Tables.BUFFER + Tables.HOLD));
        } else if (tag == Tables.OBJECT_PROFILE) {
            end = terminalProfile(buffer, end);
        } else {
            short at = 0;
            while (at < (short) Tables.OBJECTS.length && Tables.OBJECTS[at] != tag) {
                at = (short) (at + 2 + 2 * Tables.OBJECTS[(short) (at + 1)]);
            }
            if (at >= (short) Tables.OBJECTS.length) {
                ISOException.throwIt(Tables.SW_REFERENCED_DATA_NOT_FOUND);
            }
            short parts = Tables.OBJECTS[(short) (at + 1)];
            at += 2;
            for (; parts > 0; parts--) {
                end = machine.copyOut(Tables.OBJECTS[at], buffer, end, Tables.OBJECTS[(short) (at + 1)]);
                at += 2;
            }
        }
        buffer[0] = Tables.OBJECT_CLASS;
        buffer[1] = tag;
        buffer[2] = (byte) (end - 3);
        return end;
    }

    private short terminalProfile(byte[] buffer, short end) {
        short feature = 0;
        for (short i = 0; i < Tables.PROFILE_BYTES; i++) {
            short bits = 0;
            for (short bit = 1; bit < 0x100; bit <<= 1) {
                if (Terminal.hasFeature(feature)) {
                    bits |= bit;
                }
                feature++;
            }
            buffer[end] = (byte) bits;
            end++;
        }
        return end;
    }

    private void storeData(byte[] buffer, short length) {
        byte lock = parse(buffer, length, false);
        byte state = machine.w[Tables.R_STATE];
        byte event = Tables.EV_CONFIGURED;
        if (state == Tables.ST_LOCKED) {
            if (lock != 0 || length != 3) {
                ISOException.throwIt(ISO7816.SW_CONDITIONS_NOT_SATISFIED);
            }
            event = Tables.EV_UNLOCK;
        } else if (lock >= 0) {
            if (state == Tables.ST_UNPERSONALIZED) {
                ISOException.throwIt(ISO7816.SW_CONDITIONS_NOT_SATISFIED);
            }
            if (lock == 1) {
                event = Tables.EV_LOCK;
            }
        }
        parse(buffer, length, true);
        machine.w[Tables.R_LIFE] =
                event == Tables.EV_LOCK ? Tables.LIFE_LOCKED : Tables.LIFE_OPERATIONAL;
        machine.run(event);
    }

    /** Checks the objects or, at the second pass, stores them; gives the lock object's value or -1. */
    private byte parse(byte[] buffer, short length, boolean store) {
        byte lock = -1;
        short at = ISO7816.OFFSET_CDATA;
        short end = (short) (at + length);
        if (length == 0) {
            ISOException.throwIt(ISO7816.SW_WRONG_DATA);
        }
        while (at < end) {
            if ((short) (end - at) < 2) {
                ISOException.throwIt(ISO7816.SW_WRONG_DATA);
            }
            byte tag = buffer[at];
            short size = (short) (buffer[(short) (at + 1)] & 0xFF);
            at += 2;
            if (size > (short) (end - at)) {
                ISOException.throwIt(ISO7816.SW_WRONG_DATA);
            }
            if (tag == Tables.TAG_LOCK) {
                if (size != 1 || buffer[at] < 0 || buffer[at] > 1) {
                    ISOException.throwIt(ISO7816.SW_WRONG_DATA);
                }
                lock = buffer[at];
            } else {
                item(tag, buffer, at, size, store);
            }
            at += size;
        }
        return lock;
    }

    private void item(byte tag, byte[] buffer, short at, short size, boolean store) {
        short row = 0;
        short[] items = Tables.ITEMS;
        while (row < (short) items.length && (byte) items[row] != tag) {
            row += Tables.ITEM_SIZE;
        }
        if (row >= (short) items.length) {
            ISOException.throwIt(ISO7816.SW_WRONG_DATA);
        }
        short register = items[(short) (row + 1)];
        short most = items[(short) (row + 2)];
        byte form = (byte) items[(short) (row + 3)];
        short least = items[(short) (row + 4)];
        boolean wrong = size != most;
        if (form == Tables.FORM_COUNTED) {
            wrong = size > most || size < least;
        } else if (form == Tables.FORM_NUMBER && !wrong) {
            short n = size == 1 ? (short) (buffer[at] & 0xFF) : Util.getShort(buffer, at);
            wrong = n < least || n > items[(short) (row + 5)];
        }
        if (wrong) {
            ISOException.throwIt(ISO7816.SW_WRONG_DATA);
        }
        if (store) {
            if (form == Tables.FORM_COUNTED) {
                machine.w[register] = (byte) size;
                register++;
            }
            Util.arrayCopyNonAtomic(buffer, at, machine.w, register, size);
        }
    }
}
